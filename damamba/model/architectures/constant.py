"""One value for everyone at all times: the mean label of the training split, or its most frequent class."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import Section
from damamba.model.base import EngagementModel, Output, Statistics
from damamba.model.heads import Begin, Classes, Start, also_of, main_of


class ConstantParams(Section):
    """No settings."""


class Constant(EngagementModel[ConstantParams]):
    """Arguments, call and errors: `EngagementModel`, `build_model`. No weight is trained."""

    Params = ConstantParams
    kinds = ("continuous", "ordinal", "categorical")
    several = True

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: ConstantParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        self.value = _value(main_of(label_mean))
        self.also = nn.ParameterDict({name: _value(start) for name, start in also_of(label_mean).items()})

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
    ) -> Output:
        """The same for every frame; arguments as of `DAMamba.forward`."""
        frames = len(present), next(iter(valid.values())).shape[-1]
        also = {name: value.expand(*frames, *value.shape) for name, value in self.also.items()}
        return Output(self.value.expand(*frames, *self.value.shape), {}, also)


def _value(start: Begin) -> nn.Parameter:
    value = torch.tensor(start.shares if isinstance(start, Classes) else start)
    return nn.Parameter(value.float(), requires_grad=False)
