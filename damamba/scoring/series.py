"""A session over time: what was annotated, what was predicted, and where a cue was missing; all at 25 Hz."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.data.shard_writer import ROWS_A_BATCH
from damamba.data.shards import Aligned, AlignedSeat, AlignedSession, Shard
from damamba.scoring.predictions import prediction_path, read_label, read_prediction

LARGEST_POINTS = 1500
"""Points a series in a picture, and in the report; longer sessions show the mean of each few frames."""


MOST_STRETCHES = 24
"""Stretches without cues that a report lists, of a second or more."""


@dataclass(frozen=True)
class ParticipantSeries:
    """One participant."""

    participant: str
    role: str
    label: np.ndarray
    """(L,) NaN where not annotated. Of classes, their places from 0 to 1."""
    prediction: np.ndarray
    """(L,), likewise."""
    missing: dict[str, np.ndarray]
    """Cue -> (L,) True where no grid frame of the label frame is valid."""


@dataclass(frozen=True)
class SessionSeries:
    """One session, with those of its participants that have labels."""

    corpus: str
    session: str
    language: str
    participants: tuple[ParticipantSeries, ...]

    @property
    def n_labels(self) -> int:
        """Label frames of the session."""
        return len(self.participants[0].prediction)


@dataclass(frozen=True)
class Stretch:
    """A time in which cues of a participant are missing."""

    corpus: str
    session: str
    participant: str
    start_s: float
    stop_s: float
    cues: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str, float, float]:
        """Its place in a list."""
        return self.corpus, self.session, self.participant, self.start_s, self.stop_s


def read_series(aligned: Aligned, predictions: Path, split: str) -> Iterator[SessionSeries]:
    """Sessions of a split that were scored, one after the other.

    Args:
        aligned: Shards, for the masks of the cues.
        predictions: Folder of one run.
        split: train, val or test.

    Raises:
        InputError: A prediction is missing, damaged or of another length than its session.
    """
    for session in aligned.split(split):
        labelled = [seat for seat in session.seats if seat.labelled]
        if labelled:
            series = tuple(_read_participant(aligned, predictions, session, seat) for seat in labelled)
            yield SessionSeries(session.corpus, session.session, session.language, series)


def _read_participant(
    aligned: Aligned, predictions: Path, session: AlignedSession, seat: AlignedSeat
) -> ParticipantSeries:
    path = prediction_path(predictions, session.corpus, session.session, seat.participant)
    run = predictions.name
    prediction = read_prediction(path, run)
    if len(prediction) != session.n_labels:
        raise InputError(
            f"{path}: {len(prediction)} rows, but {session.name} has {session.n_labels} label frames; "
            f"predict again: dvc repro -f evaluate@{run}"
        )
    missing = missing_cues(aligned, session, seat.participant)
    highest = max(len(aligned.annotated.classes) - 1, 1)
    label = read_label(path, run)
    return ParticipantSeries(seat.participant, seat.role, label / highest, prediction / highest, missing)


def missing_cues(aligned: Aligned, session: AlignedSession, participant: str) -> dict[str, np.ndarray]:
    """Cue -> (L,) True where no grid frame of the label frame is valid."""
    shard = aligned.shard(session, participant)
    return {cue: ~_seen(shard, cue, aligned.rate_hz // LABEL_RATE_HZ) for cue in aligned.cues}


def _seen(shard: Shard, cue: str, rows_per_label: int) -> np.ndarray:
    """(L,) whether any grid frame of a label is valid; read block by block, so that values are not copied."""
    blocks = range(0, shard.rows, ROWS_A_BATCH)
    valid = np.concatenate([shard.read(cue, at, min(at + ROWS_A_BATCH, shard.rows))[1] for at in blocks])
    return valid.reshape(-1, rows_per_label).max(1)


def stretches(mask: np.ndarray, step: int = 1) -> list[tuple[int, int]]:
    """[start, stop) of every run of True, widened to whole groups of `step` frames."""
    grouped = np.pad(mask, (0, -len(mask) % step)).reshape(-1, step).any(1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], grouped, [False]]).astype(np.int8)))
    return [(int(start) * step, min(int(stop) * step, len(mask))) for start, stop in edges.reshape(-1, 2)]


def worst_stretches(aligned: Aligned, most: int = MOST_STRETCHES) -> list[Stretch]:
    """The longest stretches of all sessions without some cues, by session, participant and time."""
    found: list[Stretch] = []
    for session in aligned.sessions:
        n_frames = session.n_labels * aligned.rate_hz // LABEL_RATE_HZ
        for seat in session.seats:
            who = seat.participant
            if all(aligned.moments(session, who, cue).n == n_frames for cue in aligned.cues):
                continue
            cues: dict[tuple[int, int], list[str]] = {}
            for cue, mask in missing_cues(aligned, session, who).items():
                for ends in stretches(mask):
                    if ends[1] - ends[0] >= LABEL_RATE_HZ:
                        cues.setdefault(ends, []).append(cue)
            at = session.corpus, session.session, who
            found += [
                Stretch(*at, start / LABEL_RATE_HZ, stop / LABEL_RATE_HZ, tuple(names))
                for (start, stop), names in cues.items()
            ]
            found = sorted(found, key=lambda one: (one.start_s - one.stop_s, one.key))[:most]
    return sorted(found, key=lambda one: one.key)


def decimate(series: np.ndarray, step: int) -> np.ndarray:
    """Mean of the finite values of every `step`; the last step may have fewer."""
    padded = np.pad(series.astype(np.float64), (0, -len(series) % step), constant_values=np.nan).reshape(-1, step)
    known = np.isfinite(padded)
    total = np.where(known, padded, 0).sum(1)
    return np.divide(total, known.sum(1), out=np.full(len(total), np.nan), where=known.any(1))


def step_for(n_labels: int, points: int = LARGEST_POINTS) -> int:
    """Number of frames that one drawn point stands for."""
    return -(-n_labels // points)


def valid_shares(aligned: Aligned) -> dict[AlignedSession, dict[str, float]]:
    """Session -> cue, or `label` -> share of its participants' frames that are valid."""
    shares = {}
    for session in aligned.sessions:
        n_frames = session.n_labels * aligned.rate_hz // LABEL_RATE_HZ
        people = [seat.participant for seat in session.seats]
        of_cues = {
            cue: sum(aligned.moments(session, who, cue).n for who in people) / (n_frames * len(people))
            for cue in aligned.cues
        }
        annotated = [aligned.labels(session, seat.participant)[1].mean() for seat in session.seats]
        shares[session] = {**of_cues, "label": float(np.mean(annotated))}
    return shares
