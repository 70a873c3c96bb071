"""All of a Mamba-2 layer between its two projections, and the second of them, as one operation on a CPU.

Convolution, scan, gate and norm run over a few sequences at a time, whose intermediate results stay in the cache. For
the gradient it keeps what the first projection returned, what the scan returned and the states; as separate operations
they keep twice as much. Of the second direction, frames are read in reversed time and never copied into that order.

Source: Dao & Gu 2024, arXiv:2405.21060 (the layer); the fusion and its gradient are this project's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from damamba.scan.chunked import chunk_frames, scan_backward, scan_forward
from damamba.scan.convolution import sum_taps, tap_gradients
from damamba.scan.gated_norm import norm_backward, norm_forward

BLOCK_NUMBERS = 2**19  # of the convolution's output: so many stay in the cache until the norm


@dataclass(frozen=True)
class Mixing:
    """Sizes of a layer."""

    d_inner: int
    d_state: int
    heads: int
    directions: int
    """1, or 2 where the second half of each block of channels runs backwards in time."""


def mix(
    projected: Float[Tensor, "batch length channels"],
    valid: Bool[Tensor, "batch length"] | None,
    conv_weight: Float[Tensor, "conv_channels 1 taps"],
    conv_bias: Float[Tensor, "conv_channels"],
    dt_bias: Float[Tensor, "heads"],
    A: Float[Tensor, "heads"],
    D: Float[Tensor, "heads"],
    norm_weight: Float[Tensor, "d_inner"],
    out_weight: Float[Tensor, "d_model d_inner"],
    sizes: Mixing,
) -> Float[Tensor, "batch length d_model"]:
    """What a layer makes of its input after the first projection.

    Args:
        projected: z, x, B, C and dt side by side.
        valid: Where it is False, nothing is written to the state, which passes through unchanged; None: everywhere.
        conv_weight: Of x, B and C, the last tap being the current frame.
        conv_bias: Added to the convolution's output, before SiLU.
        dt_bias: Added to dt, before softplus.
        A: Decay rates, negative.
        D: Skip connection.
        norm_weight: Of the norm behind the gate, which is taken over the channels of a direction.
        out_weight: Of the second projection.
        sizes: How the channels are divided.
    """
    hidden = None if valid is None or valid.all() else ~valid[..., None]
    weights = conv_weight, conv_bias, dt_bias, A, D, norm_weight, out_weight
    return _Mixer.apply(projected, hidden, *weights, sizes, torch.is_grad_enabled())


@dataclass
class _Direction:
    """Columns of a direction, and its weights."""

    z: slice
    columns: list[slice]
    """In the projection."""
    channels: list[slice]
    """In the convolution."""
    inner: slice
    """In x, y and the norm."""
    heads: slice
    widths: list[int]
    backwards: bool

    def taps(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weight, in the order of time, and bias of the convolution."""
        own = torch.cat([weight[channels] for channels in self.channels])
        return own.flip(-1) if self.backwards else own, torch.cat([bias[channels] for channels in self.channels])

    def padded(self, projected: Tensor, hidden: Tensor | None, history: int) -> Tensor:
        """x, B and C with zeros before the first frame: (rows, length + history, channels)."""
        rows, length, _ = projected.shape
        padded = projected.new_empty(rows, length + history, sum(self.widths))
        empty, frames = self.ends(padded, history, self.backwards)
        empty.zero_()
        for columns, part in zip(self.columns, frames.split(self.widths, -1), strict=True):
            part.copy_(projected[..., columns])
        if hidden is not None:
            frames.masked_fill_(hidden, 0)
        return padded

    def before_activation(self, grads: tuple[Tensor, ...], before: Tensor, history: int) -> tuple[Tensor, Tensor]:
        """Gradient of the convolution's output, with zeros behind the last frame, and its frames alone."""
        rows, length, channels = before.shape
        padded = before.new_empty(rows, length + history, channels)
        empty, frames = self.ends(padded, history, not self.backwards)
        empty.zero_()
        for grad, x, out in zip(grads, *(series.split(self.widths, -1) for series in (before, frames)), strict=True):
            torch.ops.aten.silu_backward.grad_input(grad, x, grad_input=out)
        return padded, frames

    def scatter(self, grad_weight: Tensor, grad_bias: Tensor, by_tap: Tensor, by_channel: Tensor) -> None:
        """Put the gradients of the direction's taps, (taps, channels), and of its bias in their places."""
        by_tap = by_tap.flip(0) if self.backwards else by_tap
        for channels, taps, shift in zip(
            self.channels, by_tap.split(self.widths, -1), by_channel.split(self.widths), strict=True
        ):
            grad_weight[channels, 0], grad_bias[channels] = taps.T, shift

    @staticmethod
    def ends(padded: Tensor, history: int, at_end: bool) -> tuple[Tensor, Tensor]:
        """The empty frames at the beginning or at the end, and the others."""
        length = padded.shape[1] - history
        return (padded[:, length:], padded[:, :length]) if at_end else (padded[:, :history], padded[:, history:])


