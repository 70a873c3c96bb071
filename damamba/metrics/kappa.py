"""Cohen's kappa: agreement of classes beyond chance."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from damamba.metrics.base import ClassMetric, disagreement


class Kappa(ClassMetric):
    """1 is identity, 0 is what independent raters with the same shares of classes reach."""

    title = "kappa"

    def of_moments(self, moments: Float[ndarray, "*rows moments"]) -> Float[ndarray, "*rows"]:
        """NaN where label and prediction are one and the same class throughout."""
        return disagreement(self.confusion(moments), 1 - np.eye(len(self.classes)))
