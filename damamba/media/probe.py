"""Properties of media, from packets and headers; a file that was cut short is refused here."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
from av.container import InputContainer

from damamba.console import InputError
from damamba.media.container import choose, open_media, several, tracks
from damamba.media.geometry import shown_size
from damamba.media.sound import SoundSurvey, survey_sound
from damamba.media.stamps import PacketTable, picture_times, read_packets
from damamba.media.track import MediaTrack, as_track

MISSING_END_S = 0.5
"""A file whose header promises this much more than its packets contain has been cut short."""
TIMED = ("wav", "w64", "flac", "aiff", "caf", "au")
"""Formats whose header has the length of the sound; elsewhere it is an estimate or that of the longest stream."""
PROMISING = ("flv", "asf", "mxf")
"""Containers whose header has the length of the longest stream."""
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
OPEN_LENGTH = 0x7FFF0000
"""Lengths from here on, and 0, stand in headers of recordings that were streamed."""
SPARE_BYTES = 1024
"""Some writers count a few bytes too many."""


@dataclass(frozen=True)
class Video:
    """Properties of a video, from its packets."""

    n_frames: int
    start_s: float
    end_s: float
    """End of the last frame."""
    rate_hz: float
    """Median frame rate; single frames may be irregular."""
    width: int
    """As a player shows it."""
    height: int
    notes: tuple[str, ...] = ()


def has_sound(path: Path) -> bool:
    """Whether a file has a sound track; raises `InputError` where it cannot be opened."""
    with open_media(path) as container:
        return bool(tracks(container, "audio"))


def probe_video(media: Path | MediaTrack) -> Video:
    """Read the time stamps of a video; one picture is decoded.

    Raises:
        InputError: The file is missing, empty, not media, without video, or cut short.
    """
    track = as_track(media)
    with open_media(track.path) as container:
        stream = choose(container, track, "video")
        table = read_packets(track.path, container, stream)
        _refuse_cut(track.path, container, stream, table)
        times = picture_times(track.path, table, container, stream)
        note = several(container, track, "video")
    notes = [words for words in (note, times.note) if words]
    if table.errors:
        notes.append(f"the file is damaged in {table.errors} places; what they held is not valid")
    width, height = _size(track)
    return Video(len(times.t_s), float(times.t_s[0]), times.end_s, times.rate_hz, width, height, tuple(notes))


def probe_audio(media: Path | MediaTrack) -> SoundSurvey:
    """Decode a sound track and describe it.

    Raises:
        InputError: As `survey_sound`, or the file was cut short.
    """
    track = as_track(media)
    survey = survey_sound(track)
    with open_media(track.path) as container:
        _refuse_cut(track.path, container, choose(container, track, "audio"), survey.table)
    return survey


def _size(track: MediaTrack) -> tuple[int, int]:
    """Width and height of the first picture that decodes, as a player shows it."""
    with open_media(track.path) as container:
        stream = choose(container, track, "video")
        stream.thread_type = "NONE"
        try:
            for frame in container.decode(stream):
                return shown_size(frame, stream.sample_aspect_ratio)
        except av.error.FFmpegError:  # the first pictures may be damaged, and others good
            return stream.codec_context.width, stream.codec_context.height
        return stream.codec_context.width, stream.codec_context.height


def _refuse_cut(path: Path, container: InputContainer, stream: Any, table: PacketTable) -> None:
    """Raise `InputError` where a header promises more of this stream than there is; estimates are no promises."""
    names = container.format.name.split(",")
    end_s = table.ends_s.get(stream.index, 0.0)
    size = path.stat().st_size
    held, promised = f"ends at {end_s:.2f} s", ""
    if stream.frames and ("mov" in names or ("avi" in names and stream.type == "video")):
        n = len(table.shown) + table.empty
        if (stream.frames - n) * max(end_s / max(n, 1), 1e-3) > MISSING_END_S or stream.frames >= 2 * n + 2:
            held, promised = f"has {n} {stream.type} packets", str(stream.frames)
    elif names[0] in TIMED and stream.duration:
        length_s = float(stream.duration * stream.time_base)
        promised = f"{length_s:.2f} s" if length_s - end_s > MISSING_END_S else ""
    elif names[0] in (*PROMISING, "mov") and container.duration:
        length_s, longest_s = container.duration / av.time_base, max(table.ends_s.values(), default=0.0)
        if length_s - longest_s > MISSING_END_S:
            held, promised = f"ends at {longest_s:.2f} s", f"{length_s:.2f} s"
    if not promised and (end := promised_bytes(path)) is not None and end > size + SPARE_BYTES:
        held, promised = f"ends at {end_s:.2f} s after {size} bytes", f"{end} bytes"
    if promised:
        raise InputError(
            f"{path}: {held}, but its header promises {promised}; "
            "the file was cut short: copy or record it again, or remove its row from the manifest"
        )


def promised_bytes(path: Path) -> int | None:
    """Byte at which a Matroska, AVI or WAV file ends by its header; None where that is left open, as in a live one."""
    with path.open("rb") as file:
        head = file.read(4096)
        if head[:4] == b"RIFF":
            return _riff_end(file, head[8:12])
    return _segment_end(head) if head[:4] == EBML else None


def _riff_end(file: BinaryIO, kind: bytes) -> int | None:
    """End of the data of a WAV file, or of the last chunk of another RIFF file."""
    at, end = (12 if kind == b"WAVE" else 0), None
    size = file.seek(0, os.SEEK_END)
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if length == 0 or length >= OPEN_LENGTH:
            return None
        end = at + 8 + length
        if name == b"data" and kind == b"WAVE":
            return end
        at = end + (length & 1)
    return end if kind != b"WAVE" else None


def _segment_end(head: bytes) -> int | None:
    at = head.find(SEGMENT)
    if at < 0 or at + 5 > len(head):
        return None
    size_at = at + len(SEGMENT)
    width = 9 - head[size_at].bit_length()
    field = head[size_at : size_at + width]
    if not 1 <= width <= 8 or len(field) < width:
        return None
    value = int.from_bytes(field, "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else size_at + width + value
