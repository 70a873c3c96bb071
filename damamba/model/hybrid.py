"""Hybrid block: attention inside chunks for detail, a state-space layer for memory, and a gate that weighs them."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.model.attention import SelfAttention
from damamba.model.block_params import BlockParams
from damamba.model.mamba import MambaBlock
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
        u = self.norm(x)
        y = torch.lerp(self.attention(u, valid, memory), self.ssm(u, valid, memory), torch.sigmoid(self.gate(u)))
        return x + self.dropout(y)

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


def make_mamba(width: int, params: BlockParams) -> MambaBlock:
    """A state-space layer of this width that looks both ways unless the model is causal."""
    return MambaBlock(
        width, params.d_state, params.headdim, params.expand, params.d_conv, bidirectional=not params.causal
    )
