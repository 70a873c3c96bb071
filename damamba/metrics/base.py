"""What a metric must provide: sums over frames that add up over sessions, and the score of such sums.

A score of pooled sessions, and of every bootstrap resample of them, is then one matrix product.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Num
from numpy import ndarray

from damamba.config import LabelKind, Section


class Metric(ABC):
    """Base of all metrics. A file of this folder, or a module of your own, defines exactly one subclass."""

    class Params(Section):
        """Settings of the metric, `evaluate.<name>` in params.yaml; a metric without settings keeps this empty one."""

    title: str
    """Name in headings of tables."""
    kinds: ClassVar[tuple[LabelKind, ...]] = ("continuous",)
    """Labels that the metric compares."""
    moments: tuple[str, ...]
    """Names of the sums. Each is a sum over frames of something between -1 and 1, so that moments add."""

    def __init__(self, params: Params) -> None:
        self.params = params

    @abstractmethod
    def of_series(
        self, pred: Num[ndarray, "frames"], target: Num[ndarray, "frames"], valid: Bool[ndarray, "frames"]
    ) -> Float[ndarray, "moments"]:
        """Moments of one participant in one session.

        Args:
            pred: Predicted engagement, finite where valid.
            target: Annotated engagement; any value where it is not valid.
            valid: True where the frame was annotated.
        """

    @abstractmethod
    def of_moments(self, moments: Float[ndarray, "*rows moments"]) -> Float[ndarray, "*rows"]:
        """Score of summed moments; NaN where it is undefined."""

    def applies(self, moments: Float[ndarray, "*rows moments"]) -> Bool[ndarray, "*rows"]:
        """Whether the frames behind the moments can be scored by themselves: not where their annotation is constant.

        A CCC is then 0 by its formula whatever was predicted, which means nothing. Where a metric does not override
        this, every defined score counts.
        """
        return np.asarray(np.isfinite(self.of_moments(moments)))


class ClassMetric(Metric):
    """A score of the confusion matrix: its moments are the K² counts of (annotated, predicted), row by row.

    Args:
        params: Settings.
        classes: Names in their order; series hold their numbers.
    """

    kinds: ClassVar[tuple[LabelKind, ...]] = ("ordinal", "categorical")

    def __init__(self, params: Metric.Params, classes: Sequence[str]) -> None:
        super().__init__(params)
        self.classes = tuple(classes)
        self.moments = tuple(f"{label} > {predicted}" for label in classes for predicted in classes)

    def of_series(
        self, pred: Num[ndarray, "frames"], target: Num[ndarray, "frames"], valid: Bool[ndarray, "frames"]
    ) -> Float[ndarray, "moments"]:
        """Counts of one participant in one session."""
        n = len(self.classes)
        label, predicted = (series[valid].astype(np.int64) for series in (target, pred))
        return np.bincount(label * n + predicted, minlength=n * n).astype(np.float64)

    def applies(self, moments: Float[ndarray, "*rows moments"]) -> Bool[ndarray, "*rows"]:
        """Where at least two classes were annotated."""
        return np.asarray((self.confusion(moments).sum(-1) > 0).sum(-1) > 1)

    def confusion(self, moments: Float[ndarray, "*rows moments"]) -> Float[ndarray, "*rows K K"]:
        """(…, annotated, predicted) counts."""
        moments = np.asarray(moments, np.float64)
        return moments.reshape(*moments.shape[:-1], len(self.classes), len(self.classes))


def most_probable(probabilities: Num[ndarray, "frames K"]) -> Float[ndarray, "frames"]:
    """Number of the most probable class, NaN where nothing was predicted."""
    unknown = np.asarray(np.isnan(probabilities).any(-1))
    return np.where(unknown, np.nan, np.where(np.isnan(probabilities), 0, probabilities).argmax(-1))


def disagreement(confusion: Float[ndarray, "*rows K K"], weights: Float[ndarray, "K K"]) -> Float[ndarray, "*rows"]:
    """1 - weighted disagreement over that of independent raters: Cohen's kappa; NaN where the latter is 0.

    Source: Cohen 1960, doi:10.1177/001316446002000104; weighted: Cohen 1968, doi:10.1037/h0026256.
    """
    n = confusion.sum((-2, -1))
    rows, columns = confusion.sum(-1), confusion.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.einsum("...i,ij,...j->...", rows, weights, columns) / n
        return np.where(expected > 0, 1 - (confusion * weights).sum((-2, -1)) / expected, np.nan)
