"""The short causal convolution in front of the scan: each channel sees its own last few frames."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def causal_conv(
    x: Float[Tensor, "batch length channels"],
    weight: Float[Tensor, "channels 1 taps"],
    bias: Float[Tensor, "channels"],
    *,
    state: Float[Tensor, "batch taps-1 channels"] | None = None,
) -> tuple[Float[Tensor, "batch length channels"], Float[Tensor, "batch taps-1 channels"]]:
    """Depthwise convolution over the current and the past frames.

    Args:
        x: Input.
        weight: As in `torch.nn.Conv1d(channels, channels, taps, groups=channels)`; the last tap is the current frame.
        bias: Added.
        state: The taps - 1 frames before the first; None is zero.

    Returns:
        (output, the last taps - 1 input frames, which continue the sequence).
    """
    history = weight.shape[-1] - 1
    if state is None:
        padded = F.pad(x, (0, 0, history, 0))
    else:
        padded = torch.cat((state, x), dim=1)
    y = _DepthwiseConvolution.apply(padded, weight.squeeze(1), bias)
    return y, padded[:, padded.shape[1] - history :]


class _DepthwiseConvolution(torch.autograd.Function):
    """One multiply-add a tap, channels last: three times as fast on a CPU as `conv1d`, which wants channels first."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(padded, weight)
        taps = weight.shape[1]
        length = padded.shape[1] - taps + 1
        y = torch.addcmul(bias, padded[:, :length], weight[:, 0])
        for tap in range(1, taps):
            y.addcmul_(padded[:, tap : tap + length], weight[:, tap])
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        padded, weight = ctx.saved_tensors
        taps = weight.shape[1]
        length = grad_y.shape[1]
        grad_padded = torch.zeros_like(padded)
        for tap in range(taps):
            grad_padded[:, tap : tap + length].addcmul_(grad_y, weight[:, tap])
        grad_weight = torch.stack([(grad_y * padded[:, tap : tap + length]).sum((0, 1)) for tap in range(taps)], dim=1)
        return grad_padded, grad_weight, grad_y.sum((0, 1))
