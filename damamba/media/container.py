"""Open media of unknown origin: the true reason where a file cannot be read, the zero of its clock, its tracks."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition

from damamba.console import InputError
from damamba.media.track import MediaTrack

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,wav,w64,flac,mp3,aac,ogg,mpegts,mpeg,mxf,asf,flv,"
    "aiff,caf,au,gif,amr,ac3,eac3,wv,ape,tta,dv,rm,ivf"
)
MOST_PIXELS = 8192 * 8192
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
"""Only files, and no playlists, through which FFmpeg would read or fetch other files."""
STRICT = {"max_pixels": str(MOST_PIXELS), "err_detect": "explode"}
"""Damage raises an error; by default, a decoder hides it in a picture that looks whole."""
LENIENT = {"max_pixels": str(MOST_PIXELS)}
FREE_S, BYTES_A_SECOND = 600.0, 10
"""A file may claim this length, and one more second for so many of its bytes. Nothing real is coded so sparsely."""
OTHER_FILES = {
    b"#EXTM3U": "a playlist",
    b"ffconcat": "a playlist",
    b"<?xml": "an XML file",
    b"\x89PNG": "a still picture",
    b"\xff\xd8\xff": "a still picture",
    b"PK\x03\x04": "an archive",
    b"Rar!": "an archive",
    b"\x1f\x8b": "an archive",
    b"%PDF": "a PDF",
    b"MThd": "a MIDI file, which has notes but no sound",
}
"""First bytes of files that are taken for media by their names."""
Kind = Literal["video", "audio"]


def most_seconds(path: Path) -> float:
    """The greatest length that a file of this size may claim, s."""
    return FREE_S + path.stat().st_size / BYTES_A_SECOND


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a file for reading.

    Raises:
        InputError: The file is missing, empty or no media; errors inside the block that FFmpeg raises, too.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a file; name a media file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; copy it again or remove its row from the manifest")
    try:
        container = av.open(str(path), options=OPEN_OPTIONS, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: {_why_closed(path, error)}") from None
    with container:
        yield container


def reason(error: Exception) -> str:
    """Words of an error of FFmpeg."""
    return getattr(error, "strerror", None) or type(error).__name__


def _why_closed(path: Path, error: Exception) -> str:
    """Why a file cannot be opened, and what to do."""
    if isinstance(error, PermissionError):
        return "may not be read; change its permissions"
    with path.open("rb") as file:
        head = file.read(4096)
        boxes = _boxes(path) if head[4:8] in (b"ftyp", b"mdat", b"free", b"wide", b"skip") else set()
    for start, what in OTHER_FILES.items():
        if head.startswith(start):
            return f"not a readable media file, but {what}; name the recording itself in the manifest"
    if boxes and "moov" not in boxes:
        return (
            "not a readable media file: its index (moov) is missing, as in a recording that was not finished or not "
            "copied to its end; copy it again, or recover it with a tool such as untrunc"
        )
    return (
        f"not a readable media file ({reason(error)}); is it complete, and of a kind in docs/media.md? "
        "Otherwise convert it: ffmpeg -i FILE converted.mp4"
    )


def _boxes(path: Path) -> set[str]:
    """Names of the boxes at the top of an MP4 file."""
    names: set[str] = set()
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size and len(names) < 64:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:], "big") if length == 1 else length or size - at
            names.add(head[4:8].decode("latin1"))
            if length < 8:
                break
            at += length
    return names


def zero_s(container: InputContainer) -> float:
    """Time stamp at which the session begins, s.

    MP4 and MOV count from their own zero, and a picture may start later. All others, such as the transport streams of
    camcorders and broadcasts, count from any moment: theirs is the first stamp of all tracks, as players have it.
    """
    if "mov" in container.format.name or not container.start_time:
        return 0.0
    return max(float(container.start_time / av.time_base), 0.0)


def tracks(container: InputContainer, kind: Kind) -> list[Any]:
    """Streams of a kind, without cover pictures."""
    streams = container.streams.video if kind == "video" else container.streams.audio
    return [stream for stream in streams if not stream.disposition & Disposition.attached_pic]


def choose(container: InputContainer, media: MediaTrack, kind: Kind) -> Any:
    """The stream of a kind that `media` names, or the default one.

    Raises:
        InputError: There is no such stream, or none that can be decoded.
    """
    streams = tracks(container, kind)
    if not streams:
        others = ", ".join(sorted({s.type for s in container.streams if s.type})) or "nothing"
        raise InputError(f"{media}: no {kind} in it, only {others}; name a file with {kind} in the manifest")
    if media.number is not None:
        if media.number > len(streams):
            raise InputError(
                f"{media}: {kind}_track is {media.number}, but it has {len(streams)} {kind} tracks; "
                f"correct the column {kind}_track of the manifest"
            )
        stream = streams[media.number - 1]
    else:
        stream = _default(container, streams, kind)
    if stream.codec_context is None:
        raise InputError(
            f"{media}: its {kind} is in a code that FFmpeg cannot decode; convert it: ffmpeg -i FILE converted.mp4"
        )
    return stream


def _default(container: InputContainer, streams: list[Any], kind: Kind) -> Any:
    """The flagged track; of several, that which FFmpeg takes for the best."""
    flagged = [stream for stream in streams if stream.disposition & Disposition.default] or streams
    best = container.streams.best(kind)
    return best if best in flagged else flagged[0]


def several(container: InputContainer, media: MediaTrack, kind: Kind) -> str:
    """A note where a file has several tracks of a kind and the manifest names none; else ""."""
    streams = tracks(container, kind)
    if len(streams) < 2 or media.number is not None:
        return ""
    used = streams.index(_default(container, streams, kind)) + 1
    shown = ", ".join(f"{k} {s.language}" if s.language else f"{k}" for k, s in enumerate(streams, 1))
    return (
        f"{len(streams)} {kind} tracks ({shown}); number {used} is read: it is flagged as default or the first; "
        f"the column {kind}_track of the manifest chooses another"
    )


def refuse_claim(path: Path, seconds: float) -> None:
    """Raise `InputError` where a file claims a length that its size cannot hold."""
    most = most_seconds(path)
    if not math.isfinite(seconds) or seconds > most:
        raise InputError(
            f"{path}: its time stamps span {seconds / 3600:.2f} h, which a file of {path.stat().st_size} bytes cannot "
            f"hold (at most {most / 3600:.2f} h are believed); it is damaged: copy or encode it again"
        )
