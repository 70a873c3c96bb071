"""The gate and norm after the scan, in one operation that keeps only its inputs for the gradient.

As separate operations on a CPU, gate and norm take as long as the scan, since each of them reads and writes main
memory, and they keep three more series of the inner width.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TILE_NUMBERS = 2**18  # of each series, on a CPU: intermediate results of such a tile stay in the cache
EPSILON = 1e-5


def gated_rms_norm(
    y: Float[Tensor, "batch length channels"],
    z: Float[Tensor, "batch length channels"],
    weight: Float[Tensor, "channels"],
    groups: int,
) -> Float[Tensor, "batch length channels"]:
    """norm(y ∘ silu(z)) ∘ weight, for each frame and each group of channels separately.

    Source: `RMSNormGated` of `mamba_ssm`, with the norm after the gate.
    """
    # a step of a stream, where calls cost more than computing; and a graph, which has no tiles
    if y.shape[1] == 1 or torch.compiler.is_exporting():
        gated = (y * F.silu(z)).unflatten(-1, (groups, -1))
        return (gated * _scale(gated)).flatten(-2) * weight
    return _GatedRMSNorm.apply(y, z, weight, groups)


class _GatedRMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, z: Tensor, weight: Tensor, groups: int) -> Tensor:
        ctx.save_for_backward(y, z, weight)
        ctx.groups = groups
        out = torch.empty_like(y, memory_format=torch.contiguous_format)
        norm_forward(y, z, weight, out, groups)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        y, z, weight = ctx.saved_tensors
        grad_z = torch.empty_like(grad, memory_format=torch.contiguous_format)
        grad_y, grad_weight = norm_backward(grad, y, z, weight, grad_z, ctx.groups)
        return grad_y, grad_z, grad_weight, None


def norm_forward(y: Tensor, z: Tensor, weight: Tensor, out: Tensor, groups: int = 1) -> None:
    """`gated_rms_norm` into `out`, outside of autograd."""
    by_group = weight.unflatten(0, (groups, -1))
    for y_tile, z_tile, out_tile in _tiles(groups, y, z, out):
        gated = F.silu(z_tile).mul_(y_tile)
        torch.mul(gated.mul_(_scale(gated)), by_group, out=out_tile)


def norm_backward(
    grad: Tensor,
    y: Tensor,
    z: Tensor,
    weight: Tensor,
    grad_z: Tensor,
    groups: int = 1,
    normed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Gradients of y and of the weight, from that of `gated_rms_norm`.

    Args:
        grad: Gradient of the result.
        y, z, weight: As in `gated_rms_norm`.
        grad_z: Takes the gradient of z.
        groups: As in `gated_rms_norm`.
        normed: Takes the result of `gated_rms_norm`, if it is wanted again; may be `grad`.
    """
    by_group = weight.unflatten(0, (groups, -1))
    grad_y = torch.empty_like(y, memory_format=torch.contiguous_format)
    grad_weight = torch.zeros_like(by_group)
    series = [grad, y, z, grad_y, grad_z, *([] if normed is None else [normed])]
    for grad_tile, y_tile, z_tile, grad_y_tile, grad_z_tile, *normed_tile in _tiles(groups, *series):
        gate = F.silu(z_tile)
        unweighted = gate * y_tile
        scale = _scale(unweighted)
        unweighted.mul_(scale)
        along = grad_tile * unweighted
        grad_weight += along.sum(0)
        # d gated = scale (g - unweighted mean(g ∘ unweighted)), with g = grad ∘ weight
        mean = _mean(along.mul_(by_group))
        grad_gated = torch.mul(grad_tile, by_group, out=along)
        for tile in normed_tile:
            torch.mul(unweighted, by_group, out=tile)
        grad_gated.sub_(unweighted.mul_(mean)).mul_(scale)
        torch.mul(grad_gated, gate, out=grad_y_tile)
        grad_z_tile.copy_(torch.ops.aten.silu_backward(grad_gated.mul_(y_tile), z_tile))
    return grad_y, grad_weight.flatten()


def _tiles(groups: int, *series: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Views of a tile of each series, as (frames, groups, channels of a group)."""
    frames = [tensor.flatten(0, 1).unflatten(1, (groups, -1)) for tensor in series]
    size = max(1, TILE_NUMBERS // series[0].shape[-1]) if series[0].device.type == "cpu" else len(frames[0])
    return zip(*(tensor.split(size) for tensor in frames), strict=True)


def _scale(gated: Tensor) -> Tensor:
    """1 / root mean square of each group: (…, groups, 1)."""
    return torch.rsqrt(_mean(gated * gated) + EPSILON)


def _mean(series: Tensor) -> Tensor:
    return series.mean(-1, keepdim=True)
