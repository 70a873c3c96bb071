"""Checkpoints on the model hub: this machine's cache first, the network only for what it lacks."""

import json
from fnmatch import filter as matching
from pathlib import Path

HUB = "hf-hub:"
"""In front of a repository of open_clip."""
OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TRANSFORMERS = ("model.safetensors", "model-*.safetensors", "pytorch_model.bin", "pytorch_model-*.bin")
"""File names of weights; of several kinds in a repository, the first is taken."""
DESCRIPTIONS = ({"open_clip_config.json"}, {"config.json", "preprocessor_config.json"}, {"model.json"})
"""Beside the weights of open_clip, of transformers, and of a model of ours."""
PATIENCE_S = 3.0
"""The hub must answer within this; a download by itself tries for most of a minute."""


def repository_of(checkpoint: str) -> str | None:
    """Repository on the hub that a checkpoint names; None for a name that open_clip knows by a tag."""
    name = checkpoint.removeprefix(HUB)
    return name if "/" in name else None


def cached(checkpoint: str, revision: str | None) -> Path | None:
    """Folder of a repository at this revision, None: at its main one, where the cache has all that is read of it."""
    folder = _snapshot_here(checkpoint, revision)
    return folder if folder and _is_complete(folder, checkpoint) else None


def snapshot(checkpoint: str, revision: str | None) -> Path:
    """Folder of a repository at this revision, downloaded where the cache lacks it.

    Where the hub cannot be reached, an incomplete copy in the cache is better than nothing: what loads it names the
    file that is missing.

    Raises:
        OSError: The hub cannot be reached, or has no such repository or revision.
        ValueError: The repository holds no weights.
    """
    from huggingface_hub import HfApi, snapshot_download

    if folder := cached(checkpoint, revision):
        return folder
    repository = checkpoint.removeprefix(HUB)
    try:
        found = HfApi().model_info(repository, revision=revision, timeout=PATIENCE_S)
        names = [each.rfilename for each in found.siblings or []]
        weights = next((pattern for pattern in _weights(checkpoint) if matching(names, pattern)), None)
        if weights is None:
            raise ValueError(f"{repository} holds none of {', '.join(_weights(checkpoint))}")
        return Path(snapshot_download(repository, revision=revision, allow_patterns=["*.json", weights]))
    except ValueError:
        raise
    except Exception as error:  # of the library behind it, which is not the same in all of its versions
        if folder := _snapshot_here(checkpoint, revision):
            return folder
        raise OSError(f"the hub cannot be reached: {error}") from error


def _weights(checkpoint: str) -> tuple[str, ...]:
    return OPEN_CLIP if checkpoint.startswith(HUB) else TRANSFORMERS


def _snapshot_here(checkpoint: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(checkpoint.removeprefix(HUB), revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _is_complete(folder: Path, checkpoint: str) -> bool:
    """Whether a folder has a description and weights, all pieces of them where they are in pieces."""
    names = {path.name for path in folder.iterdir()}
    weights = next((pattern for pattern in _weights(checkpoint) if matching(names, pattern)), None)
    if weights is None or not any(needed <= names for needed in DESCRIPTIONS):
        return False
    pieces: set[str] = set()
    if "*" in weights:
        index = folder / f"{weights.replace('-*', '')}.index.json"
        if not index.is_file():
            return False
        pieces = set(json.loads(index.read_text(encoding="utf8"))["weight_map"].values())
    return pieces <= names
