"""How each participant was predicted: the rows of ``results/sessions/<run>.csv``."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from damamba.console import InputError
from damamba.digits import DECIMALS, near, rounded
from damamba.files import replace_file
from damamba.metrics import Metric
from damamba.metrics.ccc_within import CCCWithin
from damamba.scoring.layout import column
from damamba.scoring.pooling import defined
from damamba.scoring.reading import read_rows

MOMENT_DECIMALS = 6
"""Of sums over frames. A float32 prediction is certain to about 1e-7, a sum over a session to less than 1e-6: further
decimals hold nothing. Scores and bootstraps of the table differ from those of exact sums by about 1e-7."""
MOMENT_SLACK = 1e-5
"""By which the mean of a moment over frames may differ from one machine to the next."""


Key = tuple[str, str, str]
"""Corpus, session and participant."""
Groups = Mapping[str, Mapping[str, Sequence[Key]]]
"""Column of the manifest -> its value -> participants."""


@dataclass(frozen=True)
class ParticipantScore:
    """Statistics of one participant of one session over the frames with a label; None where there is no such frame."""

    corpus: str
    session: str
    participant: str
    role: str
    language: str
    frames: int
    """Label frames that are valid."""
    invalid: int
    """Label frames that are not."""
    moments: dict[str, np.ndarray]
    """Metric -> (K,) moments, from which the score of any group of participants follows."""
    ccc: float | None
    mean_prediction: float | None = None
    mean_label: float | None = None
    std_prediction: float | None = None
    """Population standard deviation, like the next."""
    std_label: float | None = None
    mae: float | None = None
    """Mean absolute error."""

    @property
    def key(self) -> Key:
        """(corpus, session, participant)."""
        return self.corpus, self.session, self.participant

    @property
    def ccc_within(self) -> float | None:
        """CCC after the means were taken off prediction and label; None where that metric was not computed."""
        moments = self.moments.get("ccc_within")
        return None if moments is None else defined(CCCWithin(CCCWithin.Params()).of_moments(moments).item())


TEXT = ("corpus", "session", "participant", "role", "language")
COUNTS = ("frames", "invalid")
STATISTICS = tuple(f.name for f in fields(ParticipantScore) if f.name not in (*TEXT, *COUNTS, "moments"))


def statistics(pred: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Means, standard deviations and mean absolute error of paired frames, (N,) each; none of them without a frame."""
    if not len(pred):
        return {}
    return {
        "mean_prediction": float(pred.mean()),
        "mean_label": float(target.mean()),
        "std_prediction": float(pred.std()),
        "std_label": float(target.std()),
        "mae": float(np.abs(pred - target).mean()),
    }


def label_variance_within(participants: Sequence[ParticipantScore]) -> float | None:
    """Share of the labels' variance over all frames that lies within participants of a session; the rest is between.

    None without a label, or where all labels are equal.
    """
    known = [one for one in participants if one.mean_label is not None and one.std_label is not None]
    frames = np.array([one.frames for one in known], float)
    means = np.array([one.mean_label for one in known], float)
    within = frames @ np.array([one.std_label for one in known], float) ** 2
    between = frames @ (means - frames @ means / frames.sum()) ** 2 if known else 0.0
    return float(within / (within + between)) if within + between > 0 else None


def read_participants(path: Path, metrics: Mapping[str, Metric], run: str) -> list[ParticipantScore]:
    """Rows of a ``sessions/<run>.csv``.

    Raises:
        InputError: The file is missing or damaged, or lacks a metric; the message names the command that scores `run`.
    """
    remedy = f"dvc repro -f evaluate@{run}"
    columns = {name: [column(name, moment) for moment in metric.moments] for name, metric in metrics.items()}
    rows = read_rows(path, (*TEXT, *COUNTS, *STATISTICS, *(c for own in columns.values() for c in own)), remedy)
    participants = []
    try:
        for row in rows:
            values: dict[str, Any] = {name: row[name] for name in TEXT} | {name: int(row[name]) for name in COUNTS}
            values |= {name: float(row[name]) if row[name] else None for name in STATISTICS}
            moments = {name: np.array([float(row[c]) for c in own]) for name, own in columns.items()}
            participants.append(ParticipantScore(**values, moments=moments))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error}); make it again: {remedy}") from None
    return participants


def write_participants(path: Path, participants: Sequence[ParticipantScore], metrics: Mapping[str, Metric]) -> None:
    """Write the table, unless the file holds the same results already (`damamba.digits`).

    Moments of ``ccc`` have columns of their own names; those of other metrics are called ``<metric>.<moment>``.
    """
    rows = [_row(participant, metrics) for participant in participants]
    if path.is_file() and _same(list(csv.DictReader(io.StringIO(path.read_text(encoding="utf8"), newline=""))), rows):
        return
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    replace_file(path, text.getvalue().encode())


def _row(participant: ParticipantScore, metrics: Mapping[str, Metric]) -> dict[str, str]:
    row = {name: str(getattr(participant, name)) for name in (*TEXT, *COUNTS)}
    for name in STATISTICS:
        value = getattr(participant, name)
        row[name] = "" if value is None else f"{rounded(value):.{DECIMALS}f}"
    for name, metric in metrics.items():
        for moment, value in zip(metric.moments, participant.moments[name].tolist(), strict=True):
            exact = rounded(value, MOMENT_DECIMALS)
            row.setdefault(column(name, moment), f"{exact:.{MOMENT_DECIMALS}f}")  # `frames` is there already
    return row


def _same(old: Sequence[dict[str, str]], new: Sequence[dict[str, str]]) -> bool:
    """Whether two tables differ by no more than two machines do."""
    return len(old) == len(new) and all(map(_same_row, old, new))


def _same_row(old: dict[str, str], new: dict[str, str]) -> bool:
    if list(old) != list(new):
        return False
    for name in new:
        if old[name] == new[name]:
            continue
        if name in (*TEXT, *COUNTS) or not (old[name] and new[name]):
            return False
        if name in STATISTICS and not near(old[name], new[name]):
            return False
        slack = MOMENT_SLACK * int(new["frames"])
        if name not in STATISTICS and not near(old[name], new[name], MOMENT_DECIMALS, slack):
            return False
    return True
