"""`ssd_scan`, `ssd_extend` and `ssd_step`: what the backends share, and the choice between them."""

import logging
import math
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from damamba.scan import cuda
from damamba.scan.chunked import chunked_scan
from damamba.scan.exported import exported_scan
from damamba.scan.reference import reference_scan, reference_step

Backend = Literal["auto", "reference", "torch", "mamba_ssm", "exported"]
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
    chunk_size: int | None = None,
    backend: Backend = "auto",
) -> Float[Tensor, "batch length heads headdim"]:
    """Run the recurrence over whole sequences, from a zero state (symbols: `damamba.scan`).

    Args:
        x: Input.
        dt: Step sizes, before `dt_bias` and softplus.
        A: Decay rates, negative.
        B: Write vectors; `heads` is a multiple of `groups`.
        C: Read vectors.
        D: Skip connection; None means none.
        dt_bias: Added to `dt`; None means none.
        dt_softplus: Apply softplus to `dt`, after the bias.
        dt_limit: `dt` is clamped to this range, last.
        chunk_size: Frames of a chunk; it changes the speed and not the result. None picks a good size.
        backend: `reference`, the loop that defines the result; `torch`, plain PyTorch on any device; `mamba_ssm`, the
            Triton kernels of that package; `exported`, a loop that `torch.export` keeps as one; `auto`, that loop while
            a model is exported, else those kernels if `x` is on a CUDA device and the package can be imported, else
            `torch`.

    Raises:
        InputError: `backend="mamba_ssm"` without that package, or with a tensor that is not on a CUDA device.
    """
    y, _ = _scan(x, dt, A, B, C, D, dt_bias, dt_softplus, dt_limit, None, False, chunk_size, backend)
    return y


def ssd_extend(
    x: Float[Tensor, "batch length heads headdim"],
    dt: Float[Tensor, "batch length heads"],
    A: Float[Tensor, "heads"],
    B: Float[Tensor, "batch length groups d_state"],
    C: Float[Tensor, "batch length groups d_state"],
    *,
    initial_state: Float[Tensor, "batch heads headdim d_state"] | None = None,
    D: Float[Tensor, "heads"] | None = None,
    dt_bias: Float[Tensor, "heads"] | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = (0.0, math.inf),
    chunk_size: int | None = None,
    backend: Backend = "auto",
) -> tuple[Float[Tensor, "batch length heads headdim"], Float[Tensor, "batch heads headdim d_state"]]:
    """`ssd_scan` over the next frames of sequences: (y, state after the last frame).

    Pieces of a sequence, each continued from the state of the one before, give what one `ssd_scan` over the whole
    sequence gives. Computing the state costs time.

    Args:
        x: Input; this and all that is not listed here: as in `ssd_scan`.
        initial_state: State before the first frame; None means zero.
    """
    if backend == "auto" and x.shape[1] == 1 and not torch.compiler.is_exporting():
        backend = "reference"  # chunks only cost time
    y, state = _scan(x, dt, A, B, C, D, dt_bias, dt_softplus, dt_limit, initial_state, True, chunk_size, backend)
    assert state is not None
    return y, state


def _scan(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    dt_bias: Tensor | None,
    dt_softplus: bool,
    dt_limit: tuple[float, float],
    initial_state: Tensor | None,
    return_final_state: bool,
    chunk_size: int | None,
    backend: Backend,
) -> tuple[Tensor, Tensor | None]:
    """(y, final state); the state may be None unless `return_final_state`."""
    if backend == "auto":
        backend = choose_backend(x.device.type)
    if backend == "mamba_ssm":
        cuda.require(x.device)
        return cuda.cuda_scan(
            x, dt, A, B, C, D, dt_bias, dt_softplus, dt_limit, initial_state, return_final_state, chunk_size
        )
    dt = step_size(dt, dt_bias, dt_softplus, dt_limit)
    if backend == "reference":
        y, state = reference_scan(x, dt, A, B, C, initial_state)
    elif backend == "exported":
        y, state = exported_scan(x, dt, A, B, C, initial_state)
    else:
        return chunked_scan(x, dt, A, B, C, D, initial_state, return_final_state, chunk_size)
    return (y if D is None else y + D[:, None] * x), state


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
    """One frame of `ssd_extend`: (y, next state); `state` is not modified."""
    dt = step_size(dt, dt_bias, dt_softplus, dt_limit)
    y, state = reference_step(state, x, dt, A, B, C)
    return (y if D is None else y + D[:, None] * x), state


def step_size(dt: Tensor, bias: Tensor | None, softplus: bool, limit: tuple[float, float]) -> Tensor:
    """`dt` with bias, softplus and limits applied, in this order."""
    if bias is not None:
        dt = dt + bias
    if softplus:
        dt = F.softplus(dt)
    return dt if limit == (0.0, math.inf) else dt.clamp(*limit)


def choose_backend(device: str) -> Literal["torch", "mamba_ssm", "exported"]:
    """The fastest backend for a type of device, such as `cuda`."""
    if torch.compiler.is_exporting():
        return "exported"
    if device != "cuda":
        return "torch"
    if cuda.kernel():
        return "mamba_ssm"
    log_fallback()
    return "torch"


@cache
def log_fallback() -> None:
    """Log the slow path once a process: the user must see it, but not at every call."""
    logger.warning("mamba_ssm cannot be imported: the scan runs in plain PyTorch; faster on this GPU: %s", cuda.INSTALL)
