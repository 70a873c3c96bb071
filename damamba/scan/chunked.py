"""The selective scan as matrix products over chunks of frames: plain PyTorch, any device, no compiler.

Inside a chunk, y = (C B' ∘ decay) (dt x), a masked product like attention without softmax. Between chunks only the
state is carried. The backward pass is written by hand: it keeps the inputs and the state at the start of each chunk and
recomputes the rest, so that it never stores the (length x length) products. Rows and chunks are processed in tiles. On
a CPU they fit into its cache; elsewhere a tile holds whole batches, since each costs about ninety launches of kernels.

A long chunk, such as a window of one second, is cut into two halves. All that flows from the first half to the second
passes through the middle. Its decay is a factor of the frame that writes times a factor of the frame that reads, so one
product serves all heads.

Axes in this file: b rows · c chunks · g groups · q frames of a chunk · s parts of a chunk (two halves, or one whole) ·
h frames of a part (h h is a pair: the frame that reads, then the frame that writes) · r heads of a group · p headdim ·
n d_state.

Source: Dao & Gu 2024, arXiv:2405.21060, section 6; the tiling and the backward pass are this project's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

WHOLE_CHUNK = 64  # frames; a longer chunk is cut into two halves
TILE_BYTES = 2**21  # of chunks x heads x q² numbers; measured fastest, near the size of the second-level cache
DEVICE_TILE_BYTES = 2**30  # the same on a device: bounds the memory of very long or many sequences


def chunked_scan(
    x: Float[Tensor, "batch length heads headdim"],
    dt: Float[Tensor, "batch length heads"],
    A: Float[Tensor, "heads"],
    B: Float[Tensor, "batch length groups d_state"],
    C: Float[Tensor, "batch length groups d_state"],
    D: Float[Tensor, "heads"] | None = None,
    initial_state: Float[Tensor, "batch heads headdim d_state"] | None = None,
    return_final_state: bool = True,
    chunk_size: int | None = None,
) -> tuple[
    Float[Tensor, "batch length heads headdim"],
    Float[Tensor, "batch heads headdim d_state"] | None,
]:
    """(y, final state or None) of the recurrence (symbols: `damamba.scan`)."""
    chunk_size = chunk_frames(x.shape[1], x.shape[3], B.shape[3], chunk_size)
    return _ChunkedScan.apply(x, dt, A, B, C, D, initial_state, return_final_state, chunk_size)


def chunk_frames(length: int, headdim: int, d_state: int, chunk_size: int | None = None) -> int:
    """Frames of a chunk: as wanted, or else a good number; at most the length, and even where it is cut in halves."""
    chunk_size = min(chunk_size or default_chunk_size(length, headdim, d_state), length)
    return chunk_size + (chunk_size % 2 if chunk_size > WHOLE_CHUNK else 0)


def default_chunk_size(length: int, headdim: int, d_state: int) -> int:
    """Frames of a chunk, from the narrow side of a head's state (16 to 64).

    Up to twice that side, one chunk holds the whole sequence and no state is carried. A longer sequence is cut evenly
    into chunks of about that side, in multiples of four: there the products within chunks and those between chunks cost
    the same. One chunk of three times that side would be faster, but it sums its decays over too many frames, and the
    gradient of A loses a digit.
    """
    chunk = max(16, min(64, headdim, d_state))
    chunks = -(-length // chunk)
    return length if chunks <= 2 else 4 * -(-length // (4 * chunks))


@dataclass(frozen=True)
class _Plan:
    """How a batch is cut: into chunks of `chunk` frames, the last one padded, and into tiles of rows and chunks."""

    batch: int
    length: int
    groups: int
    chunk: int
    tile_rows: int
    tile_chunks: int

    @classmethod
    def make(cls, x: Tensor, groups: int, chunk: int) -> "_Plan":
        batch, length, heads, _ = x.shape
        tile_bytes = TILE_BYTES if x.device.type == "cpu" else DEVICE_TILE_BYTES
        fitting = max(1, tile_bytes // (x.element_size() * heads * chunk**2))
        tile_chunks = min(-(-length // chunk), fitting)
        return cls(batch, length, groups, chunk, max(1, fitting // tile_chunks), tile_chunks)

    @property
    def chunks(self) -> int:
        return -(-self.length // self.chunk)

    def row_slices(self) -> Iterator[slice]:
        for start in range(0, self.batch, self.tile_rows):
            yield slice(start, min(start + self.tile_rows, self.batch))

    def chunk_slices(self, backwards: bool = False) -> Iterator[slice]:
        starts = range(0, self.chunks, self.tile_chunks)
        for start in reversed(starts) if backwards else starts:
            yield slice(start, min(start + self.tile_chunks, self.chunks))

    def cut(self, series: Tensor) -> Tensor:
        """(batch, length, g, …) -> (b, c, g, q, …), contiguous: short strided rows would slow down every product."""
        padding = self.chunks * self.chunk - self.length
        if padding:
            series = F.pad(series, (0, 0) * (series.dim() - 2) + (0, padding))
        return series.unflatten(1, (self.chunks, self.chunk)).transpose(2, 3).contiguous()

    def join(self, pieces: Tensor) -> Tensor:
        """Inverse of `cut`."""
        return pieces.transpose(2, 3).flatten(1, 2)[:, : self.length]


class _Tile:
    """Some rows and chunks of the inputs, and the quantities that both passes derive from them."""

    def __init__(self, x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, backwards: bool) -> None:
        self.x = x  # b c g q r p
        self.dt = dt  # b c g q r
        self.B, self.C = B, C  # b c g q n
        self.backwards = backwards
        self.first, self.second = (1, 0) if backwards else (0, 1)  # the halves in the order in which they are run
        self.last = 0 if backwards else -1  # the frame of a chunk, or of a half, that is run last
        self.elapsed = self.sum_up(dt * A[:, None])  # log decay since the chunk's start, ≤ 0: b c g q r
        self.halved = x.shape[3] > WHOLE_CHUNK
        by_head = self.parts(x).transpose(4, 5)
        self.input = torch.empty(*by_head.shape, dtype=x.dtype, device=x.device)  # dt x: b c g s r h p
        torch.mul(by_head, _transpose(self.parts(dt))[..., None], out=self.input)

    def parts(self, series: Tensor) -> Tensor:
        """(b, c, g, q, …) -> a view (b, c, g, s, h, …): two halves of each chunk, or the whole chunk as one part."""
        return _halves(series) if self.halved else series.unsqueeze(3)

    def sum_up(self, series: Tensor) -> Tensor:
        """Of each frame, the sum over it and the frames that were run before it: b c g q r."""
        return _sum_from_end(series) if self.backwards else series.cumsum(3)

    def sum_down(self, series: Tensor) -> Tensor:
        """Of each frame, the sum over it and the frames that are run after it: b c g q r."""
        return series.cumsum(3) if self.backwards else _sum_from_end(series)

    def causal_(self, pairs: Tensor) -> Tensor:
        """Set pairs to 0 in which the frame that writes is run after the frame that reads, in place."""
        return pairs.triu_() if self.backwards else pairs.tril_()

    def at_last(self, series: Tensor) -> Tensor:
        """The frame that is run last, as an axis of one: b c g 1 r."""
        return series.narrow(3, self.last, 1)

    def decay(self) -> Tensor:
        """Decay from each frame of a part to each later one; 1 in the other triangle, to be masked: b c g s r h h."""
        elapsed = _transpose(self.parts(self.elapsed)).contiguous()  # otherwise heads would be innermost in the result
        return torch.sub(elapsed[..., :, None], elapsed[..., None, :]).clamp_(max=0).exp_()

    def scores(self) -> Tensor:
        """C B' within each part, what was written before it is read: b c g s 1 h h."""
        return self.causal_(self.parts(self.C) @ _transpose(self.parts(self.B)))[:, :, :, :, None]

    def scores_across(self) -> Tensor:
        """C B' from the first half to the second: b c g h h."""
        return _halves(self.C)[:, :, :, self.second] @ _transpose(_halves(self.B)[:, :, :, self.first])

    def decay_to_middle(self) -> Tensor:
        """Decay from each frame of the first half to the middle: b c g h r."""
        first = _halves(self.elapsed)[:, :, :, self.first]
        return torch.exp(self.at_last(first) - first)

    def decay_from_middle(self) -> Tensor:
        """Decay from the middle to each frame of the second half: b c g h r."""
        elapsed = _halves(self.elapsed)
        return torch.exp(elapsed[:, :, :, self.second] - self.at_last(elapsed[:, :, :, self.first]))

    def input_at_middle(self) -> Tensor:
        """Each input of the first half, decayed to the middle: b c g h r p."""
        x, dt = (_halves(series)[:, :, :, self.first] for series in (self.x, self.dt))
        return x * (dt * self.decay_to_middle())[..., None]

    def decay_to_end(self) -> Tensor:
        """Decay from each frame to the end of its chunk: b c g q r."""
        return torch.exp(self.at_last(self.elapsed) - self.elapsed)

    def input_at_end(self) -> Tensor:
        """Each input, decayed to the end of its chunk: b c g q r p."""
        return self.x * (self.dt * self.decay_to_end())[..., None]

    def decay_of_chunk(self) -> Tensor:
        """Decay over the whole chunk, shaped to multiply states: b c g 1 (r p)."""
        last = self.at_last(self.elapsed)[..., None].exp()
        return last.expand(*last.shape[:-1], self.x.shape[-1]).flatten(4)


