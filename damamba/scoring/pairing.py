"""A folder of predictions in any of the challenge's layouts, paired with the labels."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.corpus.annotation_csv import read_values
from damamba.corpus.challenge import PREDICTION, annotation_of, corpus_of, scored_as
from damamba.corpus.release import CLASSES
from damamba.scoring.predictions import FURTHER, read_prediction, stored_classes
from damamba.scoring.truth import LabelledSeries
from damamba.text import size

SLACK_FRAMES = 32
"""A file may be this much shorter or longer than its labels: some people write whole windows."""
IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db")
MOST_BYTES_A_VALUE = 64
"""Of a file of predictions; a number with all its digits has 24 characters."""
MOST_VALUES = 64
"""In a Parquet file, for each label frame; more are not read."""
BASE_BYTES = 1 << 16
"""Of a file, for a header."""
FindingKind = Literal[
    "missing", "unreadable", "length", "twice", "frames missing", "not finite", "header", "count", "range", "extra"
]
WRONG: tuple[FindingKind, ...] = ("missing", "unreadable", "length", "twice", "frames missing")
"""Findings with which the result would not be the score of the whole corpus."""


@dataclass(frozen=True)
class PredictionFinding:
    """Something about a folder of predictions that its owner should know."""

    kind: FindingKind
    where: str
    """File, or participant."""
    text: str

    @property
    def wrong(self) -> bool:
        """Whether the result would not be the score of the whole corpus."""
        return self.kind in WRONG

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass(frozen=True)
class PairedSeries:
    """Labels and predictions of one participant."""

    truth: LabelledSeries
    pred: np.ndarray
    """As many values as the file has, float64, with its NaN and infinities; of classes, their numbers."""

    def by_frame(self) -> tuple[np.ndarray, np.ndarray]:
        """(L,) predictions and labels, paired by frame: frames that the file lacks are NaN, surplus is cut."""
        pred = np.full(len(self.truth.value), np.nan)
        n = min(len(pred), len(self.pred))
        pred[:n] = self.pred[:n]
        return pred, self.truth.value

    def official(self) -> tuple[np.ndarray, np.ndarray]:
        """Predictions and labels as the challenge's script 5 pairs them.

        Invalid lines of either file are removed first, then lines are paired in their order and the longer is cut.
        """
        pred, target = (series[~np.isnan(series)] for series in (self.pred, self.truth.value))
        n = min(len(pred), len(target))
        return pred[:n], target[:n]


class _NamedFile(NamedTuple):
    """Parts of the path of a prediction file."""

    corpus: str | None
    """Corpus by the names of the folders; None where they name none."""
    outermost: str
    """Outermost folder, which may be the corpus of one's own recordings."""
    session: str
    participant: str
    classes: tuple[str, ...] | None
    """What the file predicts by its name or, in Parquet, by its metadata; none for numbers, None where it is open."""


def pair(
    root: Path, truth: Sequence[LabelledSeries], named: Path | None = None
) -> tuple[list[PairedSeries], list[PredictionFinding]]:
    """Find the prediction of every labelled participant.

    Folders may name the corpus as the challenge, the releases or damamba do, or not at all where session and
    participant are enough.

    Args:
        root: Folder of the predictions.
        truth: All labels.
        named: What the user named, in messages: a zip that was unpacked to `root`; None: `root`.

    Returns:
        One pair for each labelled participant, without predictions where there is no usable file; and all findings.

    Raises:
        InputError: None of the files is a prediction for one of the labels.
    """
    chosen, n_files, findings = _assign(root, truth)
    if not chosen:
        raise InputError(
            f"{named or root}: {n_files} prediction files, none for one of the {len(truth)} labelled participants "
            f"(such as {truth[0].name}); expected [CORPUS/]SESSION/ROLE.engagement.prediction.csv, or "
            "data/predictions/RUN"
        )
    pairs = []
    for labels in truth:
        pred = np.empty(0)
        if labels.key not in chosen:
            text = f"no prediction; {len(labels.value)} lines are expected"
            findings.append(PredictionFinding("missing", labels.name, text))
        else:
            path = chosen[labels.key]
            where = path.relative_to(root).as_posix()
            try:
                pred, noted = _read(path, where, labels)
                findings += [*noted, *_check(where, pred, labels)]
            except InputError as error:
                text = str(error).removeprefix(f"{path}").lstrip(", :")
                findings.append(PredictionFinding("unreadable", where, text))
        pairs.append(PairedSeries(labels, pred))
    return pairs, findings


