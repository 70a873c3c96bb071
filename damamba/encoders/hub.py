"""Checkpoints on the model hub: this machine's cache first, the network only for what it lacks."""

from fnmatch import filter as matching
from pathlib import Path

HUB = "hf-hub:"
"""In front of a repository, as open_clip writes it."""
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "model-*.safetensors",
    "pytorch_model.bin",
    "pytorch_model-*.bin",
)
"""File names of weights; of several kinds in a repository, the first is taken."""
PATIENCE_S = 3.0
"""The hub must answer within this; a download by itself tries for most of a minute."""


def repository_of(checkpoint: str) -> str | None:
    """Repository on the hub that a checkpoint names; None for a name that open_clip knows by a tag."""
    name = checkpoint.removeprefix(HUB)
    return name if "/" in name else None


def cached(repository: str, revision: str | None) -> Path | None:
    """Folder of a repository at this revision, None: at its main one, where the cache has its weights."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if any(any(folder.glob(pattern)) for pattern in WEIGHTS) else None


def snapshot(repository: str, revision: str | None) -> Path:
    """Folder of a repository at this revision, downloaded where the cache lacks it.

    Raises:
        OSError: The hub cannot be reached, or has no such repository or revision.
        ValueError: The repository holds no weights.
    """
    from huggingface_hub import HfApi, snapshot_download

    if folder := cached(repository, revision):
        return folder
    try:
        found = HfApi().model_info(repository, revision=revision, timeout=PATIENCE_S)
    except OSError:
        raise
    except Exception as error:  # of the library behind it, which is not the same in all of its versions
        raise OSError(f"the hub cannot be reached: {error}") from error
    names = [each.rfilename for each in found.siblings or []]
    weights = next((pattern for pattern in WEIGHTS if matching(names, pattern)), None)
    if weights is None:
        raise ValueError(f"{repository} holds none of {', '.join(WEIGHTS)}")
    return Path(snapshot_download(repository, revision=revision, allow_patterns=["*.json", weights]))
