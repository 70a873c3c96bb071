"""Causal cues row by row, as pictures and sound arrive: live, and in the offline pass of the same cue.

A row is given as soon as all that it depends on has been seen or heard. Memory does not grow with the length.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from damamba.media.sound import Waveform
from damamba.spool import RowsOnDisk, SpooledRows
from damamba.streams.stored_face_track import TrackedFace


class Rows(NamedTuple):
    """The next rows of a cue, in order; fields as of `FeatureStream`."""

    t_s: np.ndarray
    """(n,) float64."""
    x: np.ndarray | RowsOnDisk
    """(n, D) float32, NaN where not valid."""
    valid: np.ndarray
    """(n,) bool."""
    score: np.ndarray
    """(n,) float32."""

    @classmethod
    def none(cls, width: int) -> "Rows":
        """No row of a width."""
        return cls(np.empty(0), np.empty((0, width), np.float32), np.empty(0, bool), np.empty(0, np.float32))

    @classmethod
    def one(cls, t_s: float, x: np.ndarray | None, score: float, width: int) -> "Rows":
        """One row; `x` is None where it is not valid."""
        values = np.full(width, np.nan, np.float32) if x is None else x.astype(np.float32)
        rated = 0.0 if x is None else score
        return cls(np.array([t_s]), values[None], np.array([x is not None]), np.array([rated], np.float32))


@dataclass(frozen=True)
class SeenFrame:
    """A picture and the person's face in it."""

    t_s: float
    image: np.ndarray
    """(height, width, 3) uint8 RGB."""
    face: TrackedFace | None
    """None where the person is not seen."""
    score: float
    """Share of the landmarks that are inside the picture; 0 without a face."""


class PictureStepper(ABC):
    """State of a cue of pictures; one for each person."""

    width: int
    """D."""

    @abstractmethod
    def see(self, frame: SeenFrame) -> Rows:
        """Rows that are complete with the next picture, none of them later than it."""


class SoundStepper(ABC):
    """State of a cue of sound; one for each person."""

    width: int
    """D."""

    @property
    @abstractmethod
    def next_s(self) -> float:
        """Time of the next row, s: all rows before it have been given."""

    @abstractmethod
    def hear(self, samples: np.ndarray, observed: bool) -> Rows:
        """Rows that are complete with the next (n,) float32 samples at 16 kHz; `observed` is False for lost ones."""

    @abstractmethod
    def finish(self) -> Rows:
        """The last rows, where the sound ends."""


def rows_of_sound(stepper: SoundStepper, waveform: Waveform) -> Rows:
    """All rows of a whole sound."""

    def parts() -> Iterator[Rows]:
        for samples, observed in waveform.pieces():
            yield stepper.hear(samples, observed)
        yield stepper.finish()

    return joined(parts(), stepper.width)


def joined(parts: Iterable[Rows], width: int) -> Rows:
    """All rows of all parts; long ones wait on the disk."""
    t_s, valid, score, x = [np.empty(0)], [np.empty(0, bool)], [np.empty(0, np.float32)], SpooledRows(width)
    for part in parts:
        t_s.append(part.t_s)
        x.append(np.asarray(part.x))
        valid.append(part.valid)
        score.append(part.score)
    return Rows(np.concatenate(t_s), x.rows(), np.concatenate(valid), np.concatenate(score))
