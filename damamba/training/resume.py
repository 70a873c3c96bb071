"""Resume states on disk: a line with the seal, then what `torch.save` writes; nothing in them is executed."""

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from damamba import plugins
from damamba.config import ARCHITECTURES, LOSSES, LossParams, ModelParams, TrainParams, WindowParams
from damamba.console import InputError
from damamba.data.shards import Aligned
from damamba.files import BLANK_SEAL, check_seal, replace_file
from damamba.keys import source_digest

HEAD = f"{BLANK_SEAL}\n".encode()


def run_key(
    aligned: Aligned,
    model: ModelParams,
    losses: Mapping[str, LossParams],
    window: WindowParams,
    train: TrainParams,
    seed: int,
    shuffle: int | None,
) -> str:
    """Hash of data, parameters and code: a run resumes only where all of them are equal."""
    modules = [
        plugins.module_of(ARCHITECTURES, model.architecture),
        *(plugins.module_of(LOSSES, entry.loss) for entry in losses.values()),
    ]
    parts = {
        "data": aligned.digest,
        "model": model.model_dump(mode="json"),
        "losses": {name: entry.model_dump(mode="json") for name, entry in losses.items()},
        "window": window.model_dump(mode="json"),
        "train": train.model_dump(mode="json", exclude={"threads", "checkpoint_steps", "gradient_checkpointing"}),
        "seed": seed,
        "shuffle": shuffle,
        "code": source_digest("damamba.training.run", *modules),
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


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
