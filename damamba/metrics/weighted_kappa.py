"""Weighted kappa: near classes are a smaller disagreement than distant ones."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from damamba.metrics.base import ClassMetric, disagreement


class WeightedKappa(ClassMetric):
    """Cohen's kappa whose disagreements weigh by the distance of the classes in their order."""

    title = "weighted kappa"
    kinds = ("ordinal",)

    class Params(ClassMetric.Params):
        """Settings."""

        weights: Literal["linear", "quadratic"] = "quadratic"
        """Power of the distance."""

    def of_moments(self, moments: Float[ndarray, "*rows moments"]) -> Float[ndarray, "*rows"]:
        """NaN as of `Kappa`."""
        place = np.arange(len(self.classes))
        power = 2 if getattr(self.params, "weights", "quadratic") == "quadratic" else 1
        return disagreement(self.confusion(moments), np.abs(place[:, None] - place).astype(float) ** power)
