"""Conditional demographic disparity: how differently groups of people are predicted at the same label.

Source: hcmlab/MultiMediate26 ``baseline/4_TestingNN_fairness_per_session.py``, fairness_gender and fairness_language,
for numbers. For classes, whose predictions have no mean, the shares of the predicted classes take its place.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

BINS = np.linspace(0, 1, 11)
"""Of a label in [0, 1], within which groups are compared."""
Series = tuple[np.ndarray, np.ndarray]
"""(N,) predictions and (N,) labels, all finite."""


def disparity(series: Mapping[str, Series]) -> dict[str, float | None]:
    """How much higher a group is predicted than all groups together at the same label: mean over bins of the label.

    Args:
        series: Of each group, in [0, 1].
    """
    pred, target = (np.concatenate([one[i] for one in series.values()]) for i in (0, 1))
    bins = np.digitize(target, BINS)
    means = {b: pred[bins == b].mean() for b in np.unique(bins)}
    found: dict[str, float | None] = {}
    for value, (own, label) in series.items():
        own_bins = np.digitize(label, BINS)
        steps = [own[own_bins == b].mean() - means[b] for b in np.unique(own_bins)]
        found[value] = float(np.mean(steps)) if steps else None
    return found


def class_disparity(series: Mapping[str, Series], n_classes: int) -> dict[str, float | None]:
    """How far the predicted classes of a group are from those of all groups together at the same annotated class.

    The distance is the total variation of the shares of the predicted classes, from 0 to 1; its mean over the annotated
    classes of the group counts. It has no sign.

    Args:
        series: Of each group, numbers of classes.
        n_classes: K.
    """
    pred, target = (np.concatenate([one[i] for one in series.values()]) for i in (0, 1))
    everybody = _shares((pred, target), n_classes)
    return {value: _distance(_shares(one, n_classes), everybody) for value, one in series.items()}


def class_gap(series: Mapping[str, Series], n_classes: int) -> float | None:
    """Largest distance, as of `class_disparity`, between two groups; None where no two share an annotated class."""
    shares = [_shares(one, n_classes) for one in series.values()]
    known = [d for a, b in combinations(shares, 2) if (d := _distance(a, b)) is not None]
    return max(known, default=None)


def _shares(series: Series, n_classes: int) -> np.ndarray:
    """(K, K) share of each predicted class at each annotated one; rows of classes that were not annotated are NaN."""
    pred, target = (one.astype(np.int64) for one in series)
    counts = np.bincount(target * n_classes + pred, minlength=n_classes**2).reshape(n_classes, n_classes)
    totals = counts.sum(1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _distance(a: np.ndarray, b: np.ndarray) -> float | None:
    apart = np.abs(a - b).sum(1) / 2
    apart = apart[np.isfinite(apart)]
    return float(apart.mean()) if len(apart) else None
