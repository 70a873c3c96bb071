"""Resume states on disk: a line with the seal, then what `torch.save` writes; nothing in them is executed."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from damamba.console import InputError
from damamba.files import BLANK_SEAL, check_seal, replace_file

HEAD = f"{BLANK_SEAL}\n".encode()


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors, numbers and strings; the file is complete or not there."""
    content = io.BytesIO()
    torch.save(state, content)
    replace_file(path, HEAD + content.getvalue(), sealed=True)


def read_state(path: Path) -> dict[str, Any]:
    """Read a state.

    Raises:
        InputError: It is damaged.
    """
    try:
        check_seal(path)
        return torch.load(io.BytesIO(path.read_bytes()[len(HEAD) :]), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: damaged ({reason}); remove it and train again: rm {path}") from None
