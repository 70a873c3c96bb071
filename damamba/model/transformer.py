"""Transformer block, which replaces Mamba and hybrid blocks in the ablation: full attention, quadratic in length."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from damamba.model.attention import SelfAttention
from damamba.model.block_params import BlockParams
from damamba.model.recompute import Block
from damamba.model.stream_state import Memory


class FeedForward(Block):
    """x + narrow(GELU(widen(norm x)))."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, inner)
        self.activation = nn.GELU()
        self.narrow = nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "*frames width"]) -> Float[Tensor, "*frames width"]:
        """Each frame by itself."""
        return x + self.dropout(self.narrow(self.activation(self.widen(self.norm(x)))))


class TransformerBlock(Block):
    """Pre-norm attention and feed-forward layer; positions are relative, so any length works."""

    def __init__(self, width: int, params: BlockParams) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, params.n_heads, None, params.causal)
        self.feed_forward = FeedForward(width, params.ffn_expand * width, params.dropout)
        self.dropout = nn.Dropout(params.dropout)

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        valid: Bool[Tensor, "batch length"],
        memory: Memory | None = None,
        positions: Int[Tensor, "length"] | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Whole sequences; the rest as in `SelfAttention`."""
        return self.feed_forward(x + self.dropout(self.attention(self.norm(x), valid, memory, positions)))
