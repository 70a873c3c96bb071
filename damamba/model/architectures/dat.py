"""DAT, DA-Mamba's predecessor: a Transformer with full attention and weights of its own for the partner.

    target   cue ─ project ─ encoder ┐ audio encoder  ─ cross attention ┐
             cue ─ project ─ encoder ┘                  ↑               ├ norm ─ linear ─ SELU
    partner  cue ─ project ─ encoder ─ audio encoder ───┘   (visual alike)

Source: MSA-LMC/DAT (its model "M" for NoXi), whose parameters it has, number by number, at `d_model` 512, 8 heads and
positions for 96 frames. It differs where that code has no answer: any length, missing data, no or several partners
(docs/design.md).
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import Dropout, Section, Width
from damamba.console import InputError
from damamba.model.attention import attend
from damamba.model.base import EngagementModel, Output, Statistics, standardise_each
from damamba.model.heads import Classes, Several, Start, make_head
from damamba.model.precision import UnroundedLinear
from damamba.model.recompute import Block
from damamba.model.transformer import FeedForward

SELU_SLOPE = 1.0507009873554805  # of SELU above 0


class DATParams(Section):
    """Settings of DAT."""

    d_model: Width
    """Channels of a cue after projection."""
    n_heads: Width
    """Heads of attention."""
    dropout: Dropout
    partner_fusion: bool
    """Partners as context of the target; off: the target alone."""
    share_partner_weights: bool
    """One set of weights for target and partners."""
    position_frames: Width
    """Learned positions; interpolated where a window is shorter or longer."""


class Attention(nn.Module):
    """Full attention; its inner width need not be the outer one."""

    def __init__(self, width: int, inner: int, n_heads: int) -> None:
        super().__init__()
        if inner % n_heads:
            raise InputError(f"n_heads: a width of {inner} does not split into {n_heads} heads")
        self.n_heads = n_heads
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(width, 2 * inner, bias=False)
        self.out = nn.Linear(inner, width)

    def forward(
        self,
        queries: Float[Tensor, "batch length width"],
        keys: Float[Tensor, "batch keys width"],
        valid: Bool[Tensor, "batch keys"],
    ) -> Float[Tensor, "batch length width"]:
        """Keys that are not valid are not seen."""
        query = self.query(queries).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        key, value = self.key_value(keys).unflatten(-1, (2 * self.n_heads, -1)).transpose(1, 2).chunk(2, dim=1)
        y = attend(query, key, value, valid[:, None, None])
        return self.out(y.transpose(1, 2).flatten(2))


class Encoder(Block):
    """Learned positions, pre-norm attention and a feed-forward layer.

    The positions are those of `position_frames` frames; for another length they are interpolated, so that a position
    is a place in the window.
    """

    def __init__(self, width: int, inner: int, params: DATParams) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(params.position_frames, width))
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, inner, params.n_heads)
        self.dropout = nn.Dropout(params.dropout)
        self.feed_forward = FeedForward(width, inner, params.dropout)

    def place(self, x: Float[Tensor, "*batch length width"]) -> Float[Tensor, "*batch length width"]:
        """Add the positions."""
        table = self.positions.T[None]
        return x + F.interpolate(table, size=x.shape[-2], mode="linear", align_corners=True)[0].T

    def forward(
        self, x: Float[Tensor, "batch length width"], valid: Bool[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length width"]:
        """A sequence to itself."""
        x = self.place(x)
        u = self.norm(x)
        return self.feed_forward(x + self.dropout(self.attention(u, u, valid)))


class CrossEncoder(Encoder):
    """Queries are target frames; keys and values are partner frames, not normalised, as in the source."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        target: Float[Tensor, "batch length width"],
        partners: Float[Tensor, "batch partners length width"],
        valid: Bool[Tensor, "batch partners length"],
    ) -> Float[Tensor, "batch length width"]:
        """The frames of all partners are keys together; only time orders them."""
        target, partners = self.place(target), self.place(partners)
        from_partners = self.attention(self.norm(target), partners.flatten(1, 2), valid.flatten(1, 2))
        return self.feed_forward(target + self.dropout(from_partners))


