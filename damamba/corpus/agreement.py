"""What one or several people said of a participant becomes one series of labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ, MergeMethod
from damamba.console import InputError
from damamba.corpus.annotations import Annotation, read_annotation
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import label_files

MIN_COMMON = 2
"""Labels that two series must share for a correlation."""


@dataclass(frozen=True)
class Merged:
    """One series, and how it came about."""

    labels: Labels
    weights: tuple[float, ...]
    """Of each annotator; they sum to 1."""
    n_annotators: np.ndarray
    """(L,) int: how many annotated each label."""


def read_label(
    label: str, end_s: float | None, slack_s: float, method: MergeMethod = "mean", lag_s: float = 0.0
) -> Labels:
    """Labels of a participant, from the files of all who annotated them.

    Args:
        label: `Participant.label`.
        end_s: Length of the recording, s; None: as long as the longest annotation.
        slack_s: How much a series may be shorter or longer, and a stretch end later, s.
        method: As in `merge`.
        lag_s: Time by which the annotators were late, s.

    Raises:
        InputError: As `read_annotation` and `merge`, or an annotation that is not of this recording.
    """
    read = [(name, read_annotation(Path(name), tier)) for name, tier in label_files(label)]
    length = None
    if end_s is not None:
        length = round(end_s * LABEL_RATE_HZ)
        for name, annotation in read:
            _check_length(name, annotation, end_s, slack_s)
    return merge([annotation.labels(length, lag_s) for _, annotation in read], method).labels


def _check_length(name: str, annotation: Annotation, end_s: float, slack_s: float) -> None:
    annotated_s = float(annotation.end_s.max(initial=0.0))
    off_s, most_s = annotated_s - end_s, max(slack_s, 1 / LABEL_RATE_HZ) + 1e-6
    if off_s > most_s or (annotation.series and -off_s > most_s):
        said = f"{len(annotation)} labels are" if annotation.series else "annotated up to"
        raise InputError(
            f"{name}: {said} {annotated_s:.2f} s, but the recording lasts {end_s:.2f} s; bring the right file (one "
            f"value a line is {LABEL_RATE_HZ} a second), or raise corpus.label_slack_s"
        )


def merge(series: Sequence[Labels], method: MergeMethod = "mean", min_annotators: int = 1) -> Merged:
    """Weighted mean over annotators, label by label, of those who annotated it.

    Args:
        series: One an annotator, on the same clock; a shorter one is not valid at its end.
        method: ``mean``, or ``ewe``: the evaluator-weighted estimator, whose weights are each annotator's correlation
            with the mean of the others, so that who answers at random counts for nothing; below 0 it is 0.
        min_annotators: A label that fewer annotated is not valid.

    Raises:
        InputError: Nobody, more annotators wanted than there are, or with ``ewe`` nobody who agrees with the others.

    Source:
        Grimm & Kroschel 2005, "Evaluation of natural emotions using self assessment manikins", eq. 5. Their mean has
        everybody in it; here it is the others', which one's own errors do not raise.
    """
    if not series or not 1 <= min_annotators <= len(series):
        raise InputError(f"{len(series)} annotators and at least {min_annotators} wanted for a label; give more files")
    length = max(map(len, series))
    resized = [labels.resized(length) for labels in series]
    valid = np.stack([labels.valid for labels in resized])
    value = np.where(valid, np.stack([labels.value for labels in resized]), 0.0).astype(np.float64)
    weights = np.ones(len(series)) if method == "mean" else _agreements(value, valid)
    if not weights.any():
        raise InputError("no annotator agrees with the others, so there are no weights; look at them, or merge by mean")
    weights /= weights.sum()
    counted = np.where(valid, weights[:, None], 0.0).sum(0)
    n_annotators = valid.sum(0)
    known = (n_annotators >= min_annotators) & (counted > 0)
    merged = np.full(length, np.nan, np.float32)
    merged[known] = np.clip(weights @ value[:, known] / counted[known], 0, 1)
    return Merged(Labels(merged, known), tuple(weights.tolist()), n_annotators)


def _agreements(value: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(A,): correlation of each annotator with the mean of the others, not below 0; one annotator has 1."""
    if len(value) == 1:
        return np.ones(1)
    totals, counts = value.sum(0), valid.sum(0)
    agreements = np.zeros(len(value))
    for i, (own, here) in enumerate(zip(value, valid, strict=True)):
        common = here & (counts > 1)
        if common.sum() < MIN_COMMON:
            continue
        others = (totals[common] - own[common]) / (counts[common] - 1)
        a, b = own[common] - own[common].mean(), others - others.mean()
        spread = np.sqrt((a @ a) * (b @ b))
        # a constant series agrees with nothing
        agreements[i] = max(a @ b / spread, 0.0) if spread > 1e-12 * common.sum() else 0.0
    return agreements
