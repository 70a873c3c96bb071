"""Conditional demographic disparity: how differently groups of people are predicted at the same label.

Source: hcmlab/MultiMediate_26 ``baseline/4_TestingNN_fairness_per_session.py``: fairness_language(_classification) for
every attribute, fairness_gender(_classification) for any two groups. Of classes the numbers are compared, as there, so
that their order counts even where it has no meaning.
"""

from collections.abc import Iterable, Mapping

import numpy as np

BINS = np.linspace(0, 1, 11)
"""Of a label in [0, 1], within which groups are compared."""
Series = tuple[np.ndarray, np.ndarray]
"""(N,) predictions and (N,) labels, all finite."""


def disparity(series: Mapping[str, Series], n_classes: int | None = None) -> dict[str, float | None]:
    """How much higher a group is predicted than all groups together at the same label: mean over labels.

    Args:
        series: Of each group, in [0, 1], or numbers of classes.
        n_classes: K; None: labels are in [0, 1], and those of one bin count as the same.
    """
    everybody = _means((np.concatenate([one[i] for one in series.values()]) for i in (0, 1)), n_classes)
    return {group: _mean_step(_means(own, n_classes), everybody) for group, own in series.items()}


def disparity_between(first: Series, second: Series, n_classes: int | None = None) -> float | None:
    """How much higher `first` is predicted than `second` at the same label; None where no label is in both."""
    return _mean_step(_means(first, n_classes), _means(second, n_classes))


def _means(series: Iterable[np.ndarray], n_classes: int | None) -> dict[int, float]:
    """Bin of the label, or class -> mean prediction."""
    pred, label = series
    bins = np.digitize(label, BINS) if n_classes is None else label.astype(np.int64)
    return {int(b): float(pred[bins == b].mean()) for b in np.unique(bins)}


def _mean_step(own: Mapping[int, float], others: Mapping[int, float]) -> float | None:
    steps = [own[b] - others[b] for b in own.keys() & others.keys()]
    return float(np.mean(steps)) if steps else None
