"""A folder or zip of predictions that anybody made, found by any of its names, and paired with the labels."""

import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.corpus.challenge import PREDICTION, corpus_of
from damamba.scoring.truth import Annotated, read_column, read_values

SLACK_FRAMES = 32
"""A file may be this much shorter or longer than its labels: some people write whole windows."""
ZIP_MOST_BYTES = 2**30
IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db")
Kind = Literal["missing", "unreadable", "length", "twice", "not finite", "range", "extra"]
WRONG: tuple[Kind, ...] = ("missing", "unreadable", "length", "twice")
"""Findings with which a score would not be the score of the corpus."""


@dataclass(frozen=True)
class Finding:
    """Something about a prediction folder that its owner should know."""

    kind: Kind
    where: str
    """File, or participant."""
    text: str

    @property
    def wrong(self) -> bool:
        """Whether the score would not be that of the corpus."""
        return self.kind in WRONG

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass(frozen=True)
class Pair:
    """Labels and predictions of one participant."""

    truth: Annotated
    pred: np.ndarray
    """As many values as the file has, float64; NaN and infinite where the file is."""

    def by_frame(self) -> tuple[np.ndarray, np.ndarray]:
        """(L,) predictions and labels, paired by frame: frames that the file misses are NaN, surplus is cut."""
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


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """A folder itself, or what a zip unpacks to.

    Raises:
        InputError: Neither, or a zip that is damaged or larger than predictions can be.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise InputError(f"{path}: no such folder or zip; name the predictions")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                total = sum(member.file_size for member in archive.infolist())
                if total > ZIP_MOST_BYTES:
                    raise InputError(
                        f"{path}: {total / 2**30:.1f} GiB when unpacked; no folder of predictions is so large"
                    )
                archive.extractall(folder)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise InputError(f"{path}: not a readable zip ({error}); name a folder or zip of predictions") from None
        yield Path(folder)


def pair(root: Path, truth: Sequence[Annotated]) -> tuple[list[Pair], list[Finding]]:
    """Find a prediction for every labelled participant.

    Folders may name the corpus as the challenge, the releases or damamba do, or not at all where session and
    participant are enough.

    Returns:
        One pair a labelled participant, without values where there is no usable file; and all findings.

    Raises:
        InputError: Not one of the files is a prediction for one of the labels.
    """
    findings: list[Finding] = []
    chosen: dict[tuple[str, str, str], Path] = {}
    exact = {one.key for one in truth}
    loose = Counter((one.session, one.participant) for one in truth)
    found = 0
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not set(p.parts) & set(IGNORED)):
        where = path.relative_to(root).as_posix()
        seat = _seat(path, root)
        if seat is None:
            findings.append(Finding("extra", where, "not named as a prediction; left out"))
            continue
        found += 1
        corpus, literal, session, participant = seat
        key = next((k for c in (corpus, literal) if c and (k := (c, session, participant)) in exact), None)
        if key is None and corpus is None and loose[session, participant] == 1:
            key = next(one.key for one in truth if (one.session, one.participant) == (session, participant))
        if key is None:
            findings.append(Finding("extra", where, "nobody of this name is among the labels; left out"))
        elif key in chosen:
            other = chosen[key].relative_to(root).as_posix()
            findings.append(Finding("twice", where, f"{other} is a prediction for the same participant; remove one"))
        else:
            chosen[key] = path
    if not chosen:
        raise InputError(
            f"{root}: {found} prediction files, none for one of the {len(truth)} labelled participants (such as "
            f"{truth[0].name}); expected [CORPUS/]SESSION/ROLE.engagement.prediction.csv, or data/predictions/RUN"
        )
    pairs = []
    for one in truth:
        pred = np.empty(0)
        if one.key not in chosen:
            findings.append(Finding("missing", one.name, f"no prediction; {len(one.value)} lines are expected"))
        else:
            where = chosen[one.key].relative_to(root).as_posix()
            try:
                pred = _read(chosen[one.key])
                findings += _check(where, pred, one)
            except InputError as error:
                findings.append(
                    Finding("unreadable", where, str(error).removeprefix(f"{chosen[one.key]}").lstrip(", :"))
                )
        pairs.append(Pair(one, pred))
    return pairs, findings


def _seat(path: Path, root: Path) -> tuple[str | None, str, str, str] | None:
    """(corpus that the folders mean, outermost folder, session, participant) of a file; None for another file."""
    named = PREDICTION.match(path.name)
    if not named and path.suffix not in (".parquet", ".csv"):
        return None
    participant = named["participant"] if named else path.stem
    *folders, session = path.parent.relative_to(root).parts or ("",)
    return corpus_of(folders), folders[0] if folders else "", session, participant


def _read(path: Path) -> np.ndarray:
    if path.suffix == ".parquet":
        return read_column(path, "prediction", "dvc repro -f evaluate@RUN")
    return read_values(path)


def _check(where: str, pred: np.ndarray, truth: Annotated) -> Iterator[Finding]:
    n, expected = len(pred), len(truth.value)
    n_valid = int(np.isfinite(truth.value).sum())
    if n == n_valid != expected:
        yield Finding(
            "length",
            where,
            f"{n} lines, as many as the label has valid ones, of {expected}: predictions for valid frames only, as the "
            "challenge's baseline writes; write one for every frame, or score with --official",
        )
    elif abs(n - expected) > SLACK_FRAMES:
        yield Finding(
            "length",
            where,
            f"{n} lines are {n / LABEL_RATE_HZ:.1f} s, the label has {expected} ({expected / LABEL_RATE_HZ:.1f} s); "
            f"write {LABEL_RATE_HZ} a second for exactly the label's frames",
        )
    unknown = int((~np.isfinite(pred)).sum())
    if unknown:
        yield Finding("not finite", where, f"{unknown} of {n} values are not finite; these frames are missing")
    outside = int(((pred < 0) | (pred > 1)).sum())
    if outside:
        yield Finding("range", where, f"{outside} of {n} values lie outside [0, 1]; they are scored as they are")
