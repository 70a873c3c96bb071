"""A trained model from a folder or from the model hub."""

from pathlib import Path

from damamba.console import InputError
from damamba.encoders.hub import snapshot
from damamba.model import EngagementModel, load_model
from damamba.predictor import SHIPPED


def load(model: Path | str = SHIPPED, revision: str | None = None) -> EngagementModel:
    """A trained model, in evaluation mode, on the CPU.

    Args:
        model: Its folder, or a repository on the hub that holds such a folder; by default the model that comes along.
        revision: Commit on the hub.

    Raises:
        InputError: It is missing or damaged.
    """
    return load_model(model_folder(model, revision))


def model_folder(model: Path | str, revision: str | None = None) -> Path:
    """Folder of a trained model, downloaded where `model` is a repository on the hub.

    Raises:
        InputError: It cannot be had.
    """
    name = str(model)
    if isinstance(model, Path) or Path(name).is_dir() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        return Path(model)
    try:
        return snapshot(name, revision)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:120]
        raise InputError(f"{name}: no such folder, and no such model could be fetched from the hub ({why})") from None