def _directions(sizes: Mixing) -> Iterator[_Direction]:
    n, inner, state = sizes.directions, sizes.d_inner, sizes.directions * sizes.d_state
    widths = [inner // n, sizes.d_state, sizes.d_state]
    for i in range(n):
        channels = [
            slice(start + i * width, start + (i + 1) * width)
            for start, width in zip((0, inner, inner + state), widths, strict=True)
        ]
        own = channels[0]
        xBC = [slice(inner + part.start, inner + part.stop) for part in channels]
        heads = slice(i * sizes.heads // n, (i + 1) * sizes.heads // n)
        yield _Direction(own, xBC, channels, own, heads, widths, backwards=bool(i))


class _Mixer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        hidden: Tensor | None,
        conv_weight: Tensor,
        conv_bias: Tensor,
        dt_bias: Tensor,
        A: Tensor,
        D: Tensor,
        norm_weight: Tensor,
        out_weight: Tensor,
        sizes: Mixing,
        keep: bool,
    ) -> Tensor:
        batch, length, _ = projected.shape
        chunk = chunk_frames(length, sizes.d_inner // sizes.heads, sizes.d_state)
        dt = _step_sizes(projected, hidden, dt_bias)
        normed = projected.new_empty(batch, length, sizes.d_inner)
        kept = []
        for own in _directions(sizes):
            taps = own.taps(conv_weight, conv_bias)
            for rows in _blocks(batch, length, own):
                padded = own.padded(projected[rows], _rows(hidden, rows), conv_weight.shape[-1] - 1)
                x, B, C = _split(F.silu(sum_taps(padded, *taps), inplace=True), own)
                scanned = x, dt[rows, :, own.heads], A[own.heads], B, C, D[own.heads]
                y, starts, _ = scan_forward(*scanned, chunk, backwards=own.backwards)
                norm_forward(
                    y.flatten(2), projected[rows, :, own.z], norm_weight[own.inner], normed[rows, :, own.inner]
                )
                if keep:
                    kept += [y, starts]
        weights = conv_weight, conv_bias, dt_bias, A, D, norm_weight, out_weight
        ctx.save_for_backward(projected, hidden, *weights, *kept)
        ctx.sizes, ctx.chunk = sizes, chunk
        return F.linear(normed, out_weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        projected, hidden, conv_weight, conv_bias, dt_bias, A, D, norm_weight, out_weight, *states = ctx.saved_tensors
        kept = iter(states)
        sizes: Mixing = ctx.sizes
        batch, length, _ = projected.shape
        taps_n = conv_weight.shape[-1]
        dt = _step_sizes(projected, hidden, dt_bias)
        grad_projected, grad_dt = torch.empty_like(projected), torch.empty_like(dt)
        grad_conv, grad_bias, grad_A, grad_D, grad_norm = (
            torch.zeros_like(weight) for weight in (conv_weight, conv_bias, A, D, norm_weight)
        )
        normed = grad @ out_weight  # the gradient; block by block, what was normed takes its place
        for own in _directions(sizes):
            taps = own.taps(conv_weight, conv_bias)
            grad_taps, grad_shift = torch.zeros_like(taps[0][:, 0].T), torch.zeros_like(taps[1])
            for rows in _blocks(batch, length, own):
                y, starts = next(kept), next(kept)
                grad_y, by_weight = norm_backward(
                    normed[rows, :, own.inner],
                    y.flatten(2),
                    projected[rows, :, own.z],
                    norm_weight[own.inner],
                    grad_projected[rows, :, own.z],
                    normed=normed[rows, :, own.inner],
                )
                grad_norm[own.inner] += by_weight
                hidden_rows = _rows(hidden, rows)
                padded = own.padded(projected[rows], hidden_rows, taps_n - 1)
                before = sum_taps(padded, *taps)
                x, B, C = _split(F.silu(before), own)
                scanned = x, dt[rows, :, own.heads], A[own.heads], B, C, D[own.heads]
                grad_x, grad_dt[rows, :, own.heads], by_A, grad_B, grad_C, by_D, _ = scan_backward(
                    grad_y.view(x.shape), *scanned, starts, ctx.chunk, backwards=own.backwards
                )
                assert by_D is not None
                grad_A[own.heads] += by_A
                grad_D[own.heads] += by_D
                grads = grad_x.flatten(2), grad_B[:, :, 0], grad_C[:, :, 0]
                grad_padded, grad_frames = own.before_activation(grads, before, taps_n - 1)
                grad_taps += tap_gradients(padded, grad_frames, taps_n)
                grad_shift += grad_frames.sum((0, 1))
                grad_xBC = sum_taps(grad_padded, taps[0].flip(-1), None)
                if hidden_rows is not None:
                    grad_xBC.masked_fill_(hidden_rows, 0)
                for columns, part in zip(own.columns, grad_xBC.split(own.widths, -1), strict=True):
                    grad_projected[rows, :, columns] = part
            own.scatter(grad_conv, grad_bias, grad_taps, grad_shift)
        grad_out = grad.flatten(0, 1).T @ normed.flatten(0, 1)
        slopes = _step_slopes(projected, hidden, dt_bias).mul_(grad_dt)
        grad_projected[..., -sizes.heads :] = slopes
        return (
            grad_projected,
            None,
            grad_conv,
            grad_bias,
            slopes.sum((0, 1)),
            grad_A,
            grad_D,
            grad_norm,
            grad_out,
            None,
            None,
        )


def _blocks(batch: int, length: int, own: _Direction) -> Iterator[slice]:
    rows = max(1, BLOCK_NUMBERS // (length * sum(own.widths)))
    for start in range(0, batch, rows):
        yield slice(start, min(start + rows, batch))


def _rows(hidden: Tensor | None, rows: slice) -> Tensor | None:
    return None if hidden is None else hidden[rows]


def _split(xBC: Tensor, own: _Direction) -> tuple[Tensor, Tensor, Tensor]:
    """x, B and C of a direction, as the scan takes them."""
    x, B, C = xBC.split(own.widths, dim=-1)
    return x.unflatten(-1, (own.heads.stop - own.heads.start, -1)), B[:, :, None], C[:, :, None]


def _step_sizes(projected: Tensor, hidden: Tensor | None, bias: Tensor) -> Tensor:
    dt = F.softplus(projected[..., -bias.shape[0] :] + bias)
    return dt if hidden is None else dt.masked_fill_(hidden, 0)


def _step_slopes(projected: Tensor, hidden: Tensor | None, bias: Tensor) -> Tensor:
    """Derivative of `_step_sizes` with respect to the bias."""
    slopes = torch.sigmoid(projected[..., -bias.shape[0] :] + bias)
    return slopes if hidden is None else slopes.masked_fill_(hidden, 0)
