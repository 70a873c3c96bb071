"""A saved model: one directory with weights (safetensors) and their description (JSON). Nothing in it is executed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from damamba.console import InputError
from damamba.files import BLANK_SEAL, check_seal, replace_file

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


@dataclass(frozen=True)
class Description:
    """Content of `model.json`."""

    path: Path
    architecture: str
    """Name of a file in ``damamba/model/architectures``, or a dotted path."""
    settings: dict[str, Any]
    """Of the architecture."""
    cues: dict[str, dict[str, int]]
    """Width of each cue, by modality group."""
    rate_hz: int
    weights: str
    """Seal of the weights."""
    extra: dict[str, Any]
    """Whatever else was saved."""

    def check(self, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
        """Raise InputError unless names and shapes of the weights are those of the described model."""
        for name in (*expected, *weights):
            found, wanted = (
                "nothing" if tensor is None else str(tuple(tensor.shape))
                for tensor in (weights.get(name), expected.get(name))
            )
            if found != wanted:
                raise InputError(
                    f"{self.path.with_name(WEIGHTS)}: {name}: {found} found, {wanted} expected from {self.path.name}; "
                    "the two files are not from the same model"
                )


def write_checkpoint(directory: Path | str, weights: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write both files, each whole or not at all; the description last, with the seal of the weights."""
    directory = Path(directory)
    replace_file(directory / WEIGHTS, save(weights, {"seal": BLANK_SEAL}), sealed=True)
    described = {**description, "weights_seal": check_seal(directory / WEIGHTS), "seal": BLANK_SEAL}
    text = json.dumps(described, indent=1, allow_nan=False) + "\n"
    replace_file(directory / DESCRIPTION, text.encode(), sealed=True)


def read_checkpoint(directory: Path | str) -> tuple[Description, dict[str, Tensor]]:
    """Read both files.

    Raises:
        InputError: A file is missing or broken, or they do not belong together.
    """
    description = read_description(directory)
    return description, _read_weights(Path(directory) / WEIGHTS, description)


def read_description(directory: Path | str) -> Description:
    """Read `model.json` alone; raises as `read_checkpoint` does."""
    path = Path(directory) / DESCRIPTION
    try:
        values = json.loads(path.read_text(encoding="utf8"))
        architecture, settings, cues, rate_hz, weights, _ = (
            values.pop(key) for key in ("architecture", "settings", "cues", "rate_hz", "weights_seal", "seal")
        )
        cues = {group: {name: int(width) for name, width in widths.items()} for group, widths in cues.items()}
        rate_hz = int(rate_hz)
        _check_description(path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: not found; train a model, or name the directory of one") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: not JSON (line {error.lineno}): {error.msg}; train or copy the model again"
        ) from None
    except KeyError as error:
        raise InputError(f"{path}: no {error.args[0]!r}; not the description of a model of this version") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected cue widths by group and a rate: {error}; copy the model again") from None
    return Description(path, str(architecture), settings, cues, rate_hz, weights, values)


def _check_description(path: Path) -> None:
    try:
        check_seal(path)
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); train or copy the model again") from None


def _read_weights(path: Path, description: Description) -> dict[str, Tensor]:
    try:
        if check_seal(path) != description.weights:
            raise InputError(f"{path}: not the weights that {DESCRIPTION} describes; train or copy the model again")
        return load_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: not found; train a model, or name the directory of one") from None
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); train or copy the model again") from None
