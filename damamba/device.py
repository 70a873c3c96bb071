"""The device that models run on, and how many processes may share it."""

import os
from functools import cache
from typing import TYPE_CHECKING

from damamba.console import InputError

if TYPE_CHECKING:
    import torch

WORKER_BYTES = 4 * 2**30
"""Memory of a process that holds a model on the device: context, weights of a large encoder, one piece of input."""


@cache
def choose_device() -> "torch.device":
    """The accelerator of this machine, or its CPU; the same for training, prediction, benchmark and extraction."""
    import torch  # takes seconds

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return device or torch.device("cpu")


def jobs_on_device(jobs: int) -> int:
    """How many worker processes may put a model on the device.

    Args:
        jobs: As in params.yaml: worker processes, 0 = one a core.

    Returns:
        `jobs` on a CPU. On CUDA no more than the device's memory holds, at `WORKER_BYTES` each; at least one.
    """
    device = choose_device()
    if device.type != "cuda":
        return jobs
    import torch

    memory = torch.cuda.get_device_properties(device).total_memory
    return max(1, min(jobs or os.cpu_count() or 1, memory // WORKER_BYTES))


def check_precision(precision: str) -> None:
    """Raise InputError unless the device can train in `precision`, a value of `train.precision`."""
    if precision == "fp32":
        return
    device = choose_device()
    if precision == "fp16" and device.type == "cpu":
        raise InputError("params.yaml: train.precision: fp16 needs a GPU; use bf16 or fp32")
    import torch

    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise InputError("params.yaml: train.precision: this GPU has no bf16; use fp16 or fp32")
