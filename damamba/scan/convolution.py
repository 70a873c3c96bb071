"""The short causal convolution in front of the scan: each channel sees its own last few frames."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TILE_NUMBERS = 2**16  # of the input and of the gradient, which then stay in the cache from tap to tap


def causal_conv(
    x: Float[Tensor, "batch length channels"],
    weight: Float[Tensor, "channels 1 taps"],
    bias: Float[Tensor, "channels"],
    *,
    state: Float[Tensor, "batch history channels"] | None = None,
) -> tuple[Float[Tensor, "batch length channels"], Float[Tensor, "batch history channels"]]:
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
    padded = F.pad(x, (0, 0, history, 0)) if state is None else torch.cat((state, x), dim=1)
    if x.shape[1] == 1:  # a step of a stream: the call of a convolution would cost more than the frame
        y = (padded * weight[:, 0].T).sum(1, keepdim=True) + bias
    elif x.device.type == "cpu":
        y = _Convolution.apply(padded, weight, bias)
    else:
        y = _convolve(padded, weight, bias)
    return y, padded[:, padded.shape[1] - history :]


def _image(series: Tensor) -> Tensor:
    """(batch, length, channels) as an image of one line with channels last, which is how it lies in memory.

    conv1d would transpose it, and is half as fast on a CPU.
    """
    return series[:, None].permute(0, 3, 1, 2)


def _convolve(padded: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(_image(padded), weight[:, :, None], bias, groups=weight.shape[0]).permute(0, 2, 3, 1).squeeze(1)


class _Convolution(torch.autograd.Function):
    """`_convolve` whose gradient of the weights costs the same at any length.

    On a CPU that of the library takes most of the backward pass, five times as long for one long sequence as for as
    many frames in short ones.
    """

    @staticmethod
    def forward(ctx: Any, padded: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(padded, weight)
        return _convolve(padded, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        padded, weight = ctx.saved_tensors
        channels, _, taps = weight.shape
        grad_padded = _convolve(F.pad(grad, (0, 0, taps - 1, taps - 1)), weight.flip(-1), None)
        length = grad.shape[1]
        rows, frames = max(1, TILE_NUMBERS // (length * channels)), max(1, TILE_NUMBERS // channels)
        grad_taps = grad.new_zeros(taps, channels)
        for grad_rows, padded_rows in zip(grad.split(rows), padded.split(rows), strict=True):
            for start in range(0, length, frames):
                tile = grad_rows[:, start : start + frames]
                for tap in range(taps):
                    grad_taps[tap] += (padded_rows[:, start + tap :][:, : tile.shape[1]] * tile).sum((0, 1))
        return grad_padded, grad_taps.T[:, None], grad.sum((0, 1))