class _ChunkedScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        dt: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Tensor | None,
        initial_state: Tensor | None,
        return_final_state: bool,
        chunk_size: int,
    ) -> tuple[Tensor, Tensor | None]:
        y, starts, final = scan_forward(x, dt, A, B, C, D, chunk_size, initial_state, return_final_state)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, dt, A, B, C, D, starts)
        ctx.chunk_size, ctx.has_initial_state = chunk_size, initial_state is not None
        return y, final

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor | None, grad_final: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, dt, A, B, C, D, starts = ctx.saved_tensors
        grad_y = torch.zeros_like(x) if grad_y is None else grad_y
        *grads, grad_start = scan_backward(grad_y, x, dt, A, B, C, D, starts, ctx.chunk_size, grad_final)
        return *grads, grad_start if ctx.has_initial_state else None, None, None


def scan_forward(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    chunk_size: int,
    initial_state: Tensor | None = None,
    return_final_state: bool = False,
    backwards: bool = False,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """(y, state before each chunk, final state), outside of autograd; the states may be None where not needed.

    States are kept as (b, c, g, n, (r p)): a product of B or C with a state is then one product over all heads.

    Args:
        x, dt, A, B, C, D, initial_state: As in `chunked_scan`.
        chunk_size: At most the length, and even above `WHOLE_CHUNK`.
        return_final_state: Compute the final state even if no chunk needs it.
        backwards: Time runs from the last frame to the first.
    """
    groups = B.shape[2]
    plan = _Plan.make(x, groups, chunk_size)
    xs, dts, As, Bs, Cs = _cut_inputs(plan, x, dt, A, B, C)
    heads, headdim = xs.shape[4:]
    y = x.new_empty(x.shape[0], plan.chunks, plan.chunk, groups, heads, headdim).transpose(2, 3)
    starts = state = None  # before each chunk, and after the last; not needed for one chunk from zero
    if plan.chunks > 1 or initial_state is not None or return_final_state:
        starts = x.new_empty(x.shape[0], plan.chunks, groups, B.shape[3], heads * headdim)
        state = torch.zeros_like(starts[:, 0]) if initial_state is None else _pack_state(initial_state, groups)
    for rows in plan.row_slices():
        for chunks in plan.chunk_slices(backwards):
            tile = _Tile(xs[rows, chunks], dts[rows, chunks], As, Bs[rows, chunks], Cs[rows, chunks], backwards)
            y_tile = y[rows, chunks]
            outputs = (tile.decay().mul_(tile.scores()) @ tile.input).transpose(4, 5)
            if starts is None or state is None:
                tile.parts(y_tile).copy_(outputs)
            else:
                start = starts[rows, chunks]
                written = _transpose(tile.B) @ tile.input_at_end().flatten(4)
                _carry(state[rows], written, tile.decay_of_chunk(), start, backwards)
                read = tile.parts((tile.C @ start).unflatten(4, (heads, headdim)))
                from_start = tile.parts(tile.elapsed).exp()[..., None]
                torch.addcmul(outputs, read, from_start, out=tile.parts(y_tile))
            if tile.halved:
                seen = (tile.scores_across() @ tile.input_at_middle().flatten(4)).unflatten(4, (heads, headdim))
                _halves(y_tile)[:, :, :, tile.second].addcmul_(seen, tile.decay_from_middle()[..., None])
            if D is not None:
                y_tile.addcmul_(tile.x, _by_head(D, groups))
    final = None if state is None or not return_final_state else _unpack_state(state, heads, headdim)
    return plan.join(y).flatten(2, 3), starts, final


def scan_backward(
    grad_y: Tensor,
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    starts: Tensor | None,
    chunk_size: int,
    grad_final: Tensor | None = None,
    backwards: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None, Tensor | None]:
    """Gradients of x, dt, A, B, C, D and the initial state, from those of what `scan_forward` returned."""
    groups = B.shape[2]
    plan = _Plan.make(x, groups, chunk_size)
    xs, dts, As, Bs, Cs = _cut_inputs(plan, x, dt, A, B, C)
    heads, headdim = xs.shape[4:]
    grad_ys = plan.cut(grad_y.unflatten(2, (groups, heads)))
    grad_xs, grad_dts, grad_Bs, grad_Cs = (_like_cut(series) for series in (xs, dts, Bs, Cs))
    grad_A = torch.zeros_like(As)
    grad_D = None if D is None else torch.zeros_like(As)
    grad_state = None  # with respect to the state after the chunks that remain
    if starts is not None:
        grad_state = torch.zeros_like(starts[:, 0]) if grad_final is None else _pack_state(grad_final, groups)
    for rows in plan.row_slices():
        for chunks in plan.chunk_slices(not backwards):
            tile = _Tile(xs[rows, chunks], dts[rows, chunks], As, Bs[rows, chunks], Cs[rows, chunks], backwards)
            grad_y_tile, grad_x_tile = grad_ys[rows, chunks], grad_xs[rows, chunks]
            grads = _backward_within(tile, grad_y_tile)
            if tile.halved:
                _backward_across(tile, grad_y_tile, grads)
            if starts is not None and grad_state is not None:
                _backward_between(tile, grad_y_tile, starts[rows, chunks], grad_state[rows], grads)
            grad_step = _dot(tile.x, grads.input)
            grad_decay = tile.sum_down(grads.elapsed)  # each step's decay acts on every later frame of the chunk
            grad_A += (grad_decay * tile.dt).sum((0, 1, 3))
            grad_dts[rows, chunks] = grad_step + grad_decay * As[:, None]
            torch.mul(grads.input, tile.dt[..., None], out=grad_x_tile)
            if D is not None and grad_D is not None:
                grad_D += _dot(tile.x, grad_y_tile).sum((0, 1, 3))
                grad_x_tile.addcmul_(grad_y_tile, _by_head(D, groups))
            grad_Bs[rows, chunks], grad_Cs[rows, chunks] = grads.B, grads.C
    return (
        plan.join(grad_xs).flatten(2, 3),
        plan.join(grad_dts).flatten(2, 3),
        grad_A.flatten(),
        plan.join(grad_Bs),
        plan.join(grad_Cs),
        None if grad_D is None else grad_D.flatten(),
        None if grad_state is None else _unpack_state(grad_state, heads, headdim),
    )


@dataclass
class _Grads:
    """Gradients with respect to what a tile derives."""

    input: Tensor  # of dt x: b c g q r p
    elapsed: Tensor  # b c g q r
    B: Tensor  # b c g q n
    C: Tensor


def _backward_within(tile: _Tile, grad_y: Tensor) -> _Grads:
    """Gradients of what flows within the parts of the chunks."""
    B, C = tile.parts(tile.B), tile.parts(tile.C)
    grad_y = tile.parts(grad_y).transpose(4, 5).contiguous()
    decay = tile.decay()
    weights = decay * tile.scores()
    grad_input = (_transpose(weights) @ grad_y).transpose(4, 5)
    grad_weights = grad_y @ _transpose(tile.input)
    # With respect to `elapsed` of the frame that reads minus `elapsed` of the frame that writes. Both sums run over the
    # same numbers, so the share of a frame in itself cancels exactly, however small the rest is.
    grad_pairs = weights.mul_(grad_weights)
    grad_elapsed = _transpose(grad_pairs.sum(-1) - grad_pairs.sum(-2)).flatten(3, 4).contiguous()
    grad_scores = tile.causal_(decay.mul_(grad_weights).sum(4))
    return _Grads(
        grad_input.flatten(3, 4),
        grad_elapsed,
        (_transpose(grad_scores) @ C).flatten(3, 4),
        (grad_scores @ B).flatten(3, 4),
    )


def _backward_across(tile: _Tile, grad_y: Tensor, grads: _Grads) -> None:
    """Add the gradients of what flows from the first half of each chunk to the second."""
    heads_headdim = tile.x.shape[4:]
    first, second = tile.first, tile.second
    B, C = _halves(tile.B)[:, :, :, first], _halves(tile.C)[:, :, :, second]
    scores, at_middle = tile.scores_across(), tile.input_at_middle()
    grad_seen = _halves(grad_y)[:, :, :, second] * tile.decay_from_middle()[..., None]
    grad_at_middle = (_transpose(scores) @ grad_seen.flatten(4)).unflatten(4, heads_headdim)
    grad_scores = grad_seen.flatten(4) @ _transpose(at_middle.flatten(4))
    seen = (scores @ at_middle.flatten(4)).unflatten(4, heads_headdim)
    elapsed = _halves(grads.elapsed)  # the middle gets the difference of the two sums, which is 0
    elapsed[:, :, :, first] -= _dot(grad_at_middle, at_middle)
    elapsed[:, :, :, second] += _dot(grad_seen, seen)
    _halves(grads.B)[:, :, :, first] += _transpose(grad_scores) @ C
    _halves(grads.C)[:, :, :, second] += grad_scores @ B
    _halves(grads.input)[:, :, :, first].addcmul_(grad_at_middle, tile.decay_to_middle()[..., None])


def _backward_between(tile: _Tile, grad_y: Tensor, start: Tensor, grad_state: Tensor, grads: _Grads) -> None:
    """Add the gradients of what flows through the states; take `grad_state` from after the tile to before it."""
    heads_headdim = tile.x.shape[4:]
    from_start = tile.elapsed.exp()
    grad_read = grad_y * from_start[..., None]
    grads.C += grad_read.flatten(4) @ _transpose(start)
    grads.elapsed += _dot(grad_read, (tile.C @ start).unflatten(4, heads_headdim))
    grad_ends = _carry_back(
        grad_state, _transpose(tile.C) @ grad_read.flatten(4), tile.decay_of_chunk(), tile.backwards
    )
    through = (grad_ends * start).sum(3).unflatten(3, heads_headdim).sum(-1)  # from the start of the chunk to its end
    at_end = tile.input_at_end()
    grad_at_end = (tile.B @ grad_ends).unflatten(4, heads_headdim)
    grad_to_end = _dot(at_end, grad_at_end)
    grads.elapsed -= grad_to_end
    grads.elapsed[..., tile.last, :] += grad_to_end.sum(3) + through * from_start[..., tile.last, :]
    grads.B += at_end.flatten(4) @ _transpose(grad_ends)
    # in the layout of x, so that later operations run over whole rows
    grads.input = torch.addcmul(grads.input, grad_at_end, tile.decay_to_end()[..., None], out=grad_at_end)


def _carry(state: Tensor, written: Tensor, decay: Tensor, starts: Tensor, backwards: bool) -> None:
    """Carry `state` over the chunks, in place; write the state before each chunk into `starts`."""
    order = _order(starts.shape[1], backwards)
    starts[:, order[0]] = state
    for chunk, after in zip(order, [*(starts[:, later] for later in order[1:]), state], strict=True):
        torch.addcmul(written[:, chunk], decay[:, chunk], starts[:, chunk], out=after)


def _carry_back(grad: Tensor, grad_starts: Tensor, decay: Tensor, backwards: bool) -> Tensor:
    """Carry the gradient of the state back over the chunks, in place; returns the gradient after each chunk."""
    grad_ends = torch.empty_like(grad_starts)
    order = _order(grad_starts.shape[1], not backwards)
    grad_ends[:, order[0]] = grad
    for chunk, before in zip(order, [*(grad_ends[:, earlier] for earlier in order[1:]), grad], strict=True):
        torch.addcmul(grad_starts[:, chunk], decay[:, chunk], grad_ends[:, chunk], out=before)
    return grad_ends


def _order(n: int, backwards: bool) -> list[int]:
    return list(reversed(range(n)) if backwards else range(n))


def _cut_inputs(plan: _Plan, x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor) -> tuple[Tensor, ...]:
    """The inputs, with heads split into (g, r), cut into chunks."""
    split = (plan.groups, x.shape[2] // plan.groups)
    x, dt, A = x.unflatten(2, split), dt.unflatten(2, split), A.unflatten(0, split)
    return plan.cut(x), plan.cut(dt), A, plan.cut(B), plan.cut(C)


def _like_cut(series: Tensor) -> Tensor:
    """An empty gradient of a cut series, in the memory order of frames, so that `join` copies nothing."""
    return torch.empty(series.transpose(2, 3).shape, dtype=series.dtype, device=series.device).transpose(2, 3)


def _pack_state(state: Tensor, groups: int) -> Tensor:
    """(b, heads, p, n) -> a copy as (b, g, n, (r p))."""
    return state.unflatten(1, (groups, -1)).permute(0, 1, 4, 2, 3).flatten(3).clone()


def _unpack_state(state: Tensor, heads: int, headdim: int) -> Tensor:
    """Inverse of `_pack_state`."""
    return state.unflatten(3, (heads, headdim)).permute(0, 1, 3, 4, 2).flatten(1, 2).contiguous()


def _sum_from_end(series: Tensor) -> Tensor:
    return series.flip(3).cumsum(3).flip(3)


def _by_head(D: Tensor, groups: int) -> Tensor:
    """(heads,) -> g 1 r 1."""
    return D.unflatten(0, (groups, -1))[:, None, :, None]


def _halves(series: Tensor) -> Tensor:
    """(b, c, g, q, …) -> a view (b, c, g, s, h, …): first and second half of each chunk."""
    return series.unflatten(3, (2, -1))


def _dot(first: Tensor, second: Tensor) -> Tensor:
    """Sum of products over the last axis, as a matrix product: twice as fast as a reduction on short rows."""
    return (first * second) @ first.new_ones(first.shape[-1])


def _transpose(matrix: Tensor) -> Tensor:
    return matrix.transpose(-1, -2)
