"""The short causal convolution in front of the scan: each channel sees its own last few frames."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


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
    # As an image of one line with channels last, which is how x lies in memory: conv1d would transpose it, and is half
    # as fast on a CPU.
    image = padded[:, None].permute(0, 3, 1, 2)
    y = F.conv2d(image, weight[:, :, None], bias, groups=weight.shape[0]).permute(0, 2, 3, 1).squeeze(1)
    return y, padded[:, padded.shape[1] - history :]
