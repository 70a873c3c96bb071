"""Annotations of one or several people, merged into one series of labels."""

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
class MergedLabels:
    """One series, and the weights behind it."""

    labels: Labels
    weights: tuple[float, ...]
    """Weight of each annotator; they sum to 1."""


def read_label(
    label: str, end_s: float | None, slack_s: float, method: MergeMethod = "mean", lag_s: float = 0.0
) -> Labels:
    """Read the labels of a participant from the files of all annotators.

    Args:
        label: `Participant.label`.
        end_s: Length of the recording, s; None: as long as the longest annotation.
        slack_s: How much a series may be shorter or longer than the recording, and a stretch may end later, s.
        method: As in `merge`.
        lag_s: Delay of the annotators, s.

    Raises:
        InputError: As `read_annotation` and `merge`, or an annotation whose length does not fit the recording.
    """
    annotations = [(name, read_annotation(Path(name), tier)) for name, tier in label_files(label)]
    length = None
    if end_s is not None:
        length = round(end_s * LABEL_RATE_HZ)
        for name, annotation in annotations:
            _check_length(name, annotation, end_s, slack_s)
    return merge([annotation.labels(length, lag_s) for _, annotation in annotations], method).labels


def _check_length(name: str, annotation: Annotation, end_s: float, slack_s: float) -> None:
    annotated_s = float(annotation.end_s.max(initial=0.0))
    off_s, most_s = annotated_s - end_s, max(slack_s, 1 / LABEL_RATE_HZ) + 1e-6
    if off_s > most_s or (annotation.series and -off_s > most_s):
        length = f"{len(annotation)} labels are" if annotation.series else "annotated up to"
        raise InputError(
            f"{name}: {length} {annotated_s:.2f} s, but the recording lasts {end_s:.2f} s; use the file of this "
            f"recording (one value a line means {LABEL_RATE_HZ} lines a second), or raise corpus.label_slack_s"
        )


def merge(series: Sequence[Labels], method: MergeMethod = "mean", min_annotators: int = 1) -> MergedLabels:
    """Weighted mean of each label over the annotators who annotated it.

    Args:
        series: One an annotator, on the same clock; a shorter one is not valid at its end.
        method: ``mean``, or ``ewe``: the evaluator-weighted estimator. It weighs each annotator by the correlation
            with the mean of the others, at least 0, so that random annotations count for nothing.
        min_annotators: A label that fewer people annotated is not valid.

    Raises:
        InputError: No series, fewer series than `min_annotators`, or with ``ewe`` no annotator who agrees with the
            others.

    Source:
        Grimm & Kroschel 2005, "Evaluation of natural emotions using self assessment manikins", eq. 5. Their mean
        includes the annotator; here it does not, so that an annotator's own errors do not raise the weight.
    """
    if not series or not 1 <= min_annotators <= len(series):
        raise InputError(
            f"{len(series)} annotators, but a label needs at least {min_annotators}; give more files, or ask for fewer"
        )
    length = max(map(len, series))
    resized = [labels.resized(length) for labels in series]
    valid = np.stack([labels.valid for labels in resized])
    value = np.where(valid, np.stack([labels.value for labels in resized]), 0.0).astype(np.float64)
    weights = np.ones(len(series)) if method == "mean" else _agreements(value, valid)
    if not weights.any():
        raise InputError("no annotator agrees with the others, so there are no weights; check them, or merge by mean")
    weights /= weights.sum()
    weight_sums = np.where(valid, weights[:, None], 0.0).sum(0)
    known = (valid.sum(0) >= min_annotators) & (weight_sums > 0)
    merged = np.full(length, np.nan, np.float32)
    merged[known] = np.clip(weights @ value[:, known] / weight_sums[known], 0, 1)
    return MergedLabels(Labels(merged, known), tuple(weights.tolist()))


def _agreements(value: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(A,): correlation of each annotator with the mean of the others, at least 0; 1 for a single annotator."""
    if len(value) == 1:
        return np.ones(1)
    totals, counts = value.sum(0), valid.sum(0)
    agreements = np.zeros(len(value))
    for i, (own, own_valid) in enumerate(zip(value, valid, strict=True)):
        common = own_valid & (counts > 1)
        if common.sum() < MIN_COMMON:
            continue
        others = (totals[common] - own[common]) / (counts[common] - 1)
        a, b = own[common] - own[common].mean(), others - others.mean()
        spread = np.sqrt((a @ a) * (b @ b))
        # a constant series agrees with nothing
        agreements[i] = max(a @ b / spread, 0.0) if spread > 1e-12 * common.sum() else 0.0
    return agreements
