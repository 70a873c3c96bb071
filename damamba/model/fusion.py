"""From cues to modality groups, and from partners to the target: the paper's two fusions."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.model.attention import CrossAttention
from damamba.model.base import Standardise, Statistics
from damamba.model.block_params import BlockParams
from damamba.model.hybrid import HybridBlock, make_mamba
from damamba.model.mamba import PartnerMamba
from damamba.model.normed import normed_linears
from damamba.model.precision import fusible
from damamba.model.recompute import Block
from damamba.model.stream_state import Memory
from damamba.model.transformer import FeedForward, TransformerBlock


class CueStem(Block):
    """One cue to `d_model` channels: standardise, 1x1 convolution, one Mamba layer of its own.

    A missing frame enters as a learned vector of the cue ("not seen"), and never enters the layer's memory.
    """

    def __init__(
        self, width: int, params: BlockParams, statistics: tuple[Float[Tensor, "width"], Float[Tensor, "width"]] | None
    ) -> None:
        super().__init__()
        self.standardise = Standardise(width, statistics)
        self.project = nn.Linear(width, params.d_model)
        # not zero: a norm multiplies the gradient of a zero vector by 316, and there are several in a row
        self.missing = nn.Parameter(torch.randn(params.d_model) / 2)
        if params.block == "transformer":
            self.layer = TransformerBlock(params.d_model, params)
        else:
            self.layer = MambaLayer(params.d_model, params)

    def forward(
        self,
        cue: Float[Tensor, "batch length width"],
        valid: Bool[Tensor, "batch length"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch length d_model"]:
        """The cue may hold any value, NaN too, where a frame is missing."""
        x = self.project(self.standardise(cue, valid))
        x = torch.where(valid[..., None], x, self.missing)
        return self.layer(x, valid, memory)


class MambaLayer(nn.Module):
    """x + mamba(norm x)."""

    def __init__(self, width: int, params: BlockParams) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ssm = make_mamba(width, params)

    def forward(
        self,
        x: Float[Tensor, "batch length width"],
        valid: Bool[Tensor, "batch length"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Whole sequences, or the next frames of streams."""
        if memory is None and fusible(x):
            (inner,) = normed_linears(x, self.norm, [self.ssm.in_proj])
            return x + self.ssm.mix(inner, valid)
        return x + self.ssm(self.norm(x), valid, memory)


class ModalityGroupFusion(nn.Module):
    """The cues of one group: a stem each, then one stack of blocks over their concatenated channels.

    Without modality fusion there is no stack: the stems' channels are passed on as they are.
    """

    def __init__(
        self,
        cues: Mapping[str, int],
        params: BlockParams,
        statistics: Statistics | None,
    ) -> None:
        super().__init__()
        self.stems = nn.ModuleDict(
            {name: CueStem(width, params, statistics[name] if statistics else None) for name, width in cues.items()}
        )
        width = len(cues) * params.d_model
        block = TransformerBlock if params.block == "transformer" else HybridBlock
        layers = params.group_layers if params.modality_fusion else 0
        self.blocks = nn.ModuleList(block(width, params) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "batch length _"]],
        valid: Mapping[str, Bool[Tensor, "batch length"]],
        memory: Memory | None = None,
    ) -> tuple[Float[Tensor, "batch length width"], Bool[Tensor, "batch length"]]:
        """(Representation, frames at which any cue was observed)."""
        x = torch.cat([stem(cues[name], valid[name], memory) for name, stem in self.stems.items()], dim=-1)
        observed = torch.stack([valid[name] for name in self.stems]).any(dim=0)
        for block in self.blocks:
            x = block(x, observed, memory)
        return self.norm(x), observed


class PartnerContext(Block):
    """One layer over the (P - 1)·T frames of all partners; the order of the seats makes no difference."""

    def __init__(self, width: int, params: BlockParams) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ssm = PartnerMamba(
            width, params.d_state, params.headdim, params.expand, params.d_conv, bidirectional=not params.causal
        )

    def forward(
        self,
        x: Float[Tensor, "batch partners length width"],
        valid: Bool[Tensor, "batch partners length"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch partners length width"]:
        """Whole sequences, or the next frames of streams."""
        return x + self.ssm(self.norm(x), valid, memory)


class PartnerTransformer(Block):
    """`PartnerContext` of the ablation: full attention over all partner frames, positioned by their time."""

    def __init__(self, width: int, params: BlockParams) -> None:
        super().__init__()
        self.block = TransformerBlock(width, params)

    def forward(
        self,
        x: Float[Tensor, "batch partners length width"],
        valid: Bool[Tensor, "batch partners length"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch partners length width"]:
        """Whole sequences."""
        _, partners, length, _ = x.shape
        instants = torch.arange(length).repeat(partners)
        return self.block(x.flatten(1, 2), valid.flatten(1, 2), memory, instants).unflatten(1, (partners, length))


class PartnerGroupFusion(nn.Module):
    """Context of all partners along the frame axis, which the target reads by cross-attention.

    All partners share the weights, however many there are, and the target sums over their frames: swapping seats
    changes nothing, and an absent partner adds nothing.
    """

    def __init__(self, width: int, params: BlockParams, window: int) -> None:
        super().__init__()
        layer = PartnerTransformer if params.block == "transformer" else PartnerContext
        self.mark = nn.Parameter(torch.zeros(width))  # partner, not target; time is marked by relative positions
        self.context = nn.ModuleList(layer(width, params) for _ in range(params.context_layers))
        self.norm_target = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(width)
        self.cross = CrossAttention(width, params.n_heads, window, params.causal)
        self.feed_forward = FeedForward(width, params.ffn_expand * width, params.dropout)
        self.dropout = nn.Dropout(params.dropout)
        block = TransformerBlock if params.block == "transformer" else HybridBlock
        self.dialogue = nn.ModuleList(block(width, params) for _ in range(params.dialogue_layers))

    def forward(
        self,
        target: Float[Tensor, "batch length width"],
        observed: Bool[Tensor, "batch length"],
        partners: Float[Tensor, "batch partners length width"],
        valid: Bool[Tensor, "batch partners length"],
        memory: Memory | None = None,
    ) -> Float[Tensor, "batch length width"]:
        """Whole sequences, or the next frames of streams; a batch may have no seats for partners.

        Args:
            target: Representation of the target.
            observed: Frames at which any cue of the target was observed.
            partners: Representations of all others.
            valid: Frames at which any cue of each partner was observed.
            memory: State of a stream.
        """
        from_partners = torch.zeros_like(target)
        if partners.shape[1]:
            context = partners + self.mark
            for layer in self.context:
                context = layer(context, valid, memory)
            from_partners = self.cross(self.norm_target(target), self.norm_context(context), valid, memory)
        x = self.feed_forward(target + self.dropout(from_partners))
        for layer in self.dialogue:
            x = layer(x, observed, memory)
        return x
