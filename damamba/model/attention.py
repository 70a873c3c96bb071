"""Attention inside chunks, inside a band of time, and over everything, with relative positions (RoPE).

Each softmax has one key more than there are frames: the null key, zero with value zero. Where no frame is valid, all
attention goes there and nothing is added, so that masks need no special case and an absent partner adds nothing.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from damamba.console import InputError
from damamba.model.precision import fusible
from damamba.model.recompute import Block
from damamba.model.stream_state import Memory

BLOCK_NUMBERS = 2**20  # of queries, keys and values, on a CPU: what is computed at a time
MIN_BAND_BLOCK = 16  # frames; smaller blocks of queries cost more calls than they save


def rotate(
    x: Float[Tensor, "batch length heads headdim"], positions: Int[Tensor, "length"]
) -> Float[Tensor, "batch length heads headdim"]:
    """Rotary positions: the product of two rotated vectors depends only on the difference of their positions.

    Angles are computed in float64, so that a stream can run for days, and on the CPU, where `positions` are: not every
    device has float64, and reading positions back from a device would wait for it.

    Source: Su et al. 2021, arXiv:2104.09864.
    """
    angles = _angles(positions, x.shape[-1])
    if torch.compiler.is_exporting():  # ONNX has no complex numbers; the rest of a turn is exact in float32
        angles = (angles % (2 * math.pi)).float()
        along, across = x.unflatten(-1, (-1, 2)).unbind(-1)
        cos, sin = angles.cos(), angles.sin()
        return torch.stack((along * cos - across * sin, along * sin + across * cos), dim=-1).flatten(-2)
    return _turn(x, _turns(angles, x.device))


def _angles(positions: Tensor, headdim: Any) -> Tensor:
    half = headdim // 2  # an int; a tensor while the step of a stream is traced
    return positions[:, None, None] * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)


def _turns(angles: Tensor, device: torch.device) -> Tensor:
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64).to(device, non_blocking=True)


def _turn(x: Tensor, turns: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


def attend(
    query: Float[Tensor, "batch heads queries headdim"],
    key: Float[Tensor, "batch heads keys headdim"],
    value: Float[Tensor, "batch heads keys headdim"],
    visible: Bool[Tensor, "#batch #heads #queries keys"],
) -> Float[Tensor, "batch heads queries headdim"]:
    """Softmax attention to the visible keys and the null key."""
    key, value = (F.pad(side, (0, 0, 0, 1)) for side in (key, value))
    return F.scaled_dot_product_attention(query, key, value, attn_mask=F.pad(visible, (0, 1), value=True))


def chunk_attention(
    query: Float[Tensor, "batch length heads headdim"],
    key: Float[Tensor, "batch length heads headdim"],
    value: Float[Tensor, "batch length heads headdim"],
    valid: Bool[Tensor, "batch length"],
    chunk: int,
) -> Float[Tensor, "batch length heads headdim"]:
    """Every frame sees the frames of its own chunk."""
    batch, length = valid.shape
    exporting = torch.compiler.is_exporting()  # then lengths are not known
    chunk = chunk if exporting else min(chunk, length)
    padding = (length + chunk - 1) // chunk * chunk - length
    if exporting or padding:  # padding by nothing would still copy everything
        query, key, value = (F.pad(series, (0, 0, 0, 0, 0, padding)) for series in (query, key, value))
        valid = F.pad(valid, (0, padding))
    query, key, value = (series.reshape(-1, chunk, *series.shape[2:]).transpose(1, 2) for series in (query, key, value))
    visible = valid.reshape(-1, 1, 1, chunk)
    y = attend(query, key, value, visible)
    return y.transpose(1, 2).reshape(batch, length + padding, *y.shape[1:2], y.shape[3])[:, :length]


def band_attention(
    query: Float[Tensor, "batch length heads headdim"],
    key: Float[Tensor, "batch partners keys heads headdim"],
    value: Float[Tensor, "batch partners keys heads headdim"],
    valid: Bool[Tensor, "batch partners keys"],
    past: int,
    future: int,
) -> Float[Tensor, "batch length heads headdim"]:
    """Every frame sees the frames of all partners from `past` frames before to `future` frames after it.

    Queries are processed in blocks, each with the keys around it, so that cost and memory are linear in length. Keys
    start `past` frames before the queries.
    """
    batch, length, heads, headdim = query.shape
    block = max(past + future, MIN_BAND_BLOCK)
    if not torch.compiler.is_exporting():  # where lengths are not known
        block = min(length, block)
    n_blocks = (length + block - 1) // block
    seen = past + block + future
    padding = n_blocks * block - length

    def cut(series: Tensor) -> Tensor:
        series = F.pad(series, (0, 0, 0, 0, 0, padding + future)).unfold(2, seen, block)
        return series.permute(0, 2, 3, 1, 5, 4).reshape(batch * n_blocks, heads, -1, headdim)

    near = F.pad(valid, (0, padding + future)).unfold(2, seen, block).transpose(1, 2)[:, :, None]
    offset = torch.arange(seen, device=query.device) - past - torch.arange(block, device=query.device)[:, None]
    band = (offset >= -past) & (offset <= future)
    visible = (near & band[:, None]).flatten(3).flatten(0, 1)[:, None]
    blocks = F.pad(query, (0, 0, 0, 0, 0, padding)).reshape(-1, block, heads, headdim).transpose(1, 2)
    y = attend(blocks, cut(key), cut(value), visible)
    return y.transpose(1, 2).reshape(batch, -1, heads, headdim)[:, :length]


class AttentionState(NamedTuple):
    """Keys and values of the last frames of a stream, oldest first."""

    key: Float[Tensor, "batch partners past heads headdim"]
    value: Float[Tensor, "batch partners past heads headdim"]
    valid: Bool[Tensor, "batch partners past"]
    frames: int
    """Frames of the stream so far."""

    @classmethod
    def empty(cls, like: Float[Tensor, "batch partners length heads headdim"], past: int) -> "AttentionState":
        """Before the first frame: nothing valid."""
        batch, partners, _, heads, headdim = like.shape
        frames = like.new_zeros(batch, partners, past, heads, headdim)
        return cls(frames, frames, frames.new_zeros(batch, partners, past, dtype=torch.bool), 0)

    def append(self, key: Tensor, value: Tensor, valid: Tensor) -> "AttentionState":
        """History followed by further frames, the keys of `band_attention`."""
        return AttentionState(
            torch.cat((self.key, key), dim=2),
            torch.cat((self.value, value), dim=2),
            torch.cat((self.valid, valid), dim=2),
            self.frames + key.shape[2],
        )

    def last(self, past: int) -> "AttentionState":
        """The frames that later ones can still see; copied, so that the rest can be freed."""
        start = self.key.shape[2] - past
        key, value, valid = (series[:, :, start:].clone() for series in (self.key, self.value, self.valid))
        return AttentionState(key, value, valid, self.frames)


class SelfAttention(nn.Module):
    """Projections around an attention of a sequence to itself.

    Args:
        d_model: Width.
        n_heads: Heads; each has an even number of channels.
        reach: How many frames a frame sees: those of its chunk of this length or, if causal, itself and the frames
            before it, this many in all; None: all frames.
        causal: A frame sees only itself and the past.
    """

    def __init__(self, d_model: int, n_heads: int, reach: int | None, causal: bool) -> None:
        super().__init__()
        check_heads(d_model, n_heads)
        self.n_heads, self.reach, self.causal = n_heads, reach, causal
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)

    def forward(
        self,
        x: Float[Tensor, "batch length d_model"],
        valid: Bool[Tensor, "batch length"],
        memory: Memory | None = None,
        positions: Int[Tensor, "length"] | None = None,
    ) -> Float[Tensor, "batch length d_model"]:
        """Whole sequences; with a memory, the next frames of streams.

        Give `positions` (on the CPU) where they do not count from 0.
        """
        if memory is not None:
            y, memory[self] = self.extend(x, valid, memory.get(self))
            return y
        if self.reach is not None and self.causal:
            return self.extend(x, valid, None)[0]
        if positions is None:
            positions = torch.arange(x.shape[1])
        if self.reach is not None and fusible(x):
            return self.within_chunks(self.qkv(x), valid, positions)
        query, key, value = self._project(x, positions)
        if self.reach is not None:
            y = chunk_attention(query, key, value, valid, self.reach)
        else:
            visible = valid[:, None, None]
            if self.causal:
                instants = positions.to(visible.device, non_blocking=True)
                visible = visible & (instants <= instants[:, None])
            query, key, value = (side.transpose(1, 2) for side in (query, key, value))
            y = attend(query, key, value, visible).transpose(1, 2)
        return self.out(y.flatten(2))

    def within_chunks(
        self,
        projected: Float[Tensor, "batch length channels"],
        valid: Bool[Tensor, "batch length"],
        positions: Int[Tensor, "length"] | None = None,
    ) -> Float[Tensor, "batch length d_model"]:
        """What `forward` does with the result of `qkv` where frames see their own chunk (`fusible`)."""
        if positions is None:
            positions = torch.arange(projected.shape[1])
        headdim = projected.shape[2] // (3 * self.n_heads)
        turns = _turns(_angles(positions, headdim), projected.device)
        return _ChunkAttention.apply(projected, valid, turns, self.out.weight, self.reach)

    def extend(
        self,
        x: Float[Tensor, "batch length d_model"],
        valid: Bool[Tensor, "batch length"],
        state: AttentionState | None,
    ) -> tuple[Float[Tensor, "batch length d_model"], AttentionState]:
        """The next frames of streams (causal, with a reach): (output, state to continue from)."""
        assert self.causal, "attention to later frames cannot stream"
        assert self.reach is not None, "attention without a reach would have to keep the whole stream"
        past = self.reach - 1
        start = state.frames if state else 0
        query, key, value = self._project(x, start + torch.arange(x.shape[1]))
        history = (state or AttentionState.empty(key[:, None], past)).append(
            key[:, None], value[:, None], valid[:, None]
        )
        y = band_attention(query, history.key, history.value, history.valid, past, 0)
        return self.out(y.flatten(2)), history.last(past)

    def _project(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        both, value = self.qkv(x).unflatten(-1, (3 * self.n_heads, -1)).split((2 * self.n_heads, self.n_heads), dim=2)
        query, key = rotate(both, positions).chunk(2, dim=2)
        return query, key, value


class _ChunkAttention(torch.autograd.Function):
    """`chunk_attention` between its projections, a few sequences at a time.

    It keeps only the first projection. The rest is computed again in the backward pass: where a frame sees few others,
    that takes less time than memory for what it would keep, twice as much.
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, valid: Tensor, turns: Tensor, out: Tensor, chunk: int) -> Tensor:
        ctx.save_for_backward(projected, valid, turns, out)
        ctx.chunk = chunk
        y = torch.cat([_attend_in_chunks(projected[rows], valid[rows], turns, chunk) for rows in _few_rows(projected)])
        return y @ out.T

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        projected, valid, turns, out = ctx.saved_tensors
        y = grad @ out  # the gradient; row by row, what it is the gradient of takes its place
        grad_projected = torch.empty_like(projected)
        for rows in _few_rows(projected):
            part = projected[rows].detach().requires_grad_()
            with torch.enable_grad():
                again = _attend_in_chunks(part, valid[rows], turns, ctx.chunk)
            (grad_projected[rows],) = torch.autograd.grad(again, part, y[rows])
            y[rows] = again.detach()
        return grad_projected, None, None, grad.flatten(0, 1).T @ y.flatten(0, 1), None