class Branch(nn.Module):
    """Layers of one person: an encoder for each cue, then one for each modality group."""

    def __init__(self, cues: Mapping[str, Mapping[str, int]], params: DATParams) -> None:
        super().__init__()
        widths = {name: width for group in cues.values() for name, width in group.items()}
        d = params.d_model
        self.norm = nn.LayerNorm(sum(widths.values()))
        self.projections = nn.ModuleDict({name: nn.Linear(width, d) for name, width in widths.items()})
        self.dropout = nn.Dropout(params.dropout)
        self.encoders = nn.ModuleDict({name: Encoder(d, d, params) for name in widths})
        self.groups = nn.ModuleDict({group: Encoder(len(names) * d, 2 * d, params) for group, names in cues.items()})
        self.members = {group: list(names) for group, names in cues.items()}

    def forward(
        self, cues: Mapping[str, Float[Tensor, "batch length _"]], valid: Mapping[str, Bool[Tensor, "batch length"]]
    ) -> dict[str, Float[Tensor, "batch length _"]]:
        """Representation of each group; cues are 0 where not valid."""
        joint = self.norm(torch.cat([cues[name] for name in self.projections], dim=-1))
        split = joint.split([cues[name].shape[-1] for name in self.projections], dim=-1)
        encoded = {
            name: self.encoders[name](F.gelu(self.dropout(project(x))), valid[name])
            for (name, project), x in zip(self.projections.items(), split, strict=True)
        }
        return {
            group: self.groups[group](torch.cat([encoded[name] for name in names], dim=-1), any_of(valid, names))
            for group, names in self.members.items()
        }


def any_of(valid: Mapping[str, Bool[Tensor, "*frames"]], names: list[str]) -> Bool[Tensor, "*frames"]:
    """Where any of these cues was observed."""
    return torch.stack([valid[name] for name in names]).any(dim=0)


class DAT(EngagementModel[DATParams]):
    """Arguments, call and errors: `EngagementModel`, `build_model`. It sees the whole window and cannot be causal.

    Any number of partners goes through the partner branch; queries are target frames, keys and values are the frames of
    all partners at once, so that seats can be swapped and an absent partner adds nothing. Memory and time are quadratic
    in length.
    """

    Params = DATParams
    kinds = ("continuous", "ordinal", "categorical")

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: DATParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        self.standardise = standardise_each(self.widths, statistics)
        self.target = Branch(self.cues, params)
        width = len(self.widths) * params.d_model
        if params.partner_fusion:
            if not params.share_partner_weights:
                self.partner = Branch(self.cues, params)
            self.cross = nn.ModuleDict(
                {
                    group: CrossEncoder(len(names) * params.d_model, 2 * params.d_model, params)
                    for group, names in self.cues.items()
                }
            )
        self.norm = nn.LayerNorm(width)
        self.head = make_head(width, label_mean) if isinstance(label_mean, Classes) else UnroundedLinear(width, 1)
        for module in self.modules():
            if isinstance(module, nn.Linear) and not (self.classes and module is self.head):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if not isinstance(label_mean, Classes | Several):
            nn.init.constant_(self.head.bias, label_mean / SELU_SLOPE)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
    ) -> Output:
        """Engagement of participant 0 at every frame; arguments as of `DAMamba.forward`.

        SELU can leave [0, 1]. In training it does, so that gradients exist there; predictions are clipped.
        """
        seen = {name: valid[name] & present[..., None] for name in self.widths}
        x = {name: standardise(cues[name], seen[name]) for name, standardise in self.standardise.items()}
        groups = self.target(
            {name: cue[:, 0] for name, cue in x.items()}, {name: mask[:, 0] for name, mask in seen.items()}
        )
        if self.params.partner_fusion:
            groups = {
                group: self.cross[group](groups[group], vectors, any_of(seen, list(self.cues[group]))[:, 1:])
                for group, vectors in self._partner_groups(groups, x, seen).items()
            }
        read = self.head(self.norm(torch.cat(list(groups.values()), dim=-1)))
        if self.classes:
            return Output(read, {})
        score = F.selu(read.squeeze(-1))
        return Output(score if self.training else score.clamp(0, 1), {})

    def _partner_groups(
        self, target: dict[str, Tensor], x: dict[str, Tensor], seen: dict[str, Tensor]
    ) -> dict[str, Float[Tensor, "B partners T _"]]:
        """Representation of each group of the partners; `target` is that of the target."""
        rows, seats = next(iter(seen.values())).shape[:2]
        if seats == 1:
            return {group: y[:, None][:, :0] for group, y in target.items()}
        branch = self.target if self.params.share_partner_weights else self.partner
        groups = branch(
            {name: cue[:, 1:].flatten(0, 1) for name, cue in x.items()},
            {name: mask[:, 1:].flatten(0, 1) for name, mask in seen.items()},
        )
        return {group: y.unflatten(0, (rows, seats - 1)) for group, y in groups.items()}
