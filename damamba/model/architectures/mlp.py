"""The challenge's own baseline: a perceptron over the target's cues of one frame; no time, no partners."""

from collections.abc import Mapping

from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import Dropout, Layers, Section, Width
from damamba.model.base import EngagementModel, Output, Statistics, side_by_side, standardise_each
from damamba.model.heads import Start, make_head, other_heads, read_each


class MLPParams(Section):
    """Settings of the perceptron."""

    d_fusion: Width
    """Units of a hidden layer."""
    group_layers: Layers
    """Hidden layers."""
    dropout: Dropout


class MLP(EngagementModel[MLPParams]):
    """Arguments, call and errors: `EngagementModel`, `build_model`. Every frame by itself, so always causal.

    A missing frame enters as the mean, beside the cue's mask.
    """

    Params = MLPParams
    kinds = ("continuous", "ordinal", "categorical")
    several = True

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: MLPParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        self.standardise = standardise_each(self.widths, statistics)
        width = sum(self.widths.values()) + len(self.widths)
        layers: list[nn.Module] = []
        for _ in range(params.group_layers):
            layers += [nn.Linear(width, params.d_fusion), nn.GELU(), nn.Dropout(params.dropout)]
            width = params.d_fusion
        self.layers = nn.Sequential(*layers, nn.LayerNorm(width))
        self.head, self.also = make_head(width, label_mean), other_heads(width, label_mean)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
    ) -> Output:
        """Engagement of participant 0 at every frame; arguments as of `DAMamba.forward`."""
        seen = {name: valid[name][:, 0] & present[:, :1] for name in self.widths}
        y = self.layers(side_by_side(self.standardise, {name: cues[name][:, 0] for name in seen}, seen))
        return Output(self.head(y), {}, read_each(self.also, y))
