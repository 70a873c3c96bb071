"""The short causal convolution before the scan: each channel sees its own last few frames."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TILE_NUMBERS = 2**18  # of the input and of the gradient: such a tile stays in the cache from tap to tap


def causal_conv(
    x: Float[Tensor, "batch length channels"],
    weight: Float[Tensor, "channels 1 taps"],
    bias: Float[Tensor, "channels"],
    *,
    state: Float[Tensor, "batch history channels"] | None = None,
    activation: Literal["silu"] | None = None,
) -> tuple[Float[Tensor, "batch length channels"], Float[Tensor, "batch history channels"]]:
    """Depthwise convolution over the current and the past frames.

    Args:
        x: Input.
        weight: As in `torch.nn.Conv1d(channels, channels, taps, groups=channels)`; the last tap is the current frame.
        bias: Added to the output.
        state: The taps - 1 input frames before the first; None means zeros.
        activation: Applied to the output. Applied here, its input is not kept for the gradient on a CPU.

    Returns:
        (output, state after the last frame). The state is a view of the last taps - 1 input frames, not a copy.
    """
    history, length = weight.shape[-1] - 1, x.shape[1]
    known = x if state is None else torch.cat((state, x), dim=1)
    if state is not None and length == 1:  # a step of a stream, where calling a convolution would cost more
        y = _activate((known * weight[:, 0].T).sum(1, keepdim=True) + bias, activation)
    elif x.device.type == "cpu" and not torch.compiler.is_exporting():
        y = _Convolution.apply(known, weight, bias, activation)
    else:
        y = _activate(_convolve(known, weight, bias), activation)
    if y.shape[1] > length:
        y = y[:, y.shape[1] - length :]
    if torch.compiler.is_exporting():
        known = _after_zeros(known, history)  # whatever the length
    elif known.shape[1] < history:
        known = _after_zeros(known, history - known.shape[1])
    return y, known[:, known.shape[1] - history :]


def _after_zeros(series: Tensor, frames: int) -> Tensor:
    return F.pad(series, (0, 0, frames, 0))


def _image(series: Tensor) -> Tensor:
    """(batch, length, channels) as an image of one line, channels last: the order in memory does not change.

    conv1d would transpose the data, and is half as fast on a CPU.
    """
    return series[:, None].permute(0, 3, 1, 2)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The convolution of `x` with zeros before it."""
    return sum_taps(_after_zeros(x, weight.shape[-1] - 1), weight, bias)


def sum_taps(padded: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The convolution of a series that already begins with taps - 1 further frames, outside of autograd."""
    return F.conv2d(_image(padded), weight[:, :, None], bias, groups=weight.shape[0]).permute(0, 2, 3, 1).squeeze(1)


def _activate(y: Tensor, activation: str | None) -> Tensor:
    return y if activation is None else F.silu(y)


class _Convolution(torch.autograd.Function):
    """The convolution on a CPU: it keeps only its inputs, and a frame costs as much in long sequences as in short ones.

    PyTorch's own gradient of the weights takes most of the backward pass on a CPU. For one long sequence it takes five
    times as long as for the same number of frames in short sequences.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, activation: str | None) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        ctx.activation = activation
        y = _convolve(x, weight, bias)
        return y if activation is None else F.silu(y, inplace=True)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight, bias = ctx.saved_tensors
        taps = weight.shape[-1]
        if ctx.activation is not None:
            grad = torch.ops.aten.silu_backward(grad, _convolve(x, weight, bias))
        grad_x = sum_taps(F.pad(grad, (0, 0, 0, taps - 1)), weight.flip(-1), None)
        grad_taps = tap_gradients(_after_zeros(x, taps - 1), grad, taps)
        return grad_x, grad_taps.T[:, None], grad.sum((0, 1)), None


def tap_gradients(padded: Tensor, grad: Tensor, taps: int) -> Tensor:
    """(taps, channels) gradient of the taps from that of `sum_taps`'s result."""
    _, length, channels = grad.shape
    rows, frames = max(1, TILE_NUMBERS // (length * channels)), max(1, TILE_NUMBERS // channels)
    grad_taps = grad.new_zeros(taps, channels)
    for grad_rows, x_rows in zip(grad.split(rows), padded.split(rows), strict=True):
        for start in range(0, length, frames):
            by = grad_rows[:, start : start + frames]
            for tap in range(taps):
                grad_taps[tap] += (x_rows[:, start + tap : start + tap + by.shape[1]] * by).sum((0, 1))
    return grad_taps
