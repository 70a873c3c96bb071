"""The time of every picture, from the stamps of its packets, before anything is decoded.

Most files stamp pictures well, and these stamps are used as they are. Others repeat a stamp, run backwards where two
files were joined, or have no order of presentation at all (AVI); their pictures get times by their order.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av.error
import numpy as np
from av.container import InputContainer

from damamba.console import InputError
from damamba.media.container import refuse_claim, zero_s

JUMP_S = 10.0
"""In containers whose clock may restart, a later stamp after such a step belongs to another clock, not to a pause."""
RESTARTING = ("mpegts", "mpeg")
MOST_ERRORS = 1000
"""Reading stops after so many places at which a container is damaged."""
NO_STAMP = np.iinfo(np.int64).min


@dataclass(frozen=True)
class PacketTable:
    """What a container has of one stream, in the order of the file."""

    pts: np.ndarray
    """(n,) int64 ticks; `NO_STAMP` where there is none."""
    dts: np.ndarray
    duration: np.ndarray
    shown: np.ndarray
    """(n,) bool: False for packets that an edit list discards."""
    empty: int
    """Packets without content, which repeat a picture; they are not in the columns."""
    tick_s: float
    zero_s: float
    ends_s: dict[int, float]
    """End of each stream of the file, by its index, on its own clock."""
    errors: int
    """Places at which the container is damaged."""


@dataclass(frozen=True)
class PictureTimes:
    """Time of each picture that the packets promise."""

    t_s: np.ndarray
    """(n,) s, strictly increasing."""
    rank: np.ndarray | None
    """(packets,) position of each packet in `t_s`, -1 where it is not shown; None: the stamps are good as they are."""
    by_order: bool
    """Whether packets are not in an order of presentation, so that only the decoder's order places pictures."""
    zero_s: float
    """Time stamp of the session's zero, s."""
    end_s: float
    rate_hz: float
    note: str
    """What was wrong with the stamps; "" if nothing."""


def read_packets(path: Path, container: InputContainer, stream: Any) -> PacketTable:
    """Read all packets of a file without decoding them.

    Raises:
        InputError: There are none of this stream, or they claim a length that the file cannot hold.
    """
    columns = [array("q") for _ in range(3)]
    shown = bytearray()
    empty = 0
    ends: dict[int, float] = {}
    counter = ErrorCount(path)
    for packet in counter.packets(container):
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            ends[packet.stream_index] = max(end, ends.get(packet.stream_index, end))
        if packet.stream_index != stream.index:
            continue
        if packet.size == 0:
            empty += packet.pts is not None
            continue
        for column, value in zip(columns, (packet.pts, packet.dts, packet.duration), strict=True):
            column.append(NO_STAMP if value is None else value)
        shown.append(not packet.is_discard)
    if not shown:
        damaged = " that can be read" if counter.errors else ""
        raise InputError(f"{path}: contains no {stream.type} packets{damaged}; copy or encode it again")
    pts, dts, duration = (np.array(column, np.int64) for column in columns)
    return PacketTable(
        pts,
        dts,
        np.maximum(duration, 0),
        np.array(shown, bool),
        empty,
        float(stream.time_base),
        zero_s(container),
        ends,
        counter.errors,
    )


class ErrorCount:
    """Reads on where a container is damaged, and counts the places."""

    def __init__(self, path: Path) -> None:
        self.path, self.errors = path, 0

    def packets(self, container: InputContainer, streams: Iterable[Any] = ()) -> Iterable[Any]:
        """All packets of some streams, or of all; raises `InputError` where there is more damage than content."""
        chosen = tuple(streams)
        while True:
            try:
                yield from container.demux(*chosen)
                return
            except av.error.FFmpegError as error:
                self.errors += 1
                if self.errors >= MOST_ERRORS or isinstance(error, av.error.EOFError):
                    return


