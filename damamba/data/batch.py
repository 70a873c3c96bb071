"""Windows of many sessions as tensors of one shape."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from damamba.config import LABEL_RATE_HZ, MAIN
from damamba.console import InputError
from damamba.data.pooling import pool
from damamba.data.shards import Aligned, AlignedSession, Shard
from damamba.data.windows import WindowGrid

OPEN_SHARDS = 2**14
"""Shards kept open at once, of the most recent sessions, with a file of labels each: half of what Linux maps."""
OPEN_BYTES = 2**27
"""Masks of these shards in memory; that of a cue is 360 kB an hour at 100 Hz."""

LABEL_SAMPLE = 512
"""At most this many seats have their labels read before training, so that a larger corpus starts as fast."""


@dataclass(frozen=True)
class Batch:
    """Windows, target first among the participants."""

    cues: dict[str, Tensor]
    """Name -> (B, P, T, D) float32; 0 where not valid."""
    valid: dict[str, Tensor]
    """Name -> (B, P, T) bool."""
    present: Tensor
    """(B, P) bool: False for padded seats."""
    label: Tensor
    """(B, L) float32 of the core; 0 where not valid."""
    label_valid: Tensor
    """(B, L) bool."""
    also: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Further label -> the same two of it."""

    def of_label(self, name: str) -> "Batch":
        """The same with a further label in the place of `label`."""
        label, valid = self.also[name] if name else (self.label, self.label_valid)
        return replace(self, label=label, label_valid=valid, also={})

    def to(self, device: torch.device | str) -> "Batch":
        """The same on another device."""
        return replace(
            self,
            cues={name: x.to(device, non_blocking=True) for name, x in self.cues.items()},
            valid={name: x.to(device, non_blocking=True) for name, x in self.valid.items()},
            present=self.present.to(device),
            label=self.label.to(device),
            label_valid=self.label_valid.to(device),
            also={name: (label.to(device), valid.to(device)) for name, (label, valid) in self.also.items()},
        )


SeatKey = tuple[AlignedSession, int]
"""A session and the number of a seat in it."""
LabelSeries = tuple[np.ndarray, np.ndarray]
"""(L,) values and mask of a label."""


@dataclass(frozen=True)
class Window:
    """One window of a session, for one target participant."""

    session: AlignedSession
    target: int
    """Seat."""
    start: int
    """First core label; may lie before 0."""


