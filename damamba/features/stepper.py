"""Causal cues row by row, as pictures and sound arrive: live, and in the offline pass of the same cue.

A row is given as soon as all that it depends on has been seen or heard. Memory does not grow with the length.
"""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from damamba.spool import RowsOnDisk, SpooledRows
from damamba.streams.stream import FeatureStream

if TYPE_CHECKING:  # the keys of all cues hash this module and what it imports
    from damamba.media.picture import AnyPicture
    from damamba.media.sound import Waveform
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
    picture: "AnyPicture"
    """As a player shows it; a part of it costs less than all."""
    face: "TrackedFace | None"
    """None where the person is not seen."""
    score: float
    """Share of the landmarks that are inside the picture; 0 without a face."""
    _known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def image(self) -> np.ndarray:
        """(height, width, 3) uint8 RGB."""
        return np.asarray(self.picture)

    def once(self, what: Any, compute: Callable[[], Any]) -> Any:
        """What `compute` returns, computed once for all cues that see this frame; nobody changes it."""
        if what not in self._known:
            self._known[what] = compute()
        return self._known[what]


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
    rate_hz: float
    """Nominal rate of the rows."""

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


def rows_of_sound(stepper: SoundStepper, waveform: "Waveform") -> Rows:
    """All rows of a whole sound."""

    def parts() -> Iterator[Rows]:
        for samples, observed in waveform.pieces():
            yield stepper.hear(samples, observed)
        yield stepper.finish()

    return joined(parts(), stepper.width)


def joined(parts: Iterable[Rows], width: int) -> Rows:
    """All rows of all parts; long ones wait on the disk."""
    all_rows = _Collected(width)
    for part in parts:
        all_rows.add(part)
    return all_rows.rows()


class _Collected:
    """Rows one after the other; long ones wait on the disk."""

    def __init__(self, width: int) -> None:
        self._t_s, self._valid, self._score = [np.empty(0)], [np.empty(0, bool)], [np.empty(0, np.float32)]
        self._x = SpooledRows(width)

    def add(self, part: Rows) -> None:
        """The next rows."""
        self._t_s.append(part.t_s)
        self._x.append(np.asarray(part.x))
        self._valid.append(part.valid)
        self._score.append(part.score)

    def rows(self) -> Rows:
        """All of them."""
        t_s, valid, score = map(np.concatenate, (self._t_s, self._valid, self._score))
        return Rows(t_s, self._x.rows(), valid, score)


class Watcher:
    """Collects the rows of a cue from the frames of a video, which are decoded for it or for another cue."""

    stream: FeatureStream | None = None
    """All rows, once the video has been seen to its end."""

    def __init__(self, stepper: PictureStepper, stream_of: Callable[[Rows, np.ndarray], FeatureStream]) -> None:
        """Start without rows.

        Args:
            stepper: Computes them.
            stream_of: Makes the stream of all rows and the (N,) times of all frames.
        """
        self._stepper, self._stream_of = stepper, stream_of
        self._rows, self._frames_s = _Collected(stepper.width), array("d")

    def see(self, frame: SeenFrame) -> None:
        """The next frame."""
        self._frames_s.append(frame.t_s)
        self._rows.add(self._stepper.see(frame))

    def finish(self) -> FeatureStream:
        """The video ends."""
        self.stream = self._stream_of(self._rows.rows(), np.array(self._frames_s))
        return self.stream
