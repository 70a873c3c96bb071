"""Adapter to the Triton kernels of `mamba_ssm`, which is imported at the first call; no other file knows it."""

from functools import cache
from importlib.util import find_spec

from torch import Tensor

from damamba.console import InputError

INSTALL = "pip install 'damamba[cuda]'"
CHUNK_FRAMES = 256  # the kernels' own default


@cache
def available() -> bool:
    """Whether `mamba_ssm` is installed; nothing is imported."""
    return find_spec("mamba_ssm") is not None


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
) -> Tensor | tuple[Tensor, Tensor]:
    """`damamba.scan.ssd_scan` by `mamba_chunk_scan_combined`.

    Raises:
        InputError: `mamba_ssm` is absent, or `x` does not lie on a CUDA device.
    """
    if not available():
        raise InputError(f"scan backend 'cuda': mamba_ssm is not installed; run {INSTALL}, or use backend 'auto'")
    if x.device.type != "cuda":
        raise InputError(f"scan backend 'cuda': the tensors lie on {x.device}; move them, or use backend 'auto'")
    from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined  # pyright: ignore[reportMissingImports]

    return mamba_chunk_scan_combined(
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
