"""Macro F1: the mean over classes, each counting the same however rare."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from damamba.metrics.base import ClassMetric


class MacroF1(ClassMetric):
    """Mean over the classes that were annotated or predicted of 2 TP / (2 TP + FP + FN)."""

    title = "macro F1"

    def of_moments(self, moments: Float[ndarray, "*rows moments"]) -> Float[ndarray, "*rows"]:
        """NaN without a frame."""
        confusion = self.confusion(moments)
        twice = 2 * np.diagonal(confusion, axis1=-2, axis2=-1)
        all_ = confusion.sum(-1) + confusion.sum(-2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(all_ > 0, twice / all_, 0).sum(-1) / (all_ > 0).sum(-1))
