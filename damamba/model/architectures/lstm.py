"""The baseline of earlier challenges: an LSTM over the target's cues side by side, both ways; no partners."""

from collections.abc import Mapping
from contextlib import nullcontext

from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import Dropout, Layers, Section, Width
from damamba.model.base import EngagementModel, Output, Statistics, side_by_side, standardise_each
from damamba.model.heads import Start, make_head, other_heads, read_each
from damamba.model.precision import unrounded


class LSTMParams(Section):
    """Settings of the LSTM."""

    d_fusion: Width
    """Units a direction."""
    group_layers: Layers
    """Layers."""
    dropout: Dropout
    causal: bool
    """Forwards only."""


class LSTM(EngagementModel[LSTMParams]):
    """Arguments, call and errors: `EngagementModel`, `build_model`.

    A missing frame enters as the mean, beside the cue's mask.
    """

    Params = LSTMParams
    kinds = ("continuous", "ordinal", "categorical")
    several = True

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: LSTMParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        self.standardise = standardise_each(self.widths, statistics)
        self.lstm = nn.LSTM(
            sum(self.widths.values()) + len(self.widths),
            params.d_fusion,
            params.group_layers,
            batch_first=True,
            dropout=params.dropout if params.group_layers > 1 else 0.0,
            bidirectional=not params.causal,
        )
        width = params.d_fusion * (1 if params.causal else 2)
        self.dropout = nn.Dropout(params.dropout)
        self.norm = nn.LayerNorm(width)
        self.head, self.also = make_head(width, label_mean), other_heads(width, label_mean)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
    ) -> Output:
        """Engagement of participant 0 at every frame; arguments as of `DAMamba.forward`."""
        seen = {name: valid[name][:, 0] & present[:, :1] for name in self.widths}
        x = side_by_side(self.standardise, {name: cues[name][:, 0] for name in seen}, seen)
        with unrounded(x) if x.device.type == "cpu" else nullcontext():
            y, _ = self.lstm(x)  # many CPUs have no LSTM in bfloat16, and PyTorch raises there
        z = self.norm(self.dropout(y))
        return Output(self.head(z), {}, read_each(self.also, z))
