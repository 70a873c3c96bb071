"""Checkpoints of encoders: a folder with weights, or a name on the model hub."""

import hashlib
import logging
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import damamba
from damamba.console import InputError
from damamba.encoders.hub import repository_of, snapshot
from damamba.encoders.licences import licence_of
from damamba.files import sha256

logger = logging.getLogger(__name__)
COMPACT = "damamba preset compact"
"""Command that switches to the encoders that come with the package."""
COMPACT_WHISPER = "data/compact-whisper"
"""Checkpoint that the stage compact_whisper makes where a cue uses it; `damamba.encoders.compact_whisper`."""
WEIGHTS = "model.safetensors"
CACHED = Path("~/.cache/damamba/compact-whisper")
"""Where commands keep it that run outside of a project."""


def local_folder(checkpoint: str) -> Path | None:
    """Folder of a checkpoint; None where `checkpoint` is a name on the hub.

    The encoders that come with the package are found from any working directory.

    Raises:
        InputError: `checkpoint` can only be a folder, and the folder does not exist.
    """
    inside = Path(damamba.__file__).parent.parent / checkpoint
    if checkpoint == COMPACT_WHISPER:
        if folder := compact_whisper():
            return folder
        raise InputError(f"{checkpoint}: Whisper's first layer is missing; get it: dvc repro compact_whisper")
    for folder in (Path(checkpoint), inside):
        if folder.is_dir():
            return folder
    if checkpoint.startswith((".", "/", "~")) or checkpoint.count("/") > 1:
        raise InputError(
            f"{checkpoint}: no such checkpoint folder; correct `checkpoint` in params.yaml, "
            f"or use the encoders that come with damamba: {COMPACT}"
        )
    return None


def compact_whisper() -> Path | None:
    """Folder of `COMPACT_WHISPER` with its weights; where no cue used them when its stage ran, it has none."""
    places = (Path(COMPACT_WHISPER), CACHED.expanduser())
    return next((folder for folder in places if (folder / WEIGHTS).is_file()), None)


def local_weights(checkpoint: str) -> list[Path]:
    """Files of a local checkpoint, without its card; empty for a name on the hub, whose revision is a parameter."""
    folder = local_folder(checkpoint)
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".md") if folder else []


def revision_of(checkpoint: str, revision: str | None) -> str:
    """Revision for a stream's metadata: hash of a folder's content, or the revision wanted from the hub."""
    if local_folder(checkpoint) is None:
        return revision or ""
    return hashlib.sha256("".join(map(sha256, local_weights(checkpoint))).encode()).hexdigest()[:12]


def folder_of(checkpoint: str, revision: str | None) -> Path | None:
    """Folder of a checkpoint, downloaded where it is on the hub alone; None for a name that open_clip knows by a tag.

    Raises:
        InputError: As `local_folder`.
        OSError, ValueError: As `damamba.encoders.hub.snapshot`.
    """
    if folder := local_folder(checkpoint):
        return folder
    return snapshot(checkpoint, revision) if repository_of(checkpoint) else None


@contextmanager
def loading(checkpoint: str, revision: str | None = None) -> Iterator[None]:
    """Turn errors of the libraries that read `checkpoint` into one line; log the licence once it is read.

    Raises:
        InputError: The checkpoint is missing, cannot be downloaded or is damaged; with the commands that help.
    """
    from safetensors import SafetensorError

    folder = local_folder(checkpoint)
    try:
        with _only_errors():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        if checkpoint == COMPACT_WHISPER:
            cure = f"get it again: rm -r {folder} && dvc repro -f compact_whisper"
        elif folder:
            cure = f"restore the folder (git checkout -- {folder}) or correct `checkpoint` in params.yaml"
        elif repository_of(checkpoint):
            cure = f"fetch it where there is a network: {download_of(checkpoint, revision)}; or do without: {COMPACT}"
        else:
            cure = f"run this stage once where there is a network; or do without: {COMPACT}"
        raise InputError(f"checkpoint {checkpoint} cannot be loaded ({reason}); {cure}") from None
    if multiprocessing.parent_process() is None:  # once per stage, not once per worker
        logger.info("checkpoint %s · licence %s", checkpoint, licence_of(checkpoint, folder))


def download_of(checkpoint: str, revision: str | None) -> str:
    """Command that fetches a checkpoint from the hub."""
    return f"hf download {repository_of(checkpoint)}" + (f" --revision {revision}" if revision else "")


@contextmanager
def _only_errors() -> Iterator[None]:
    """Silence log lines below CRITICAL: open_clip logs every step to the root logger, the hub every retry."""
    loggers = [logging.getLogger(), logging.getLogger("huggingface_hub")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
