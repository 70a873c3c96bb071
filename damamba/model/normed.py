"""Linear layers of a normalised input, which keep the input itself and compute its norm again in the backward pass."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def normed_linears(
    x: Float[Tensor, "*frames width"], norm: nn.LayerNorm, layers: list[nn.Linear]
) -> tuple[Float[Tensor, "*frames _"], ...]:
    """`layer(norm(x))` of each layer."""
    weights = [tensor for layer in layers for tensor in (layer.weight, layer.bias)]
    return _NormedLinears.apply(x, norm.weight, norm.bias, norm.eps, *weights)


class _NormedLinears(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, shift: Tensor, eps: float, *weights: Any) -> tuple[Tensor, ...]:
        u, mean, scale = torch.native_layer_norm(x, gain.shape, gain, shift, eps)
        ctx.save_for_backward(x, gain, shift, mean, scale, *weights)
        ctx.eps = eps
        return tuple(F.linear(u, weight, bias) for weight, bias in zip(weights[::2], weights[1::2], strict=True))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, gain, shift, mean, scale, *weights = ctx.saved_tensors
        u = torch.native_layer_norm(x, gain.shape, gain, shift, ctx.eps)[0].flatten(0, -2)
        grad_u, by_weight = torch.zeros_like(u), []
        for grad, weight, bias in zip(grads, weights[::2], weights[1::2], strict=True):
            rows = grad.flatten(0, -2)
            grad_u.addmm_(rows, weight)
            by_weight += [rows.T @ u, None if bias is None else rows.sum(0)]
        wanted = [True, True, True]
        grad_x, grad_gain, grad_shift = torch.ops.aten.native_layer_norm_backward(
            grad_u.view(x.shape), x, gain.shape, mean, scale, gain, shift, wanted
        )
        return grad_x, grad_gain, grad_shift, None, *by_weight
