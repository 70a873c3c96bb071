"""One person while they are seen and heard: decoded pictures and sound to rows of every cue, in a thread of its own."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from damamba.data.live_grid import LiveCue, LiveGrid
from damamba.features.extractor import Extractor
from damamba.features.faces import FaceTracker
from damamba.features.follow import Counts
from damamba.features.stepper import Rows, SeenFrame
from damamba.live.sources import Clock, Heard, Source
from damamba.media.decode import Frame
from damamba.media.sound import SAMPLE_RATE_HZ
from damamba.streams.stored_face_track import TrackedFace

MOST_LATE_S = 0.2
"""A picture that waits longer than this is dropped; sound that waits for twice as long counts as lost."""
FACES = "faces"
"""Name under which the time of following a face is counted."""
EPSILON_S = 1e-9


class Person:
    """Reads one source until it ends.

    Args:
        source: Picture and sound.
        extractors: Cue -> its extractor, loaded.
        faces: The face tracker.
        grid: Makes the grid of some cues.
        clock: Of the session.
    """

    def __init__(
        self,
        source: Source,
        extractors: Mapping[str, Extractor[Any]],
        faces: FaceTracker,
        grid: Callable[[Mapping[str, LiveCue]], LiveGrid],
        clock: Clock,
    ) -> None:
        self.source, self._faces, self._clock = source, faces, clock
        has = {"video": source.has_picture, "audio": source.has_sound}
        kinds = {name: extractor.media for name, extractor in extractors.items()}
        self._sight = {name: one.picture_stepper() for name, one in extractors.items() if kinds[name] == "video"}
        self._hearing = {
            name: one.sound_stepper(source.sound_start_s) for name, one in extractors.items() if kinds[name] == "audio"
        }
        self._ahead = {name: one.lookahead_s or 0.0 for name, one in extractors.items()}
        rates = {name: source.rate_hz if name in self._sight else self._hearing[name].rate_hz for name in extractors}
        widths = {name: step.width for name, step in (*self._sight.items(), *self._hearing.items())}
        self._grid = grid({name: LiveCue(widths[name], self._ahead[name], rates[name]) for name in extractors})
        self._changed = threading.Condition()
        self._settled = {name: -np.inf if has[kind] else np.inf for name, kind in kinds.items()}
        self._error: BaseException | None = None
        self.dropped = 0
        """Pictures that were not looked at."""
        self.lost_s = 0.0
        """Length of the sound that was not listened to."""
        self.pictures = 0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Cue, or `FACES` -> time of computing, of this thread alone."""
        self._ready, self._begun = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=source.name, daemon=True)

    def prepare(self) -> None:
        """Start the thread; return when it could begin to read."""
        self._thread.start()
        self._ready.wait()

    def begin(self) -> None:
        """Read from now on."""
        self._begun.set()

    def take(self, label: int, until_s: float, patience_s: float | None) -> tuple[dict[str, Any], bool]:
        """Frames of a label, and whether all rows that belong to it were there.

        Args:
            label: Number.
            until_s: Its time.
            patience_s: How long to wait for rows; None: until they come.

        Raises:
            InputError: The source cannot be read.
        """
        with self._changed:
            complete = self._changed.wait_for(lambda: self._is_settled(until_s) or self._error, patience_s)
            if self._error:
                raise self._error
            return self._grid.label(label), bool(complete)

    def _is_settled(self, until_s: float) -> bool:
        return all(settled_s >= until_s - EPSILON_S for settled_s in self._settled.values())

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._read()
        except BaseException as caught:  # raised again by `take`, in the thread that waits
            error = caught
        self._ready.set()
        with self._changed:
            self._error = error
            self._settled = dict.fromkeys(self._settled, np.inf)
            self._changed.notify_all()

    def _read(self) -> None:
        follow = self._faces.following(Counts()) if self.source.has_picture else None
        self._ready.set()
        self._begun.wait()
        for arrival in self.source.arrivals():
            self._clock.wait(arrival.at_s)
            late_s = self._clock.now_s() - arrival.at_s if self._clock.live else 0.0
            if isinstance(arrival.what, Heard):
                self._hear(arrival.what, late_s)
            elif late_s > MOST_LATE_S:
                self.dropped += 1
                self._give({}, dict.fromkeys(self._sight, arrival.what.t_s))
            else:
                assert follow is not None
                self._see(arrival.what, follow)
        ends = {name: step.finish() for name, step in self._hearing.items()}
        self._give(ends, {})

    def _see(self, frame: Frame, follow: Callable[[Frame], tuple[np.ndarray, float]]) -> None:
        started = time.thread_time()
        row, inside = follow(frame)
        score = float(np.float32(inside))
        seen = SeenFrame(frame.t_s, frame.picture, TrackedFace.of(row) if score > 0 else None, score)
        self.pictures += 1
        self.seconds[FACES] += time.thread_time() - started
        rows = {name: self._timed(name, step.see, seen) for name, step in self._sight.items()}
        self._give(rows, {name: frame.t_s + self._ahead[name] for name in rows})

    def _hear(self, heard: Heard, late_s: float) -> None:
        too_late = late_s > 2 * MOST_LATE_S
        if too_late and heard.observed:
            self.lost_s += len(heard.samples) / SAMPLE_RATE_HZ
        samples = np.zeros_like(heard.samples) if too_late else heard.samples
        observed = heard.observed and not too_late
        rows = {name: self._timed(name, step.hear, samples, observed) for name, step in self._hearing.items()}
        # the next row is not used before this; all rows that are used earlier are there
        settled = {name: step.next_s + self._ahead[name] - 2 * EPSILON_S for name, step in self._hearing.items()}
        self._give(rows, settled)

    def _timed(self, name: str, step: Callable[..., Rows], *arguments: Any) -> Rows:
        started = time.thread_time()
        rows = step(*arguments)
        self.seconds[name] += time.thread_time() - started
        return rows

    def _give(self, rows: Mapping[str, Rows], settled: Mapping[str, float]) -> None:
        with self._changed:
            for name, some in rows.items():
                self._grid.add(name, some.t_s, np.asarray(some.x), some.valid)
            self._settled |= settled
            self._changed.notify_all()