class WindowReader:
    """Reads windows from memory-mapped shards."""

    def __init__(
        self, aligned: Aligned, grid: WindowGrid, label_source: Mapping[SeatKey, SeatKey] | None = None
    ) -> None:
        """Read from `aligned`; a seat in `label_source` gets the labels of another one, for controls.

        Raises:
            InputError: The rate of the shards is not a multiple of the model's.
        """
        if aligned.rate_hz % grid.rate_hz:
            raise InputError(
                f"{aligned.root}: shards are at {aligned.rate_hz} Hz, no multiple of window.rate_hz; set align.rate_hz"
            )
        self.aligned, self.grid = aligned, grid
        self.rows_per_label = aligned.rate_hz // LABEL_RATE_HZ
        self.label_source = label_source or {}
        self.pool = aligned.rate_hz // grid.rate_hz
        self.views = {MAIN: aligned, **{name: aligned.of_label(name) for name in aligned.also}}
        """The shards with each of their labels."""
        self._open: OrderedDict[tuple[str, str], list[tuple[Shard, dict[str, LabelSeries]]]] = OrderedDict()
        self._seats = self._bytes = 0
        self._opening = threading.Lock()  # batches are read in several threads

    def _seats_of(self, session: AlignedSession) -> list[tuple[Shard, dict[str, LabelSeries]]]:
        key = (session.corpus, session.session)
        with self._opening:
            if key not in self._open:
                self._open[key] = [
                    (
                        self.aligned.shard(session, seat.participant),
                        {name: self._labels(view, session, i) for name, view in self.views.items()},
                    )
                    for i, seat in enumerate(session.seats)
                ]
                self._count(self._open[key], 1)
                while (self._seats > OPEN_SHARDS or self._bytes > OPEN_BYTES) and len(self._open) > 1:
                    self._count(self._open.popitem(last=False)[1], -1)
            self._open.move_to_end(key)
            return self._open[key]

    def _count(self, seats: list[tuple[Shard, dict[str, LabelSeries]]], sign: int) -> None:
        self._seats += sign * len(seats)
        self._bytes += sign * sum(shard.bytes_held for shard, _ in seats)

    def _labels(self, view: Aligned, session: AlignedSession, seat: int) -> LabelSeries:
        source, number = self.label_source.get((session, seat), (session, seat))
        value, annotated = view.labels(source, source.seats[number].participant)
        if source is session:
            return value, annotated
        return np.resize(value, session.n_labels), np.resize(annotated, session.n_labels)

    def read(self, windows: list[Window]) -> Batch:
        """Windows as one batch, as many seats as the largest session has."""
        n_windows, seats = len(windows), max(len(w.session.seats) for w in windows)
        grid = self.grid
        x = {name: torch.zeros(n_windows, seats, grid.frames, cue.width) for name, cue in self.aligned.cues.items()}
        valid = {name: np.zeros((n_windows, seats, grid.frames), bool) for name in x}
        present = np.zeros((n_windows, seats), bool)
        shape = n_windows, grid.core
        labels = {name: (np.zeros(shape, np.float32), np.zeros(shape, bool)) for name in self.views}
        for b, window in enumerate(windows):
            opened = self._seats_of(window.session)
            order = [window.target, *(i for i in range(len(opened)) if i != window.target)]
            # the part of the window that lies in the session, in labels
            first = window.start - grid.context
            start, stop = max(first, 0), min(first + grid.labels, window.session.n_labels)
            rows = start * self.rows_per_label, stop * self.rows_per_label
            before, after = ((end - first) * self.rows_per_label for end in (start, stop))
            frames = slice(before // self.pool, -(-after // self.pool))
            beyond = before % self.pool, -after % self.pool  # rows of a frame that the session's end cuts
            for p, seat in enumerate(order):
                present[b, p] = True
                shard = opened[seat][0]
                for name in x:
                    out = x[name][b, p, frames]
                    if self.pool == 1:
                        valid[name][b, p, frames] = shard.read_into(out, name, *rows)
                        continue
                    values, seen = shard.read(name, *rows)
                    if any(beyond):
                        values, seen = np.pad(values, (beyond, (0, 0))), np.pad(seen, beyond)
                    pooled, valid[name][b, p, frames] = pool(values, seen, self.pool)
                    out.copy_(torch.from_numpy(pooled))
            start, stop = max(window.start, 0), min(window.start + grid.core, window.session.n_labels)
            core = slice(start - window.start, stop - window.start)
            for name, (value, annotated) in opened[window.target][1].items():
                label, label_valid = labels[name]
                label_valid[b, core] = annotated[start:stop]
                label[b, core] = np.where(annotated[start:stop], value[start:stop], 0)
        also = {name: (torch.from_numpy(value), torch.from_numpy(known)) for name, (value, known) in labels.items()}
        return Batch(
            x,
            {name: torch.from_numpy(seen) for name, seen in valid.items()},
            torch.from_numpy(present),
            *also.pop(MAIN),
            also,
        )


def at_labels(frames: Tensor, grid: WindowGrid) -> Tensor:
    """Predictions of a window's frames (B, T) at the labels of its core (B, L); of classes, (B, T, K) at (B, L, K).

    Frames that share a label are averaged; where frames are farther apart than labels, predictions are interpolated
    linearly.
    """
    if grid.rate_hz >= LABEL_RATE_HZ:
        return frames[:, grid.core_frames].unflatten(1, (grid.core, -1)).mean(2)
    channels = frames[:, None] if frames.ndim == 2 else frames.mT
    labels = F.interpolate(channels, size=grid.labels, mode="linear")
    labels = labels[:, 0] if frames.ndim == 2 else labels.mT
    return labels[:, grid.context : grid.context + grid.core]


class TrainingWindows:
    """All windows of the labelled seats of some sessions, drawn by number.

    Window k of epoch e is found by one search in cumulative counts, so that many sessions start as fast as few. Every
    epoch shifts each session's tiling, so that cores start on any label; a session that fits into one core is always
    one window.
    """

    def __init__(self, sessions: list[AlignedSession], grid: WindowGrid, seed: int) -> None:
        self.grid, self.seed = grid, seed
        self.targets = [(s, seat) for s in sessions for seat in range(len(s.seats)) if s.seats[seat].rated]
        if not self.targets:
            raise InputError("no labelled participant to train on; see the column `label` of the manifest")
        # a shifted tiling may need one window more
        self.ends = np.cumsum([grid.count(s.n_labels) + (s.n_labels > grid.core) for s, _ in self.targets])
        self._permutation = (-1, np.empty(0, int))  # epoch and its permutation

    def __len__(self) -> int:
        return int(self.ends[-1])

    def label_mean(self, aligned: Aligned) -> float:
        """Mean of the valid labels of about `LABEL_SAMPLE` evenly spaced seats at most, where predictions start."""
        total, n = 0.0, 0
        for session, seat in self.targets[:: max(1, len(self.targets) // LABEL_SAMPLE)]:
            value, annotated = aligned.labels(session, session.seats[seat].participant)
            total += float(value[annotated].sum())
            n += int(annotated.sum())
        if not n:
            raise _without_label(aligned)
        return total / n

    def class_counts(self, aligned: Aligned) -> np.ndarray:
        """(K,) valid labels of each class, of all seats: a class that is in none of them cannot be learned."""
        n_classes = len(aligned.annotated.classes)
        counts = np.zeros(n_classes, np.int64)
        for session, seat in self.targets:
            value, annotated = aligned.labels(session, session.seats[seat].participant)
            counts += np.bincount(value[annotated].astype(int), minlength=n_classes)
        if not counts.any():
            raise _without_label(aligned)
        return counts

    def window(self, epoch: int, number: int) -> Window:
        """Window `number` of an epoch."""
        at = int(np.searchsorted(self.ends, number, side="right"))
        session, seat = self.targets[at]
        if session.n_labels <= self.grid.core:
            return Window(session, seat, 0)
        within = number - (int(self.ends[at - 1]) if at else 0)
        shift = int(np.random.default_rng((self.seed, epoch, at)).integers(self.grid.core))
        # the last window of a tiling that needs one less wraps to a place of its own
        start = within * self.grid.core - shift
        return Window(session, seat, start if start < session.n_labels else max(session.n_labels - self.grid.core, 0))

    def batch(self, step: int, size: int) -> list[Window]:
        """Windows of a training step: a permutation each epoch, which runs on into the next.

        Depends only on `step`, so that a resumed run sees the windows that the killed one would have seen.
        """
        first = step * size
        return [self.at(k) for k in range(first, first + size)]

    def at(self, k: int) -> Window:
        """Window k of the whole training."""
        epoch, place = divmod(k, len(self))
        return self.window(epoch, int(self._order(epoch)[place]))

    def _order(self, epoch: int) -> np.ndarray:
        if self._permutation[0] != epoch:
            self._permutation = (epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self)))
        return self._permutation[1]


def _without_label(aligned: Aligned) -> InputError:
    which = f"label {aligned.reads} (labels.also)" if aligned.reads else "label"
    return InputError(f"the training split has no valid {which}; check the label files that the manifest names")


def tiled(reader: WindowReader, session: AlignedSession, seat: int, size: int) -> Iterator[Batch]:
    """All windows of one target, in order, `size` a batch, for prediction."""
    starts = reader.grid.starts(session.n_labels)
    for first in range(0, len(starts), size):
        yield reader.read([Window(session, seat, int(start)) for start in starts[first : first + size]])


def annotated_seats(aligned: Aligned, split: str) -> list[SeatKey]:
    """Seats of a split that have at least one valid label; reads all of its labels."""
    return [
        (session, number)
        for session in aligned.split(split)
        for number, seat in enumerate(session.seats)
        if seat.labelled and aligned.labels(session, seat.participant)[1].any()
    ]


def shuffled_labels(
    aligned: Aligned, sessions: list[AlignedSession], seed: int, draws: int = 256
) -> dict[SeatKey, SeatKey]:
    """A control: each labelled seat gets the labels of a seat of another session, all of that seat's.

    With few seats, a permutation often correlates with the truth by chance (20 seats: ± 0.2), which a model would
    learn. Of `draws` permutations, the one whose mean labels correlate least with the true ones is taken.

    Raises:
        InputError: One session has more than half of the labelled seats, so that its labels cannot all go elsewhere.
    """
    seats = [(s, i) for s in sessions for i in range(len(s.seats)) if s.seats[i].rated]
    sizes = Counter(s.name for s, _ in seats)
    (largest, most), *_ = sizes.most_common(1) or [("", 0)]
    if 2 * most > len(seats):
        raise InputError(
            "shuffling labels between sessions needs a training split in which no session has more than half of the "
            f"labelled participants; {largest} has {most} of {len(seats)}"
        )
    if not seats:
        raise InputError("no labelled participant to train on; see the column `label` of the manifest")
    levels = []
    for session, i in seats:
        value, annotated = aligned.labels(session, session.seats[i].participant)
        levels.append(value[annotated].mean() if annotated.any() else 0.5)
    level = np.array(levels) - np.mean(levels)
    own = np.array([s.name for s, _ in seats])
    rng = np.random.default_rng(seed)
    orders = [_between_sessions(own, most, rng) for _ in range(draws)]
    best = min(orders, key=lambda order: abs(level @ level[order]))
    return {seat: seats[i] for seat, i in zip(seats, best, strict=True)}


def _between_sessions(own: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """A random permutation that takes every seat from another session.

    Seats stand in a circle, those of a session side by side. A turn by at least `most` seats, the size of the largest
    session, and at most all but `most` leads out of every session.
    """
    circle = np.concatenate([rng.permutation(np.flatnonzero(own == name)) for name in rng.permutation(np.unique(own))])
    order = np.empty_like(circle)
    order[circle] = np.roll(circle, -int(rng.integers(most, len(own) - most + 1)))
    return order
