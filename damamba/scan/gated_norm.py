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
        by_group = weight.unflatten(0, (groups, -1))
        out = torch.empty_like(y, memory_format=torch.contiguous_format)
        for y_tile, z_tile, out_tile in _tiles(groups, y, z, out):
            gated = F.silu(z_tile).mul_(y_tile)
            torch.mul(gated.mul_(_scale(gated)), by_group, out=out_tile)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        y, z, weight = ctx.saved_tensors
        by_group = weight.unflatten(0, (ctx.groups, -1))
        grad_y, grad_z = (torch.empty_like(grad, memory_format=torch.contiguous_format) for _ in range(2))
        grad_weight = torch.zeros_like(by_group)
        for grad_tile, y_tile, z_tile, grad_y_tile, grad_z_tile in _tiles(ctx.groups, grad, y, z, grad_y, grad_z):
            gate = F.silu(z_tile)
            normed = gate * y_tile
            scale = _scale(normed)
            normed.mul_(scale)
            along = grad_tile * normed
            grad_weight += along.sum(0)
            # d gated = scale (g - normed mean(g ∘ normed)), with g = grad ∘ weight
            mean = _mean(along.mul_(by_group))
            grad_gated = torch.mul(grad_tile, by_group, out=along).sub_(normed.mul_(mean)).mul_(scale)
            torch.mul(grad_gated, gate, out=grad_y_tile)
            grad_z_tile.copy_(torch.ops.aten.silu_backward(grad_gated.mul_(y_tile), z_tile))
        return grad_y, grad_z, grad_weight.flatten(), None


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
