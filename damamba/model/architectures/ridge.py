"""The linear baseline: ridge regression on running means of all cues, of the target and of the partners."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from damamba.config import Section
from damamba.model.base import EngagementModel, Examples, Output, Statistics
from damamba.model.class_reading import fit_each, make_reading, other_readings
from damamba.model.heads import Classes, Start, also_of, main_of
from damamba.model.linear_reading import LinearReading


class RidgeParams(Section):
    """Settings of the ridge; its penalty is chosen by cross-validation over training sessions."""

    partner_fusion: bool
    """Whether the partners are read as well."""
    causal: bool
    """Means over the past alone."""


class Ridge(EngagementModel[RidgeParams]):
    """Arguments, call and errors: `EngagementModel`, `build_model`. No weight is left to train after `begin`."""

    Params = RidgeParams
    kinds = ("continuous", "ordinal", "categorical")
    several = True

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: RidgeParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        reading = self.widths, rate_hz, statistics, params.partner_fusion, params.causal
        self.reading = make_reading(*reading, label_mean)
        self.also = other_readings(*reading, label_mean)
        for each, start in (
            (self.reading, main_of(label_mean)),
            *zip(self.also.values(), also_of(label_mean).values(), strict=True),
        ):
            if isinstance(each, LinearReading) and not isinstance(start, Classes):
                torch.nn.init.constant_(each.mean, start)

    def begin(self, examples: Examples) -> str | None:
        """Fit all of it."""
        return fit_each(self.reading, self.also, examples)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
    ) -> Output:
        """Engagement of participant 0 at every frame; arguments as of `DAMamba.forward`."""
        also = {name: reading(cues, valid, present).clamp(0, 1) for name, reading in self.also.items()}
        return Output(self.reading(cues, valid, present).clamp(0, 1), {}, also)
