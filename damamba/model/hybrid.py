"""Hybrid block: attention inside chunks sees detail, the state-space layer carries memory; a gate weighs them."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import ModelParams
from damamba.model.attention import AttentionState, SelfAttention
from damamba.model.mamba import MambaBlock, MambaState


class HybridState(NamedTuple):
    """What a causal block remembers of a stream."""

    ssm: MambaState
    attention: AttentionState


class HybridBlock(nn.Module):
    """x + g ∘ ssm(norm x) + (1 - g) ∘ attention(norm x), g = sigmoid(W norm x), channel by channel.

    Linear in length. No feed-forward layer: the state-space layer is gated and `expand` times as wide, and mixes
    channels itself. Causal blocks attend to the last `chunk_frames` frames instead of to their chunk, so that a stream
    may start anywhere.
    """

    def __init__(self, width: int, params: ModelParams) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ssm = make_mamba(width, params)
        self.attention = SelfAttention(width, params.n_heads, params.chunk_frames, params.causal)
        self.gate = nn.Linear(width, width)
        self.dropout = nn.Dropout(params.dropout)

    def forward(
        self, x: Float[Tensor, "batch length width"], valid: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length width"]:
        """Whole sequences."""
        u = self.norm(x)
        return self._join(x, u, self.ssm(u, valid), self.attention(u, valid))

    def extend(
        self, x: Float[Tensor, "batch length width"], valid: Bool[Tensor, "batch length"], state: HybridState | None
    ) -> tuple[Float[Tensor, "batch length width"], HybridState]:
        """The next frames of streams (causal blocks only): (output, state to continue from); None starts."""
        u = self.norm(x)
        ssm, ssm_state = self.ssm.extend(u, valid, state.ssm if state else None)
        attention, attention_state = self.attention.extend(u, valid, state.attention if state else None)
        return self._join(x, u, ssm, attention), HybridState(ssm_state, attention_state)

    def step(
        self, x: Float[Tensor, "batch width"], valid: Bool[Tensor, "batch"], state: HybridState | None
    ) -> tuple[Float[Tensor, "batch width"], HybridState]:
        """One frame of `extend`."""
        y, state = self.extend(x[:, None], valid[:, None], state)
        return y[:, 0], state

    def _join(self, x: Tensor, u: Tensor, ssm: Tensor, attention: Tensor) -> Tensor:
        return x + self.dropout(torch.lerp(attention, ssm, torch.sigmoid(self.gate(u))))


def make_mamba(width: int, params: ModelParams) -> MambaBlock:
    """A state-space layer of this width that looks both ways unless the model is causal."""
    return MambaBlock(
        width, params.d_state, params.headdim, params.expand, params.d_conv, bidirectional=not params.causal
    )
