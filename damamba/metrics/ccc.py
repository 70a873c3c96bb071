"""CCC as the challenge scores it: concordance correlation of the pooled frames."""

import numpy as np
from jaxtyping import Bool, Float, Num
from numpy import ndarray

from damamba.metrics.base import Metric

CENTRE = 0.5  # moments are taken about the middle of [0, 1]: small numbers keep their digits
ROUNDING = 1e-13  # of sums of squares in double precision
CONSTANT = 1e-5
"""Sum of squares of a constant annotation at most, of moments on file too, which have six decimals."""
MOMENTS = ("frames", "sum_p", "sum_t", "sum_pp", "sum_tt", "sum_pt")
"""Names of `session_moments`, as in tables on disk."""


class CCC(Metric):
    """The challenge's metric: 1 is identity, 0 is chance."""

    title = "CCC"
    moments = MOMENTS

    def of_series(
        self, pred: Num[ndarray, "frames"], target: Num[ndarray, "frames"], valid: Bool[ndarray, "frames"]
    ) -> Float[ndarray, "6"]:
        """`session_moments`."""
        return session_moments(pred, target, valid)

    def of_moments(self, moments: Float[ndarray, "*rows 6"]) -> Float[ndarray, "*rows"]:
        """`ccc_of_moments`."""
        return ccc_of_moments(moments)

    def applies(self, moments: Float[ndarray, "*rows 6"]) -> Bool[ndarray, "*rows"]:
        """Where the annotation varies."""
        count, _, total, _, squares, _ = np.moveaxis(np.asarray(moments, dtype=np.float64), -1, 0)
        return np.asarray(squares - total**2 / np.maximum(count, 1) > CONSTANT)


def ccc(pred: Num[ndarray, "frames"], target: Num[ndarray, "frames"], valid: Bool[ndarray, "frames"]) -> float:
    """Concordance correlation: 1 is identity, 0 is chance.

    Population moments over every valid frame, in float64. Series are paired by frame, then masked.

    Args:
        pred: Predicted engagement, finite where valid.
        target: Annotated engagement; any value where it is not valid.
        valid: True where the frame was annotated.

    Returns:
        2 cov / (var_p + var_t + (mean_p - mean_t)²); NaN where that is 0 / 0: no valid frame, or both series constant
        and equal.

    Source:
        Lin 1989, doi:10.2307/2532051; hcmlab/MultiMediate26 baseline/5_CreateResulttable.py.
    """
    pred, target = (series[valid].astype(np.float64) for series in (pred, target))
    if not len(pred):
        return float("nan")
    apart = pred[0] - target[0]
    pred, target = pred - pred[0], target - target[0]  # a constant series is exactly zero now, and so is its variance
    mean_pred, mean_target = pred.mean(), target.mean()
    covariance = np.mean((pred - mean_pred) * (target - mean_target))
    spread = pred.var() + target.var() + (apart + mean_pred - mean_target) ** 2
    return float(2 * covariance / spread) if spread > 0 else float("nan")


def session_moments(
    pred: Num[ndarray, "frames"], target: Num[ndarray, "frames"], valid: Bool[ndarray, "frames"]
) -> Float[ndarray, "6"]:
    """Count and sums of p, t, p², t² and p·t over the valid frames of one session, about `CENTRE`.

    Moments add: those of a corpus are the sum of those of its sessions.
    """
    pred, target = (series[valid].astype(np.float64) - CENTRE for series in (pred, target))
    return np.array([len(pred), pred.sum(), target.sum(), pred @ pred, target @ target, pred @ target])


def ccc_of_moments(moments: Float[ndarray, "*rows 6"]) -> Float[ndarray, "*rows"]:
    """CCC of pooled frames from their moments; NaN as in `ccc`."""
    count, *sums = np.moveaxis(np.asarray(moments, dtype=np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 is the NaN that is wanted
        mean_pred, mean_target, square_pred, square_target, product = (total / count for total in sums)
        covariance = product - mean_pred * mean_target
        spread = square_pred - mean_pred**2 + square_target - mean_target**2 + (mean_pred - mean_target) ** 2
        rounding = ROUNDING * (square_pred + square_target)  # what two equal constants leave of 0
        return np.where(spread > rounding, 2 * covariance / spread, np.nan)
