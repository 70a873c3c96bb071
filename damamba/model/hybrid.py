"""Hybrid block: attention inside chunks for detail, a state-space layer for memory, and a gate that weighs them."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.model.attention import SelfAttention
from damamba.model.block_params import BlockParams
from damamba.model.mamba import MambaBlock
from damamba.model.normed import normed_linears
from damamba.model.precision import fusible
from damamba.model.recompute import Block
from damamba.model.stream_state import Memory


class HybridBlock(Block):
    """x + g ∘ ssm(norm x) + (1 - g) ∘ attention(norm x), g = sigmoid(W norm x), channel by channel.

    Linear in length. There is no feed-forward layer: the state-space layer is gated, `expand` times as wide, and mixes
    channels itself. A causal block attends to the last `chunk_frames` frames instead of its chunk, so that a stream can
    start anywhere.
    """

    def __init__(self, width: int, params: BlockParams) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ssm = make_mamba(width, params)
        self.attention = SelfAttention(width, params.n_heads, params.chunk_frames, params.causal)
        self.gate = nn.Linear(width, width)
        self.dropout = nn.Dropout(params.dropout)

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        valid: Bool[Tensor, "batch length"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Whole sequences; with a memory (causal blocks only), the next frames of streams."""
        if memory is None and not self.attention.causal and fusible(x):
            layers = [self.attention.qkv, self.ssm.in_proj, self.gate]
            qkv, inner, gate = normed_linears(x, self.norm, layers)
            attended, remembered = self.attention.within_chunks(qkv, valid), self.ssm.mix(inner, valid)
            return _AddMixture.apply(x, attended, remembered, gate, self.dropout.p if self.training else 0.0)
        u = self.norm(x)
        attended, remembered = self.attention(u, valid, memory), self.ssm(u, valid, memory)
        return x + self.dropout(torch.lerp(attended, remembered, torch.sigmoid(self.gate(u))))

    def extend(
        self, x: Float[Tensor, "batch length width"], valid: Bool[Tensor, "batch length"], state: Memory | None
    ) -> tuple[Float[Tensor, "batch length width"], Memory]:
        """The next frames of streams (causal blocks only): (output, state to continue from); None starts."""
        memory = dict(state or {})
        return self(x, valid, memory), memory

    def step(
        self, x: Float[Tensor, "batch width"], valid: Bool[Tensor, "batch"], state: Memory | None
    ) -> tuple[Float[Tensor, "batch width"], Memory]:
        """One frame of `extend`."""
        y, state = self.extend(x[:, None], valid[:, None], state)
        return y[:, 0], state


class _AddMixture(torch.autograd.Function):
    """x + dropout((1 - g) ∘ first + g ∘ second), g = sigmoid(gate).

    It keeps g, the difference of the two, and a byte for each number that may be dropped: half of what the separate
    operations keep.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, first: Tensor, second: Tensor, gate: Tensor, dropout: float) -> Tensor:
        share, difference = torch.sigmoid(gate), second - first
        y = torch.addcmul(first, share, difference)
        kept = torch.empty_like(y, dtype=torch.bool).bernoulli_(1 - dropout) if dropout else None
        ctx.save_for_backward(share, difference, kept)
        ctx.scale = 1 / (1 - dropout)
        return y.add_(x) if kept is None else y.mul_(kept).mul_(ctx.scale).add_(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        share, difference, kept = ctx.saved_tensors
        grad_y = grad if kept is None else (grad * kept).mul_(ctx.scale)
        grad_second = grad_y * share
        grad_gate = (grad_second * difference).mul_(1 - share)
        return grad, grad_y - grad_second, grad_second, grad_gate, None


def make_mamba(width: int, params: BlockParams) -> MambaBlock:
    """A state-space layer of this width that looks both ways unless the model is causal."""
    return MambaBlock(
        width, params.d_state, params.headdim, params.expand, params.d_conv, bidirectional=not params.causal
    )
