"""Annotations of one or several people, merged into one series of labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from damamba.config import CONTINUOUS, LABEL_RATE_HZ, LabelParams, MergeMethod
from damamba.console import InputError
from damamba.corpus.annotations import Annotation, read_annotation
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import label_files
from damamba.text import shell_path

MIN_ANNOTATED = 0.5
"""Stretches that end before this share of the recording are noted."""
MIN_COMMON = 2
"""Labels that two series must share for a correlation."""


@dataclass(frozen=True)
class MergedLabels:
    """One series, and the weights behind it."""

    labels: Labels
    weights: tuple[float, ...]
    """Weight of each annotator; they sum to 1."""


@dataclass(frozen=True)
class LabelReading:
    """Labels of a participant, and what is odd about the files that they come from."""

    labels: Labels
    counts: tuple[int, ...]
    """Values in each file that has one for every moment; expected are as many as there are labels."""
    notes: tuple[str, ...]


def read_label(
    label: str,
    end_s: float | None,
    slack_s: float,
    method: MergeMethod = "mean",
    lag_s: float = 0.0,
    n_frames: int = 0,
    labels: LabelParams = CONTINUOUS,
) -> LabelReading:
    """Read the labels of a participant from the files of all annotators.

    Args:
        label: `Participant.label`.
        end_s: Length of the recording, s; None: as long as the longest annotation.
        slack_s: How much a series may be shorter or longer than the recording, and a stretch may end later, s.
        method: As in `merge`.
        lag_s: Delay of the annotators, s.
        n_frames: Frames of the video; 0: unknown.
        labels: Their kind. Of several annotations of classes the majority counts, and a tie is not valid.

    Raises:
        InputError: As `read_annotation` and `merge`, or an annotation whose length does not fit the recording.
    """
    counts, notes, series = [], [], []
    for name, tier in label_files(label):
        annotation = read_annotation(Path(name), tier, labels=labels)
        if annotation.series:
            counts.append(len(annotation))
        annotation, noted = fitted(name, annotation, end_s, slack_s, n_frames)
        notes += noted
        series.append(annotation.labels(None if end_s is None else round(end_s * LABEL_RATE_HZ), lag_s))
    if labels.kind == "continuous":
        return LabelReading(merge(series, method).labels, tuple(counts), tuple(notes))
    if method != "mean":
        raise InputError(
            f"params.yaml: corpus.folder.merge: {method} weighs numbers, and labels.kind is {labels.kind}; set it to "
            "mean, with which the majority of the annotators counts"
        )
    chosen, ties = majority(series, len(labels.classes))
    if ties:
        notes.append(f"annotators tie on {ties} of {len(chosen)} label frames, which are not valid")
    chosen = replace(chosen, coders=coincidences(series, len(labels.classes)) if len(series) > 1 else None)
    return LabelReading(chosen, tuple(counts), tuple(notes))


def fitted(
    name: str, annotation: Annotation, end_s: float | None, slack_s: float, n_frames: int = 0
) -> tuple[Annotation, list[str]]:
    """The annotation, compared with the length of the recording, and notes about every difference.

    Args:
        name: File, in messages.
        annotation: As read.
        end_s: As in `read_label`.
        slack_s: As in `read_label`.
        n_frames: As in `read_label`.

    Raises:
        InputError: The lengths do not fit, or there is a value for each video frame rather than for each 1/25 s.
    """
    if end_s is None:
        if annotation.perhaps_header:
            return annotation, [f"{name}: its first line is 0; if that is the name of a column, remove the line"]
        return annotation, []
    expected = round(end_s * LABEL_RATE_HZ)
    notes = []
    if annotation.perhaps_header and len(annotation) == expected + 1:
        annotation = annotation.without_first()
        notes.append(f"{name}: its first line, 0, is the name of a column; {expected} values follow, as expected")
    count, annotated_s = len(annotation), float(annotation.end_s.max(initial=0.0))
    if annotation.lines and n_frames and abs(count - n_frames) <= 1 < abs(count - expected):
        target = Path(name).with_name(f"{Path(name).stem}.engagement.csv")
        raise InputError(
            f"{name}: {count} lines for the {n_frames} frames of the video, but labels have {LABEL_RATE_HZ} lines a "
            f"second, so {expected}; convert it, and name the result in the manifest: damamba convert "
            f"{shell_path(name)} {shell_path(str(target))} --rate-hz {n_frames / end_s:.6g}"
        )
    off_s, most_s = annotated_s - end_s, max(slack_s, 1 / LABEL_RATE_HZ) + 1e-6
    if off_s > most_s or (annotation.series and -off_s > most_s):
        length = f"{count} labels are" if annotation.series else "annotated up to"
        counted = f" ({expected} labels)" if annotation.series else ""
        in_ms = not annotation.series and abs(annotated_s / 1000 - end_s) < 0.5 * end_s
        remedy = "its times look like ms: name the columns start_ms;end_ms;value, or " if in_ms else ""
        raise InputError(
            f"{name}: {length} {annotated_s:.2f} s, but the recording lasts {end_s:.2f} s{counted}; {remedy}use the "
            f"file of this recording (one value a line means {LABEL_RATE_HZ} lines a second), or raise "
            "corpus.label_slack_s"
        )
    if annotation.lines and count != expected:
        outcome = (
            f"the last {count - expected} are cut" if count > expected else f"the last {expected - count} are missing"
        )
        notes.append(f"{name}: {count} lines, where {expected} are expected for {end_s:.2f} s; {outcome}")
    elif not annotation.series and annotated_s < MIN_ANNOTATED * end_s:
        notes.append(f"{name}: annotated up to {annotated_s:.2f} s of {end_s:.2f} s; are its times in s?")
    elif annotation.series and abs(off_s) > 1 / LABEL_RATE_HZ + 1e-6:
        notes.append(f"{name}: {count} values are {annotated_s:.2f} s, the recording lasts {end_s:.2f} s")
    return annotation, notes


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


def majority(series: Sequence[Labels], n_classes: int) -> tuple[Labels, int]:
    """The class that most annotators name at each label frame, and how many frames have no such class.

    Args:
        series: One an annotator, on the same clock, with the numbers of classes; a shorter one is not valid at its end.
        n_classes: Number of classes.
    """
    length = max(map(len, series))
    values = np.stack([labels.resized(length).value for labels in series])
    votes = np.stack([(values == k).sum(0) for k in range(n_classes)])
    most = votes.max(0)
    tied = (most > 0) & ((votes == most).sum(0) > 1)
    value = np.where((most > 0) & ~tied, votes.argmax(0), np.nan).astype(np.float32)
    return Labels(value, np.isfinite(value)), int(tied.sum())


def coincidences(series: Sequence[Labels], n_classes: int) -> np.ndarray:
    """(K, K) label frames by the classes of two annotators, summed over all pairs of annotators.

    Args:
        series: One an annotator, on the same clock, with the numbers of classes.
        n_classes: K.
    """
    counts = np.zeros((n_classes, n_classes), np.int64)
    for first, second in combinations(series, 2):
        n = min(len(first), len(second))  # beyond it, one of the two has no label
        both = first.valid[:n] & second.valid[:n]
        a, b = (one.value[:n][both].astype(np.int64) for one in (first, second))
        counts += np.bincount(a * n_classes + b, minlength=n_classes**2).reshape(n_classes, n_classes)
    return counts


def kappa_of(counts: np.ndarray) -> float | None:
    """Cohen's kappa of `coincidences`; None where chance alone explains everything."""
    n = counts.sum()
    expected = counts.sum(1) @ counts.sum(0) / n**2 if n else 1.0
    return float((np.trace(counts) / n - expected) / (1 - expected)) if expected < 1 else None


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