def picture_times(path: Path, table: PacketTable, container: InputContainer, stream: Any) -> PictureTimes:
    """Places all pictures on the session's clock.

    Raises:
        InputError: Nothing gives them times, or the times span more than the file can hold.
    """
    shown = np.flatnonzero(table.shown)
    if not len(shown):
        raise InputError(f"{path}: its edit list shows none of its {len(table.shown)} pictures; encode it again")
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    pts, dts = table.pts[shown], table.dts[shown]
    notes: list[str] = []
    reorders = bool(getattr(stream.codec_context, "has_b_frames", 0))
    is_avi = container.format.name == "avi"  # it has times of decoding alone; FFmpeg guesses the others
    if is_avi:
        pts = dts
    by_order = (is_avi and reorders) or bool((pts == NO_STAMP).any())
    if by_order:
        stamps_s = _by_order(path, dts, table, rate)
        notes.append("its pictures have no stamps of presentation; they are placed in the order of decoding")
    else:
        pts = pts.astype(np.float64)
        good = dts[dts != NO_STAMP]
        restarts = container.format.name in RESTARTING
        if len(good) and ((np.diff(good) < 0).any() or restarts):
            places = np.arange(len(dts))
            every = np.interp(places, places[dts != NO_STAMP], good.astype(np.float64))
            pts, joints = _joined(pts, every, table, shown, JUMP_S if restarts else np.inf)
            if joints:
                notes.append(f"its clock jumps {joints} times; what follows a jump is joined to what was before")
        stamps_s = pts * table.tick_s - table.zero_s
    order = np.argsort(stamps_s, kind="stable")
    t_s, repeated = _spread(stamps_s[order], 1 / rate if rate else 0.04)
    if repeated:
        notes.append(f"{repeated} of {len(t_s)} pictures repeat a stamp; they are spread up to the next one")
    step = float(np.median(np.diff(t_s))) if len(t_s) > 1 else 1 / (rate or 25)
    length_s = table.duration[shown][order] * table.tick_s
    end = max(float((t_s + length_s).max()), float(t_s[-1]) + step) if not by_order else float(t_s[-1]) + step
    refuse_claim(path, end - min(float(t_s[0]), 0.0))
    rank = None
    if notes or is_avi:
        rank = np.full(len(table.shown), -1)
        rank[shown[order]] = np.arange(len(order))
    return PictureTimes(t_s, rank, by_order, table.zero_s, end, 1 / step, "; ".join(notes))


def _by_order(path: Path, dts: np.ndarray, table: PacketTable, rate: float) -> np.ndarray:
    """Times of pictures without stamps of presentation: those of decoding in increasing order, or a steady rate."""
    known = dts != NO_STAMP
    if known.all() and (np.diff(dts) > 0).all():
        return (dts - dts[0]) * table.tick_s
    if rate <= 0:
        raise InputError(
            f"{path}: {int((~known).sum())} of {len(dts)} pictures have no time stamp, and the file has no frame rate; "
            "encode the video again"
        )
    return np.arange(len(dts)) / rate


def _joined(
    pts: np.ndarray, dts: np.ndarray, table: PacketTable, shown: np.ndarray, jump_s: float
) -> tuple[np.ndarray, int]:
    """Stamps with the clock carried on across its jumps, and the number of these."""
    step = np.diff(dts)
    jumps = np.flatnonzero((step < 0) | (step * table.tick_s > jump_s)) + 1
    moved = pts.copy()
    usual = float(np.median(step[step > 0])) if (step > 0).any() else 1.0
    for first, stop in pairwise([*jumps, len(pts)]):
        before = float(moved[:first].max())
        last = max(float(table.duration[shown[first - 1]]), 0.0) or usual
        moved[first:stop] = pts[first:stop] - pts[first:stop].min() + before + last
    return moved, len(jumps)


def _spread(sorted_s: np.ndarray, step_s: float) -> tuple[np.ndarray, int]:
    """Increasing times: pictures that share a stamp are spread up to the next stamp; and how many were moved."""
    new = np.append(True, np.diff(sorted_s) > 0)
    if new.all():
        return sorted_s, 0
    starts = np.flatnonzero(new)
    run = np.cumsum(new) - 1
    size = np.diff(np.append(starts, len(sorted_s)))
    following = np.append(sorted_s[starts[1:]], sorted_s[-1] + step_s * size[-1])
    place = np.arange(len(sorted_s)) - starts[run]
    spread = sorted_s[starts][run] + place * (following - sorted_s[starts])[run] / size[run]
    return spread, int((~new).sum())