def _assign(
    root: Path, truth: Sequence[LabelledSeries]
) -> tuple[dict[tuple[str, str, str], Path], int, list[PredictionFinding]]:
    """Key of a labelled participant -> file; number of files that are named as predictions; findings on files."""
    findings: list[PredictionFinding] = []
    chosen: dict[tuple[str, str, str], Path] = {}
    keys = {labels.key for labels in truth}
    of_seat: dict[tuple[str, str], list[LabelledSeries]] = defaultdict(list)
    for labels in truth:
        of_seat[labels.session, labels.participant].append(labels)
    n_files = 0
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not _left_out(p, root)):
        where = path.relative_to(root).as_posix()
        named = _named(path, root)
        if named is None:
            findings.append(PredictionFinding("extra", where, "not named as a prediction; left out"))
            continue
        n_files += 1
        corpora = [corpus for corpus in (named.corpus, named.outermost) if corpus]
        key = next((k for c in corpora if (k := (c, named.session, named.participant)) in keys), None)
        if key is None and named.corpus is None:
            there = of_seat[named.session, named.participant]
            of_kind = [labels.key for labels in there if named.classes in (None, labels.classes)]
            key = of_kind[0] if len(of_kind) == 1 else None
        if key is None:
            findings.append(PredictionFinding("extra", where, "no labels for this participant; left out"))
        elif key in chosen:
            other = chosen[key].relative_to(root).as_posix()
            text = f"{other} is a prediction for the same participant; remove one"
            findings.append(PredictionFinding("twice", where, text))
        else:
            chosen[key] = path
    return chosen, n_files, findings


def _left_out(path: Path, root: Path) -> bool:
    """Whether a file holds other things than this label: one of the system, or a further label of our own runs."""
    return bool(set(path.parts) & set(IGNORED)) or path.relative_to(root).parts[0] == FURTHER


def _named(path: Path, root: Path) -> _NamedFile | None:
    """Corpus, session and participant by the path; None for a file that is not named as a prediction."""
    match = PREDICTION.match(path.name)
    if not match and path.suffix not in (".parquet", ".csv"):
        return None
    participant = match["participant"] if match else path.stem
    *folders, session = path.parent.relative_to(root).parts or ("",)
    classes = CLASSES.get(match["annotation"], ()) if match else None
    if path.suffix == ".parquet":
        classes = stored_classes(path)
    annotation = annotation_of(classes or ())
    corpus, outermost = (name and scored_as(name, annotation) for name in (corpus_of(folders), "".join(folders[:1])))
    return _NamedFile(corpus, outermost or "", session, participant, classes)


def _read(path: Path, where: str, truth: LabelledSeries) -> tuple[np.ndarray, list[PredictionFinding]]:
    """(N,) values of a file.

    Raises:
        InputError: It cannot be read, or is far larger than predictions for these labels can be.
    """
    n_bytes, expected = path.stat().st_size, len(truth.value)
    if n_bytes > MOST_BYTES_A_VALUE * (expected + SLACK_FRAMES) + BASE_BYTES:
        raise InputError(f"{size(n_bytes)} for {expected} label frames; expected one number a line, 25 a second")
    if path.suffix == ".parquet":
        pred = read_prediction(path, "RUN", MOST_VALUES * (expected + SLACK_FRAMES))
        if (classes := stored_classes(path)) != truth.classes:
            shown = [", ".join(names) or "numbers" for names in (classes, truth.classes)]
            raise InputError(f"it predicts {shown[0]}, the labels are {shown[1]}; score it against labels of its kind")
        return pred, []
    read = read_values(path, truth.annotated)
    fitting = read.of_length(expected)
    if fitting is read:
        return read.value, []
    text = f"{expected + 1} lines, of which the first, 0, is the name of a column; {expected} values are scored"
    return fitting.value, [PredictionFinding("header", where, text)]


def _check(where: str, pred: np.ndarray, truth: LabelledSeries) -> Iterator[PredictionFinding]:
    n, expected = len(pred), len(truth.value)
    n_valid = int(np.isfinite(truth.value).sum())
    if n == n_valid != expected:
        yield PredictionFinding(
            "length",
            where,
            f"{n} lines, as many as the label has valid ones, of {expected}: predictions for valid frames only, as the "
            "challenge's baseline writes; write one for every frame, or score with --official",
        )
    elif abs(n - expected) > SLACK_FRAMES:
        yield PredictionFinding(
            "length",
            where,
            f"{n} lines are {n / LABEL_RATE_HZ:.1f} s, the label has {expected} ({expected / LABEL_RATE_HZ:.1f} s); "
            f"write {LABEL_RATE_HZ} a second for exactly the label's frames",
        )
    unknown = int((~np.isfinite(pred)).sum())
    common = min(n, expected)
    lacking = int((np.isfinite(truth.value[:common]) & ~np.isfinite(pred[:common])).sum())
    if unknown and lacking > SLACK_FRAMES:
        text = f"{unknown} of {n} values are not finite, {lacking} of them where there is a label; predict every frame"
        yield PredictionFinding("frames missing", where, text)
    elif unknown:
        yield PredictionFinding(
            "not finite", where, f"{unknown} of {n} values are not finite; these frames are missing"
        )
    if 0 < abs(n - expected) <= SLACK_FRAMES and n != n_valid:
        outcome = f"the last {n - expected} are cut" if n > expected else f"the last {expected - n} frames are missing"
        yield PredictionFinding("count", where, f"{n} lines, the label has {expected}; {outcome}")
    outside = 0 if truth.classes else int(((pred < 0) | (pred > 1)).sum())
    if outside:
        yield PredictionFinding("range", where, f"{outside} of {n} values lie outside [0, 1]; they are scored as given")
