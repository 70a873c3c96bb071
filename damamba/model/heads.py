"""From a representation of each frame to engagement: a score, or how probable each class is."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from damamba.config import LabelKind
from damamba.console import InputError
from damamba.model.precision import UnroundedLinear

RAREST = 1e-3
"""Share of a class that training has not shown, where predictions start."""
LEAST = 1e-3
"""Of a class that was read without a head, before the sum of all is made 1: such a reading can be negative."""
NARROWEST = 0.05
"""Distance of two thresholds in logits, where predictions start."""


@dataclass(frozen=True)
class Classes:
    """Classes that a model predicts, and how frequent they are in the training split: predictions start there."""

    kind: LabelKind
    names: tuple[str, ...]
    """In their order."""
    shares: tuple[float, ...]

    @classmethod
    def alike(cls, kind: LabelKind, names: tuple[str, ...]) -> "Classes":
        """All equally frequent."""
        return cls(kind, names, (1 / len(names),) * len(names))

    def smoothed(self) -> Float[Tensor, "K"]:
        """Shares, none below `RAREST`."""
        shares = torch.tensor(self.shares).clamp_min(RAREST)
        return shares / shares.sum()


Begin = float | Classes
"""Mean label of the training split; or the classes, where labels are classes."""


HELD_IN = nn.ModuleDict(), nn.ParameterDict()
"""What has the heads of further labels; a head is called like none of their attributes."""


def names_of(classes: Classes | None) -> tuple[str, ...]:
    """Names of the classes; none for a score."""
    return classes.names if classes else ()


@dataclass(frozen=True)
class Several:
    """Where the predictions of a model with several heads start."""

    main: Begin
    also: dict[str, Begin]
    """Of each further label, by name."""

    def __post_init__(self) -> None:
        if taken := [name for name in self.also if any(hasattr(held, name) for held in HELD_IN)]:
            raise InputError(f"params.yaml: labels.also.{taken[0]}: PyTorch has this name for itself; rename the label")


Start = Begin | Several


def main_of(start: Start) -> Begin:
    """Of the label at the top of the section `labels`."""
    return start.main if isinstance(start, Several) else start


def also_of(start: Start) -> dict[str, Begin]:
    """Of the further labels; empty for one."""
    return start.also if isinstance(start, Several) else {}


def score_head(width: int, label_mean: float) -> UnroundedLinear:
    """To the logit of a score; starts at the mean label with unit gain, so that predictions spread like labels."""
    head = UnroundedLinear(width, 1)
    _begin(head, label_mean)
    return head


def _begin(head: UnroundedLinear, label_mean: float) -> None:
    nn.init.normal_(head.weight, std=head.in_features**-0.5)
    mean = min(max(label_mean, 0.01), 0.99)  # labels that are all 0 or 1 have no logit
    nn.init.constant_(head.bias, math.log(mean / (1 - mean)))


class ScoreHead(UnroundedLinear):
    """A score in [0, 1]."""

    def __init__(self, width: int, label_mean: float) -> None:
        super().__init__(width, 1)
        _begin(self, label_mean)

    def forward(self, x: Float[Tensor, "*frames width"]) -> Float[Tensor, "*frames"]:
        """Each frame by itself."""
        return torch.sigmoid(super().forward(x).squeeze(-1))


class ClassHead(UnroundedLinear):
    """Probabilities of classes without an order: softmax."""

    def __init__(self, width: int, classes: Classes) -> None:
        super().__init__(width, len(classes.names))
        nn.init.normal_(self.weight, std=width**-0.5)
        with torch.no_grad():
            self.bias.copy_(classes.smoothed().log())

    def forward(self, x: Float[Tensor, "*frames width"]) -> Float[Tensor, "*frames K"]:
        """Each frame by itself."""
        return super().forward(x).softmax(-1)


class OrdinalHead(UnroundedLinear):
    """Probabilities of ordered classes: one score, and a threshold between each two neighbours (cumulative link).

    P(class > k) = sigmoid(score - threshold k); thresholds cannot cross.

    Source: McCullagh 1980, "Regression models for ordinal data" (proportional odds).
    """

    def __init__(self, width: int, classes: Classes) -> None:
        super().__init__(width, 1, bias=False)
        nn.init.normal_(self.weight, std=width**-0.5)
        below = classes.smoothed().cumsum(0)[:-1].clamp(RAREST, 1 - RAREST)
        thresholds = torch.logit(below)
        self.first = nn.Parameter(thresholds[:1].clone())
        steps = thresholds.diff().clamp_min(NARROWEST)
        self.steps = nn.Parameter(steps + torch.log(-torch.expm1(-steps)))  # softplus of it is the step

    def forward(self, x: Float[Tensor, "*frames width"]) -> Float[Tensor, "*frames K"]:
        """Each frame by itself."""
        thresholds = torch.cat((self.first, self.first + F.softplus(self.steps).cumsum(0)))
        above = torch.sigmoid(super().forward(x) - thresholds)
        ends = torch.ones_like(above[..., :1])
        return torch.cat((ends, above), -1) - torch.cat((above, torch.zeros_like(ends)), -1)


def as_probabilities(read: Float[Tensor, "*frames K"]) -> Float[Tensor, "*frames K"]:
    """Readings of one class against the others, made positive with a sum of 1."""
    read = read.clamp_min(LEAST)
    return read / read.sum(-1, keepdim=True)


def several(labels: Iterable[str]) -> str:
    """What a model of several labels predicts, for messages."""
    return f"predicts several labels ({', '.join(name or 'the first' for name in labels)})"


def make_head(width: int, start: Start) -> ScoreHead | ClassHead | OrdinalHead:
    """The head that labels of this kind need; of several, that of the first."""
    start = main_of(start)
    if not isinstance(start, Classes):
        return ScoreHead(width, start)
    return OrdinalHead(width, start) if start.kind == "ordinal" else ClassHead(width, start)


def other_heads(width: int, start: Start) -> nn.ModuleDict:
    """A head for each further label; empty, and without weights, for one label."""
    return nn.ModuleDict({name: make_head(width, each) for name, each in also_of(start).items()})


def read_each(heads: nn.ModuleDict, x: Float[Tensor, "*frames width"]) -> dict[str, Tensor]:
    """Predictions of `other_heads`, by label."""
    return {name: head(x) for name, head in heads.items()}
