"""A gated temporal convolutional network, the public model to beat: small, causal, with the partners gated in.

The target and each partner go through the same stack of dilated convolutions with gates; the partners' mean is added to
the target through a gate that both decide on. In its public form it sees 30 s of the past and is trained by the CCC
alone.

Source of the gates: van den Oord et al. 2016, arXiv:1609.03499.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import Dropout, Layers, Section, Width
from damamba.model.base import EngagementModel, Output, Statistics, side_by_side, standardise_each
from damamba.model.heads import Start, make_head, other_heads, read_each

TAPS = 3


class TCNParams(Section):
    """Settings of the TCN."""

    d_fusion: Width
    """Channels."""
    group_layers: Layers
    """Layers; the dilation doubles from one to the next, so that n layers see 2^(n+1) - 1 frames."""
    dropout: Dropout
    partner_fusion: bool
    """Partners as context of the target; off: the target alone."""
    causal: bool
    """Only the past is seen."""


class GatedLayer(nn.Module):
    """x + out(tanh(a) sigmoid(b)), where a and b are dilated convolutions of norm(x)."""

    def __init__(self, width: int, dilation: int, params: TCNParams) -> None:
        super().__init__()
        reach = (TAPS - 1) * dilation
        self.beyond = (reach, 0) if params.causal else (reach // 2, reach - reach // 2)
        self.norm = nn.LayerNorm(width)
        self.convolve = nn.Conv1d(width, 2 * width, TAPS, dilation=dilation)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(params.dropout)

    def forward(self, x: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        """Whole sequences; zeros stand beyond their ends."""
        y, gate = self.convolve(F.pad(self.norm(x).mT, self.beyond)).mT.chunk(2, dim=-1)
        return x + self.dropout(self.out(torch.tanh(y) * torch.sigmoid(gate)))


class TCN(EngagementModel[TCNParams]):
    """Arguments, call and errors: `EngagementModel`, `build_model`.

    A missing frame enters as the mean, beside the cue's mask.
    """

    Params = TCNParams
    kinds = ("continuous", "ordinal", "categorical")
    several = True

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: TCNParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        width = params.d_fusion
        self.standardise = standardise_each(self.widths, statistics)
        self.project = nn.Linear(sum(self.widths.values()) + len(self.widths), width)
        self.dropout = nn.Dropout(params.dropout)
        self.layers = nn.Sequential(*(GatedLayer(width, 2**i, params) for i in range(params.group_layers)))
        if params.partner_fusion:
            self.partner = nn.Linear(width, width)
            self.gate = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)
        self.head, self.also = make_head(width, label_mean), other_heads(width, label_mean)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
    ) -> Output:
        """Engagement of participant 0 at every frame; arguments as of `DAMamba.forward`."""
        seats = present.shape[1] if self.params.partner_fusion else 1
        seen = {name: (valid[name] & present[..., None])[:, :seats] for name in self.widths}
        x = side_by_side(self.standardise, {name: cues[name][:, :seats] for name in seen}, seen)
        people = self.layers(self.dropout(self.project(x)).flatten(0, 1)).unflatten(0, (-1, seats))
        target = people[:, 0]
        if seats > 1:
            there = torch.stack([mask[:, 1:] for mask in seen.values()]).any(0)[..., None].to(people)
            others = (people[:, 1:] * there).sum(1) / there.sum(1).clamp_min(1)
            gate = torch.sigmoid(self.gate(torch.cat((target, others), dim=-1)))
            target = target + gate * self.partner(others) * there.any(1)
        z = self.norm(target)
        return Output(self.head(z), {}, read_each(self.also, z))
