"""Adapter to the Triton kernels of `mamba_ssm`; this file alone imports that package, at the first call."""

import os
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from damamba.console import InputError

INSTALL = "pip install 'mamba-ssm>=2.3' 'causal-conv1d>=1.5'"
CHUNK_FRAMES = 256  # the kernels' own default


@cache
def kernel() -> Callable[..., Tensor | tuple[Tensor, Tensor]] | None:
    """`mamba_chunk_scan_combined`; None if `mamba_ssm` is not installed, or was built for another torch.

    By default Triton rounds float32 to the ten bits of TF32 in every product, so scores would depend on the backend.
    Set TRITON_F32_DEFAULT=tf32 to trade that precision for speed.
    """
    os.environ.setdefault("TRITON_F32_DEFAULT", "ieee")
    try:
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return mamba_chunk_scan_combined


def require(device: torch.device) -> None:
    """Raise InputError unless the kernels can run on tensors on this device."""
    if kernel() is None:
        raise InputError(
            f"scan backend 'mamba_ssm': the package cannot be imported; run {INSTALL}, or use backend 'auto'"
        )
    if device.type != "cuda":
        raise InputError(
            f"scan backend 'mamba_ssm': the tensors are on {device}; move them to a CUDA device, or use backend 'auto'"
        )


def cuda_scan(
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
) -> tuple[Tensor, Tensor | None]:
    """(y, final state, or None unless `return_final_state`); call `require` first."""
    scan = kernel()
    assert scan is not None
    result = scan(
        x,
        dt,
        A,
        B,
        C,
        chunk_size or CHUNK_FRAMES,
        D=D,
        dt_bias=dt_bias,
        initial_states=initial_state,
        dt_softplus=dt_softplus,
        dt_limit=dt_limit,
        return_final_states=return_final_state,
    )
    return result if isinstance(result, tuple) else (result, None)