def _attend_in_chunks(projected: Tensor, valid: Tensor, turns: Tensor, chunk: int) -> Tensor:
    """(batch, length, 3 width) queries, keys and values -> (batch, length, width)."""
    sides = projected.unflatten(-1, (3, -1, 2 * turns.shape[-1]))
    query, key = _turn(sides[:, :, :2].flatten(2, 3), turns).chunk(2, dim=2)
    return chunk_attention(query, key, sides[:, :, 2], valid, chunk).flatten(2)


def _few_rows(projected: Tensor) -> list[slice]:
    batch, length, channels = projected.shape
    rows = max(1, BLOCK_NUMBERS // (length * channels)) if projected.device.type == "cpu" else batch
    return [slice(start, start + rows) for start in range(0, batch, rows)]


class CrossAttention(Block):
    """Queries are target frames; keys and values are the frames of all partners within a window of time."""

    def __init__(self, d_model: int, n_heads: int, window: int, causal: bool) -> None:
        super().__init__()
        check_heads(d_model, n_heads)
        self.n_heads, self.window, self.causal = n_heads, window, causal
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key_value = nn.Linear(d_model, 2 * d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)

    def forward(
        self,
        target: Float[Tensor, "batch length d_model"],
        context: Float[Tensor, "batch partners length d_model"],
        valid: Bool[Tensor, "batch partners length"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch length d_model"]:
        """Zero where no partner frame is valid within the window; with a memory, the next frames of streams."""
        if memory is not None:
            y, memory[self] = self.extend(target, context, valid, memory.get(self))
            return y
        return self.extend(target, context, valid, None)[0]

    def extend(
        self,
        target: Float[Tensor, "batch length d_model"],
        context: Float[Tensor, "batch partners length d_model"],
        valid: Bool[Tensor, "batch partners length"],
        state: AttentionState | None,
    ) -> tuple[Float[Tensor, "batch length d_model"], AttentionState]:
        """The next frames of streams (causal): (output, state to continue from)."""
        length = target.shape[1]
        past = self.window
        if not (self.causal or state or torch.compiler.is_exporting()):
            past = min(past, length - 1)
        start = state.frames if state else 0
        positions = start + torch.arange(length)
        query = rotate(self.query(target).unflatten(-1, (self.n_heads, -1)), positions)
        key, value = self.key_value(context).unflatten(-1, (2 * self.n_heads, -1)).chunk(2, dim=3)
        key = rotate(key.flatten(0, 1), positions).unflatten(0, key.shape[:2])
        history = (state or AttentionState.empty(key, past)).append(key, value, valid)
        y = band_attention(query, history.key, history.value, history.valid, past, 0 if self.causal else past)
        return self.out(y.flatten(2)), history.last(past)


def check_heads(d_model: int, n_heads: int) -> None:
    """Raise InputError unless `d_model` splits into heads of an even width, which rotary positions need."""
    if d_model % (2 * n_heads):
        raise InputError(f"n_heads: a width of {d_model} does not split into {n_heads} heads of an even width")
