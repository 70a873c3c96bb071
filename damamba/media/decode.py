"""Decode pictures: upright, at their own times, one in memory at a time.

PyAV decodes in order, from the first frame to the last: readers that seek miss frames where the frame rate varies, and
some of them stop without an error where a file is damaged. Times are seconds on the session's clock
(`damamba.media.container.zero_s`): a stream that starts late keeps its late start.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from damamba.console import InputError
from damamba.media.container import LENIENT, STRICT, choose, open_media, reason
from damamba.media.picture import AnyPicture, Picture
from damamba.media.stamps import ErrorCount, PictureTimes, picture_times, read_packets
from damamba.media.track import MediaTrack, as_track

FIRST_PACKETS = 50
"""A decoder that refuses as many packets before its first picture is opened again without checks for damage."""


@dataclass(frozen=True)
class Frame:
    """One decoded picture."""

    t_s: float
    picture: AnyPicture
    """As a player shows it."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB."""
        return np.asarray(self.picture)


def read_frames(media: Path | MediaTrack) -> Iterator[Frame]:
    """Decode a video from its first frame to its last, one frame in memory at a time.

    Damaged pictures are left out, so that their times stay without one.

    Raises:
        InputError: The file is missing, empty, not media, without video, or nothing in it can be decoded.
    """
    return iter(FrameReader(media))


@dataclass
class FrameReader:
    """Decodes a video, and counts what it could not decode."""

    media: Path | MediaTrack
    promised: int = 0
    """Pictures by the packets."""
    decoded: int = 0
    damaged_s: list[float] = field(default_factory=list)
    """Times of the pictures that are damaged or missing."""
    disordered: int = 0
    """Pictures whose stamps are not later than that of the picture before."""
    stamps: str = ""
    """What was wrong with the time stamps."""

    def __iter__(self) -> Iterator[Frame]:
        track = as_track(self.media)
        with open_media(track.path) as container:
            stream = choose(container, track, "video")
            table = read_packets(track.path, container, stream)
            times = picture_times(track.path, table, container, stream)
        self.promised, self.decoded, self.disordered = len(times.t_s), 0, 0
        self.damaged_s, self.stamps = [], times.note
        for options in (STRICT, LENIENT):
            try:
                yield from self._decoded(track, times, options)
                break
            except _RefusedByChecksError as error:
                if options is LENIENT:
                    raise InputError(f"{track}: no picture can be decoded ({error}); encode the video again") from None
        if not self.decoded:
            raise InputError(f"{track}: none of its {self.promised} pictures can be decoded; encode the video again")
        if self.disordered:
            raise InputError(
                f"{track}: {self.disordered} of {self.promised} pictures have stamps that do not increase in the order "
                "in which they are shown; encode the video again"
            )
        if times.by_order and self.decoded != self.promised:
            raise InputError(
                f"{track}: {self.promised} pictures, {self.decoded} can be decoded, and they have no stamps of "
                "presentation that place them; encode the video again"
            )

    def _decoded(self, track: MediaTrack, times: PictureTimes, options: dict[str, str]) -> Iterator[Frame]:
        """The pictures that are whole; raises `_RefusedByChecksError` where the first packets give none."""
        pictures = _Pictures(times)
        seen = np.zeros(len(times.t_s), bool)
        last = -np.inf
        with open_media(track.path) as container:
            stream = choose(container, track, "video")
            stream.thread_type = "NONE"  # sessions run in parallel, each on one core
            stream.codec_context.options = options
            for packet in ErrorCount(track.path).packets(container, [stream]):
                for t_s, picture in pictures.of(packet, stream):
                    if t_s <= last:
                        self.disordered += 1
                        continue
                    last = t_s
                    self.decoded += 1
                    seen[_nearest(times.t_s, t_s)] = True
                    yield Frame(t_s, Picture(picture, stream.sample_aspect_ratio))
                if pictures.refused >= FIRST_PACKETS and not pictures.given:
                    raise _RefusedByChecksError(pictures.error)
            if pictures.refused and not pictures.given:
                raise _RefusedByChecksError(pictures.error)
        self.damaged_s = times.t_s[~seen].tolist()

    @property
    def note(self) -> str:
        """One line on everything that was lost or repaired; "" if nothing was."""
        notes = [self.stamps] if self.stamps else []
        if self.damaged_s:
            notes.append(
                f"{len(self.damaged_s)} of {self.promised} pictures are damaged or missing, the first at "
                f"{self.damaged_s[0]:.2f} s; visual cues are not valid there"
            )
        if self.decoded > self.promised:
            notes.append(f"{self.decoded} pictures were decoded from {self.promised} packets")
        return "; ".join(notes)


class _RefusedByChecksError(Exception):
    """A decoder that checks for damage gives no picture."""


class _Pictures:
    """Pictures of packets, with their times; without those that depend on a damaged one."""

    def __init__(self, times: PictureTimes) -> None:
        self._times = times
        self._tainted: set[int] = set()
        self._suspect = False
        self._packet = -1
        self.given, self.refused, self.error = 0, 0, ""

    def of(self, packet: Any, stream: Any) -> Iterator[tuple[float, av.VideoFrame]]:
        """(time, picture) of everything that a packet completes."""
        is_end = packet.size == 0
        if is_end and packet.pts is not None:
            return  # repeats a picture; a decoder would take it for the end
        if not is_end:
            self._packet += 1
            if packet.is_keyframe:
                self._suspect = False
            self._stamp(packet)
            if self._suspect and packet.pts is not None:
                self._tainted.add(packet.pts)
        try:
            decoded = stream.decode(packet)
        except av.error.FFmpegError as error:
            self.refused += 1
            self.error = reason(error)
            self._suspect = True
            return
        for picture in decoded:
            if picture.is_corrupt:
                self._suspect = True
            elif picture.pts not in self._tainted or picture.pts is None:
                self.given += 1
                yield self._time(picture), picture

    def _stamp(self, packet: Any) -> None:
        """Give the packet its place among the pictures as its stamp, where its own is no good."""
        rank = self._times.rank
        if rank is not None and not self._times.by_order and self._packet < len(rank) and rank[self._packet] >= 0:
            packet.pts = int(rank[self._packet])
            packet.dts = None

    def _time(self, picture: av.VideoFrame) -> float:
        if self._times.by_order:
            return float(self._times.t_s[min(self.given - 1, len(self._times.t_s) - 1)])
        if self._times.rank is not None:
            return float(self._times.t_s[picture.pts])
        assert picture.pts is not None
        assert picture.time_base is not None
        return float(picture.pts * picture.time_base) - self._times.zero_s


def _nearest(t_s: np.ndarray, moment: float) -> int:
    right = int(np.searchsorted(t_s, moment))
    if right and (right == len(t_s) or moment - t_s[right - 1] <= t_s[right] - moment):
        return right - 1
    return right
