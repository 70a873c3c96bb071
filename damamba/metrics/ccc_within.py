"""CCC within people: whether a prediction follows each person over time, whatever the person's level."""

import numpy as np
from jaxtyping import Bool, Float, Num
from numpy import ndarray

from damamba.metrics.base import Metric
from damamba.metrics.ccc import CONSTANT, ROUNDING


class CCCWithin(Metric):
    """Pooled CCC after each participant's own means in a session were subtracted from prediction and label.

    A constant prediction for each person scores 0, however well it separates people.
    """

    title = "CCC within"
    moments = ("frames", "sum_pp", "sum_tt", "sum_pt")
    """Number of frames, and sums of p², t² and p·t, each about the participant's own means."""

    def of_series(
        self, pred: Num[ndarray, "frames"], target: Num[ndarray, "frames"], valid: Bool[ndarray, "frames"]
    ) -> Float[ndarray, "4"]:
        """Moments of one participant in one session; all 0 without a valid frame."""
        if not valid.any():
            return np.zeros(4)
        pred, target = (series[valid].astype(np.float64) for series in (pred, target))
        pred, target = (series - series[0] for series in (pred, target))  # a constant is exactly zero now
        pred, target = (series - series.mean() for series in (pred, target))
        return np.array([len(pred), pred @ pred, target @ target, pred @ target])

    def of_moments(self, moments: Float[ndarray, "*rows 4"]) -> Float[ndarray, "*rows"]:
        """2 Σpt / (Σp² + Σt²); NaN where both series are constant for every participant."""
        count, square_pred, square_target, product = np.moveaxis(np.asarray(moments, dtype=np.float64), -1, 0)
        spread = square_pred + square_target
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(spread > ROUNDING * count, 2 * product / spread, np.nan)

    def applies(self, moments: Float[ndarray, "*rows 4"]) -> Bool[ndarray, "*rows"]:
        """Where the annotation of somebody varies."""
        return np.asarray(np.asarray(moments)[..., 2] > CONSTANT)
