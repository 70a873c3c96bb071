"""The short causal convolution in front of the scan: each channel sees its own last few frames."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def causal_conv(
    x: Float[Tensor, "batch length channels"],
    weight: Float[Tensor, "channels 1 taps"],
    bias: Float[Tensor, "channels"],
    *,
    valid: Bool[Tensor, "batch length"] | None = None,
    state: Float[Tensor, "batch history channels"] | None = None,
) -> tuple[Float[Tensor, "batch length channels"], Float[Tensor, "batch history channels"]]:
    """Depthwise convolution over the current and the past frames.

    Args:
        x: Input.
        weight: As in `torch.nn.Conv1d(channels, channels, taps, groups=channels)`; the last tap is the current frame.
        bias: Added.
        valid: False where a frame counts as 0; None: everywhere True.
        state: The taps - 1 frames before the first; None is zero.

    Returns:
        (output, the last taps - 1 input frames, which continue the sequence).
    """
    return _DepthwiseConvolution.apply(x, weight.squeeze(1), bias, valid, state)


class _DepthwiseConvolution(torch.autograd.Function):
    """One multiply-add a tap, channels last: three times as fast on a CPU as `conv1d`, which wants channels first."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, valid: Tensor | None, state: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        (batch, length, channels), taps = x.shape, weight.shape[1]
        history = taps - 1
        padded = x.new_empty(batch, history + length, channels)
        padded[:, :history] = 0 if state is None else state
        if valid is None:
            padded[:, history:] = x
        else:
            torch.mul(x, valid[..., None], out=padded[:, history:])
        y = torch.addcmul(bias, padded[:, :length], weight[:, 0])
        for tap in range(1, taps):
            y.addcmul_(padded[:, tap : tap + length], weight[:, tap])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(padded, weight, valid)
        ctx.has_state = state is not None
        return y, padded[:, length:].clone()

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor | None, grad_last: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        padded, weight, valid = ctx.saved_tensors
        history = weight.shape[1] - 1
        length = padded.shape[1] - history
        grad_padded = torch.zeros_like(padded)
        grad_weight, grad_bias = torch.zeros_like(weight), padded.new_zeros(padded.shape[2])
        if grad_y is not None:
            for tap in range(history + 1):
                grad_padded[:, tap : tap + length].addcmul_(grad_y, weight[:, tap])
                grad_weight[:, tap] = (grad_y * padded[:, tap : tap + length]).sum((0, 1))
            grad_bias = grad_y.sum((0, 1))
        if grad_last is not None:
            grad_padded[:, length:] += grad_last
        grad_x = grad_padded[:, history:]
        if valid is not None:
            grad_x = grad_x * valid[..., None]
        return grad_x, grad_weight, grad_bias, None, grad_padded[:, :history] if ctx.has_state else None
