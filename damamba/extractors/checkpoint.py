"""Checkpoints of encoders: a folder with weights, or a name on the model hub; their licences."""

import hashlib
import logging
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import damamba
from damamba.console import InputError
from damamba.files import sha256

logger = logging.getLogger(__name__)
COMPACT = "damamba preset compact"
HUB_LICENCES = {
    "facebook/wav2vec2-base": "Apache-2.0",
    "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim": "CC BY-NC-SA 4.0: no commercial use",
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": "MIT",
    "ViT-B-32": "MIT (LAION-2B weights)",
}
"""Of the checkpoints in our presets; the table for people is checkpoints/README.md."""


def local_folder(checkpoint: str) -> Path | None:
    """The folder that `checkpoint` means, None where it is a name on the hub.

    The encoders that come with the package are found from any working directory.

    Raises:
        InputError: It can only be a folder, and there is none.
    """
    inside = Path(damamba.__file__).parent.parent / checkpoint
    for folder in (Path(checkpoint), inside):
        if folder.is_dir():
            return folder
    if checkpoint.startswith((".", "/", "~")) or checkpoint.count("/") > 1:
        raise InputError(
            f"{checkpoint}: there is no such checkpoint folder; "
            f"correct `checkpoint` in params.yaml, or take the encoders that come with damamba: {COMPACT}"
        )
    return None


def local_weights(checkpoint: str) -> list[Path]:
    """What an extractor's `weights` are: all of a folder but its card; nothing where the hub's revision says it all."""
    folder = local_folder(checkpoint)
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".md") if folder else []


def revision_of(checkpoint: str, revision: str | None) -> str:
    """For a stream's metadata: of a folder the hash of its content, of a hub checkpoint what was asked for."""
    if local_folder(checkpoint) is None:
        return revision or ""
    return hashlib.sha256("".join(map(sha256, local_weights(checkpoint))).encode()).hexdigest()[:12]


@contextmanager
def loading(checkpoint: str, revision: str | None = None) -> Iterator[None]:
    """Turn what libraries raise while they read `checkpoint` into one line, and log its licence when it is read.

    Raises:
        InputError: Not there, not to be had, or not what it should be, with the commands that help.
    """
    from safetensors import SafetensorError

    folder = local_folder(checkpoint)
    try:
        with _quiet():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        name = checkpoint.removeprefix("hf-hub:")
        pinned = f" --revision {revision}" if revision else ""
        if folder:
            cure = f"restore the folder (git checkout -- {folder}) or correct `checkpoint` in params.yaml"
        elif "/" in name:
            cure = f"fetch it where there is a network: hf download {name}{pinned}; or do without: {COMPACT}"
        else:
            cure = f"run this stage once where there is a network; or do without: {COMPACT}"
        raise InputError(f"checkpoint {checkpoint} cannot be loaded ({reason}); {cure}") from None
    if multiprocessing.parent_process() is None:  # once a stage, not once a worker
        licence = licence_on_card(folder) if folder else HUB_LICENCES.get(checkpoint.removeprefix("hf-hub:"))
        logger.info("checkpoint %s · licence %s", checkpoint, licence or "unknown to damamba: see its card")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what is not an error: open_clip tells each step to the root logger, the hub each of many retries."""
    loggers = [logging.getLogger(), logging.getLogger("huggingface_hub")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def licence_on_card(folder: Path) -> str | None:
    """`license:` of the card's front matter."""
    card = folder / "README.md"
    lines = card.read_text(encoding="utf8").splitlines() if card.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("license:")), None)
