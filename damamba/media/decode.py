"""Decode media by presentation time stamps; probe them without decoding.

PyAV decodes in order, from the first frame to the last: readers that seek miss frames where the frame rate varies, and
some of them stop without an error where a file is damaged. Times are seconds on the session's clock, whose zero is that
of the file's time stamps: a stream that starts late keeps its late start.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.container import InputContainer

from damamba.console import InputError

SAMPLE_RATE_HZ = 16_000
MISSING_END_S = 0.5
"""A file whose header promises this much more than its packets contain has been cut short."""
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,wav,w64,flac,mp3,aac,ogg,mpegts,mpeg,mxf,asf,flv"
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
"""Only files, and no playlists, through which FFmpeg would read or fetch other files."""


@dataclass(frozen=True)
class Video:
    """Properties of a video, from its packets alone."""

    n_frames: int
    start_s: float
    end_s: float
    """End of the last frame."""
    rate_hz: float
    """Median frame rate; single frames may be irregular."""
    width: int
    height: int


@dataclass(frozen=True)
class Audio:
    """Properties of a sound track, from its packets alone."""

    start_s: float
    end_s: float
    rate_hz: int
    channels: int


@dataclass(frozen=True)
class Frame:
    """One decoded picture."""

    t_s: float
    image: np.ndarray
    """(height, width, 3) uint8 RGB."""


@dataclass(frozen=True)
class Waveform:
    """Mono sound at 16 kHz."""

    samples: np.ndarray
    """(n,) float32 in [-1, 1]."""
    start_s: float
    """Time of the first sample."""
    rate_hz: int = SAMPLE_RATE_HZ


def _open(path: Path) -> InputContainer:
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; copy it again or remove its row from the manifest")
    try:
        return av.open(str(path), options=OPEN_OPTIONS)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: not a readable media file ({_reason(error)}); is it complete?") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _packets(path: Path, kind: str) -> tuple[Any, list[tuple[float, float]], float]:
    """The stream, (start, end) of each packet in order of presentation, and the end in the container's header; s."""
    with _open(path) as container:
        streams = container.streams.video if kind == "video" else container.streams.audio
        if not streams:
            others = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
            raise InputError(f"{path}: no {kind} in it, only {others}; name a file with {kind} in the manifest")
        stream = streams[0]
        times: list[tuple[float, float]] = []
        try:
            for packet in container.demux(stream):
                if packet.pts is not None and packet.time_base is not None:
                    start = float(packet.pts * packet.time_base)
                    times.append((start, start + float((packet.duration or 0) * packet.time_base)))
        except av.error.FFmpegError as error:
            at = times[-1][0] if times else 0.0
            raise InputError(f"{path}: damaged after {at:.2f} s ({_reason(error)}); copy or encode it again") from None
        if not times:
            raise InputError(f"{path}: contains no {kind} packets; copy or encode it again")
        promised = float(container.duration / av.time_base) if container.duration else 0.0
        return stream, sorted(times), promised


def probe_video(path: Path) -> Video:
    """Read the time stamps of a video.

    Raises:
        InputError: The file is missing, empty, not media, without video, damaged or cut short.
    """
    stream, times, promised = _packets(path, "video")
    starts = np.array([start for start, _ in times])
    step = float(np.median(np.diff(starts))) if len(starts) > 1 else 1 / float(stream.average_rate or 25)
    end = max(max(end for _, end in times), float(starts[-1]) + step)
    _refuse_cut(path, end, promised)
    return Video(len(times), float(starts[0]), end, 1 / step, stream.codec_context.width, stream.codec_context.height)


def probe_audio(path: Path) -> Audio:
    """Read the time stamps of a sound track.

    Raises:
        InputError: The file is missing, empty, not media, without sound, damaged or cut short.
    """
    stream, times, promised = _packets(path, "audio")
    end = max(end for _, end in times)
    _refuse_cut(path, end, promised if path.suffix.lower() in (".wav", ".flac", ".mp3", ".m4a") else 0.0)
    return Audio(times[0][0], end, stream.codec_context.sample_rate, stream.codec_context.channels)


def _refuse_cut(path: Path, end_s: float, promised_s: float) -> None:
    if promised_s - end_s > MISSING_END_S:
        raise InputError(
            f"{path}: ends at {end_s:.2f} s, but its header promises {promised_s:.2f} s; "
            "the file was cut short: copy or record it again, or remove its row from the manifest"
        )


def read_frames(path: Path) -> Iterator[Frame]:
    """Decode a video from its first frame to its last, one frame in memory at a time.

    Raises:
        InputError: As `probe_video`, or a frame cannot be decoded; the message has its number.
    """
    with _open(path) as container:
        if not container.streams.video:
            raise InputError(f"{path}: no video in it; name a file with video in the manifest")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # sessions run in parallel, each on one core
        last, n = -math.inf, 0
        try:
            for frame in container.decode(stream):
                if frame.pts is None or frame.time_base is None:
                    raise InputError(f"{path}: frame {n} has no time stamp; encode the video again")
                t_s = float(frame.pts * frame.time_base)
                if t_s > last:  # some writers repeat a time stamp; its first frame counts
                    yield Frame(t_s, frame.to_ndarray(format="rgb24"))
                    last, n = t_s, n + 1
        except av.error.FFmpegError as error:
            raise InputError(
                f"{path}: cannot be decoded after frame {n}, {max(last, 0):.2f} s ({_reason(error)})"
            ) from None


def read_waveform(path: Path) -> Waveform:
    """Decode sound to mono at 16 kHz; channels are averaged.

    Raises:
        InputError: As `probe_audio`, or the sound cannot be decoded; the message has the time.
    """
    with _open(path) as container:
        if not container.streams.audio:
            raise InputError(f"{path}: no sound in it; name a file with sound in the manifest")
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        pieces: list[np.ndarray] = []
        start_s, at = 0.0, 0
        try:
            for frame in container.decode(stream):
                sound = _mono(frame)
                if frame.pts is not None and frame.time_base is not None:
                    t_s = float(frame.pts * frame.time_base)
                    if not pieces:
                        start_s = t_s
                    gap = round((t_s - start_s) * rate) - at
                    if gap > 0.02 * rate:  # lost packets become silence, so that later sound keeps its time
                        pieces.append(np.zeros(gap, np.float32))
                        at += gap
                pieces.append(sound)
                at += len(sound)
        except av.error.FFmpegError as error:
            raise InputError(f"{path}: sound cannot be decoded after {at / rate:.2f} s ({_reason(error)})") from None
    if not at:
        raise InputError(f"{path}: contains no sound; record or export it again")
    return Waveform(_resample(np.concatenate(pieces), rate), start_s)


def _mono(frame: "av.AudioFrame") -> np.ndarray:
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32).mean(0) - 128) / 128
    scale = 1.0 if samples.dtype.kind == "f" else 2.0 ** (8 * samples.dtype.itemsize - 1)
    return (samples.astype(np.float64).mean(0) / scale).astype(np.float32)


def _resample(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    import librosa  # slow to import, and most sound has 16 kHz already

    return librosa.resample(samples, orig_sr=rate_hz, target_sr=SAMPLE_RATE_HZ, res_type="soxr_hq")
