"""CCC as the challenge scores it, and how far it would move with other sessions.

Six sums over a session's frames (`session_moments`) are all that a pooled CCC needs, so a thousand resamples of
sessions are one matrix product.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Num
from numpy import ndarray

CENTRE = 0.5  # moments are taken about the middle of [0, 1]: small numbers keep their digits
ROUNDING = 1e-13  # of sums of squares in double precision
MOMENTS = ("frames", "sum_p", "sum_t", "sum_pp", "sum_tt", "sum_pt")
"""Names of `session_moments`, as in tables on disk."""


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
    pred, target = pred - pred[0], target - target[0]  # a constant series is exactly zero now, also in its variance
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


def global_ccc(corpora: Sequence[Float[ndarray, "_ 6"]]) -> float:
    """Mean over corpora of the CCC of each one's pooled frames; one corpus is just that."""
    return float(np.mean([ccc_of_moments(sessions.sum(axis=0)) for sessions in corpora]))


def bootstrap_interval(
    corpora: Sequence[Float[ndarray, "_ 6"]], *, resamples: int, confidence: float, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of `global_ccc` when the sessions of each corpus are drawn again with replacement.

    Sessions, not frames: neighbouring frames are nearly copies of each other.

    Args:
        corpora: `session_moments` of the sessions of each corpus.
        resamples: How often.
        confidence: Share of the resamples inside, e.g. 0.95.
        seed: Of the draw.

    Returns:
        (low, high); NaN where a corpus has fewer than two sessions, which say nothing about others.

    Source:
        Efron & Tibshirani 1993, chapter 13.
    """
    return percentile_interval(resampled_ccc(corpora, resamples, seed), confidence, corpora)


def bootstrap_difference(
    corpora: Sequence[Float[ndarray, "_ 6"]],
    baseline: Sequence[Float[ndarray, "_ 6"]],
    *,
    resamples: int,
    confidence: float,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(`global_ccc` of a model less that of another, low, high), both scored on the same resampled sessions.

    Args:
        corpora: `session_moments` of the one model.
        baseline: Those of the other, of the same sessions in the same order.
        resamples: As in `bootstrap_interval`, like the rest.
        confidence: Share of the resamples inside.
        seed: Of the draw.

    Raises:
        ValueError: The two do not hold the same sessions.
    """
    counts, other = ([sessions[:, 0].tolist() for sessions in model] for model in (corpora, baseline))
    if counts != other:
        raise ValueError(f"paired scores need the same sessions and valid frames: {counts} frames, and {other}")
    differences = resampled_ccc(corpora, resamples, seed) - resampled_ccc(baseline, resamples, seed)
    return (global_ccc(corpora) - global_ccc(baseline), *percentile_interval(differences, confidence, corpora))


def resampled_ccc(corpora: Sequence[ndarray], resamples: int, seed: int) -> ndarray:
    """`global_ccc` of each resample; the draw depends on the seed and the numbers of sessions alone."""
    generator = np.random.default_rng(seed)
    scores = []
    for sessions in corpora:
        drawn = generator.multinomial(len(sessions), np.full(len(sessions), 1 / len(sessions)), size=resamples)
        scores.append(ccc_of_moments(drawn @ sessions))
    return np.mean(scores, axis=0)


def percentile_interval(scores: ndarray, confidence: float, corpora: Sequence[ndarray]) -> tuple[float, float]:
    """Ends of the middle `confidence`; resamples without a defined score are left out."""
    scores = scores[np.isfinite(scores)]
    if not len(scores) or min(len(sessions) for sessions in corpora) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(scores, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
