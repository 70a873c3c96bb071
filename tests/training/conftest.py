"""Four small sessions, and runs of a few steps on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from damamba import training
from damamba.config import Params
from damamba.data.shards import write_statistics
from damamba.model import DAMamba
from tests.conftest import frozen_values
from tests.data.test_batch import WIDTHS, make_aligned


@pytest.fixture
def aligned(tmp_path):
    return make_small(tmp_path)


def make_small(root, sessions=4):
    held = make_aligned(root, sessions=sessions, n_labels=120)
    statistics = {
        f"{cue}.{what}": np.full(width, value, np.float32)
        for cue, width in WIDTHS.items()
        for what, value in (("mean", 15.0), ("std", 11.0))
    }
    write_statistics(root, statistics)
    val = (replace(session, split="val") for session in held.sessions[3:])
    return replace(held, sessions=(*held.sessions[:3], *val))


def params(model=None, window=None, **train) -> Params:
    held = frozen_values()
    held["train"] |= {
        "steps": 8,
        "batch_windows": 4,
        "validate_steps": 4,
        "checkpoint_steps": 3,
        "warmup_steps": 2,
        "threads": 1,
        **train,
    }
    sizes = {
        "d_model": 16,
        "d_fusion": 16,
        "headdim": 8,
        "d_state": 8,
        "n_heads": 2,
        "dropout": 0.2,
        "floor": "none",
        **(model or {}),
    }
    for settings in held["architectures"].values():
        settings |= {key: value for key, value in sizes.items() if key in settings}
    held["train"]["warmup_steps"] = min(held["train"]["warmup_steps"], held["train"]["steps"] - 1)
    held["window"] |= window or {}
    return Params.model_validate(held)


def sections(params: Params, variant: str, seed: int, shuffle: int | None = None):
    return params.variant(variant), params.losses, params.window, params.train, seed, shuffle


def Run(aligned, params, variant, seed, shuffle=None) -> training.Run:  # noqa: N802
    return training.Run(aligned, *sections(params, variant, seed, shuffle))


def run_key(aligned, params, variant, seed, shuffle) -> str:
    return training.run_key(aligned, *sections(params, variant, seed, shuffle))


def weights(model: DAMamba) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
