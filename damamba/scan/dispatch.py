"""`ssd_scan` and `ssd_step`: what all backends have in common, and the choice between them."""

import logging
import math
from functools import cache
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from damamba.scan import cuda
from damamba.scan.chunked import chunked_scan
from damamba.scan.reference import reference_scan, reference_step

Backend = Literal["auto", "reference", "torch", "mamba_ssm"]
logger = logging.getLogger(__name__)


def ssd_scan(
    x: Float[Tensor, "batch length heads headdim"],
    dt: Float[Tensor, "batch length heads"],
    A: Float[Tensor, "heads"],
    B: Float[Tensor, "batch length groups d_state"],
    C: Float[Tensor, "batch length groups d_state"],
    *,
    D: Float[Tensor, "heads"] | None = None,
    dt_bias: Float[Tensor, "heads"] | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = (0.0, math.inf),
    initial_state: Float[Tensor, "batch heads headdim d_state"] | None = None,
    return_final_state: bool = False,
    chunk_size: int | None = None,
    backend: Backend = "auto",
) -> (
    Float[Tensor, "batch length heads headdim"]
    | tuple[Float[Tensor, "batch length heads headdim"], Float[Tensor, "batch heads headdim d_state"]]
):
    """Run the recurrence over a sequence (glossary: `damamba.scan`).

    Args:
        x: Input.
        dt: Step sizes, before `dt_bias` and softplus where those are asked for.
        A: Decay rates, negative.
        B: Write vectors; `heads` is a multiple of `groups`.
        C: Read vectors.
        D: Skip connection; None for none.
        dt_bias: Added to `dt`.
        dt_softplus: Make `dt` positive by softplus, after the bias.
        dt_limit: `dt` is clamped to this, last.
        initial_state: State before the first frame; None is zero.
        return_final_state: Return the state after the last frame too (it costs time).
        chunk_size: Frames of a chunk; the result does not depend on it. None chooses.
        backend: `reference`, the loop that defines the result; `torch`, plain PyTorch on any device; `mamba_ssm`, the
            Triton kernels of that package; `auto`, the last where `x` lies on a CUDA device and it can be imported,
            else `torch`.

    Returns:
        y, or (y, final state).

    Raises:
        InputError: `backend="mamba_ssm"` where that is not installed, or for a tensor that is not on a CUDA device.
    """
    if backend == "auto":
        backend = _choose(x.device.type)
    if backend == "mamba_ssm":
        cuda.require(x.device)
        return cuda.cuda_scan(
            x, dt, A, B, C, D, dt_bias, dt_softplus, dt_limit, initial_state, return_final_state, chunk_size
        )
    dt = _step_size(dt, dt_bias, dt_softplus, dt_limit)
    if backend == "reference":
        y, state = reference_scan(x, dt, A, B, C, initial_state)
    else:
        y, state = chunked_scan(x, dt, A, B, C, initial_state, return_final_state, chunk_size)
    if D is not None:
        y = y + D[:, None] * x
    if not return_final_state:
        return y
    assert state is not None
    return y, state


def ssd_step(
    state: Float[Tensor, "batch heads headdim d_state"],
    x: Float[Tensor, "batch heads headdim"],
    dt: Float[Tensor, "batch heads"],
    A: Float[Tensor, "heads"],
    B: Float[Tensor, "batch groups d_state"],
    C: Float[Tensor, "batch groups d_state"],
    *,
    D: Float[Tensor, "heads"] | None = None,
    dt_bias: Float[Tensor, "heads"] | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = (0.0, math.inf),
) -> tuple[Float[Tensor, "batch heads headdim"], Float[Tensor, "batch heads headdim d_state"]]:
    """One frame of `ssd_scan`: (y, next state); `state` itself is left as it is."""
    dt = _step_size(dt, dt_bias, dt_softplus, dt_limit)
    y, state = reference_step(state, x, dt, A, B, C)
    return (y if D is None else y + D[:, None] * x), state


def _step_size(dt: Tensor, bias: Tensor | None, softplus: bool, limit: tuple[float, float]) -> Tensor:
    if bias is not None:
        dt = dt + bias
    if softplus:
        dt = F.softplus(dt)
    return dt if limit == (0.0, math.inf) else dt.clamp(*limit)


def _choose(device: str) -> Literal["torch", "mamba_ssm"]:
    if device != "cuda":
        return "torch"
    if cuda.kernel():
        return "mamba_ssm"
    _log_fallback()
    return "torch"


@cache
def _log_fallback() -> None:
    """Once a process: a slow path must be seen, but not at every call."""
    logger.warning("mamba_ssm cannot be imported: the scan runs in plain PyTorch; faster on this GPU: %s", cuda.INSTALL)
