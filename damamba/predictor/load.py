"""A trained model from a folder or from the model hub."""

from pathlib import Path

from damamba.encoders.checkpoint import folder_of, loading
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
    if isinstance(model, Path) or Path(model).is_dir() or str(model).count("/") != 1:
        return Path(model)
    with loading(model, revision):
        folder = folder_of(model, revision)
    assert folder is not None  # a name with a slash is a repository
    return folder
