"""From a representation of each frame to engagement: a score, or how probable each class is."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from damamba.config import LabelKind
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


Start = float | Classes
"""Mean label of the training split; or the classes, where labels are classes."""


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


def make_head(width: int, start: Start) -> ScoreHead | ClassHead | OrdinalHead:
    """The head that labels of this kind need."""
    if not isinstance(start, Classes):
        return ScoreHead(width, start)
    return OrdinalHead(width, start) if start.kind == "ordinal" else ClassHead(width, start)
