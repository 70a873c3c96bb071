"""What a person is seen and heard through: a file that arrives at the pace of life, or a camera and a microphone."""

import heapq
import queue
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.features.landmarker import without_native_log
from damamba.media.container import reason
from damamba.media.decode import Frame, read_frames
from damamba.media.picture import Picture
from damamba.media.sound import SILENT, ArrivingSound, DecodedSound, channels_of, decoded_sound, survey_sound
from damamba.media.track import MediaTrack, audio_of, video_of

CAMERA, MICROPHONE = "camera:", "microphone:"
FORMATS = {
    "linux": {CAMERA: ("v4l2", "/dev/video{}"), MICROPHONE: ("alsa", "{}")},
    "darwin": {CAMERA: ("avfoundation", "{}:none"), MICROPHONE: ("avfoundation", "none:{}")},
    "win32": {CAMERA: ("dshow", "video={}"), MICROPHONE: ("dshow", "audio={}")},
}
"""System -> kind of device -> FFmpeg's input and the name that it gives a device."""
POLL_S = 0.1


@dataclass(frozen=True)
class Heard:
    """The next sound."""

    samples: np.ndarray
    """(n,) float32 at 16 kHz."""
    observed: bool


@dataclass(frozen=True)
class Arrival:
    """A picture or a piece of sound, and when it is there."""

    at_s: float
    """On the session's clock: not before its last sample has been heard."""
    what: Frame | Heard


class Source(ABC):
    """Picture and sound of one person."""

    name: str
    has_picture: bool
    has_sound: bool
    sound_start_s: float = 0.0
    """Time of the first sample."""
    rate_hz: float
    """Nominal rate of the pictures."""
    end_s: float | None = None
    """Where the recording ends; None for devices."""

    @abstractmethod
    def arrivals(self) -> Iterator[Arrival]:
        """Pictures and sound in the order in which they arrive; raises `InputError` where they cannot be read."""

    @abstractmethod
    def stop(self) -> None:
        """Let `arrivals` end."""


class FileSource(Source):
    """A checked recording.

    Its length, whether it has sound at all, and a drift of its clock count as known, as in the offline pass.
    """

    def __init__(self, participant: Participant) -> None:
        self.name = participant.participant
        self.has_picture, self.has_sound = bool(participant.video), bool(participant.audio)
        self.rate_hz, self.end_s = participant.rate_hz, participant.duration_s
        self._video, self._audio = video_of(participant), audio_of(participant)
        self._survey = survey_sound(self._audio) if self.has_sound else None
        if self._survey:
            self.sound_start_s = self._survey.start_s

    def arrivals(self) -> Iterator[Arrival]:
        """As of `Source`."""
        pictures = (Arrival(frame.t_s, frame) for frame in (read_frames(self._video) if self.has_picture else ()))
        return heapq.merge(pictures, self._sound(), key=lambda arrival: arrival.at_s)

    def stop(self) -> None:
        """Nothing: a file ends by itself, and its thread with the program."""

    def _sound(self) -> Iterator[Arrival]:
        if self._survey is None:
            return
        arriving = ArrivingSound(self._audio, self._survey.clock)
        for piece in decoded_sound(self._audio):
            for samples, observed in arriving.add(piece):
                yield Arrival(arriving.end_s, Heard(samples, observed))
        for samples, observed in arriving.finish():
            yield Arrival(arriving.end_s, Heard(samples, observed))


class DeviceSource(Source):
    """A camera, a microphone, or both.

    Pictures stand at the moment at which they arrive. Sound is placed by its own stamps from its first moment on. As
    long as a microphone gives digital silence only, nothing counts as heard.

    Args:
        name: Of the person.
        camera: Name of the device, "" for none.
        microphone: The same.
        clock: Seconds since the session began.

    Raises:
        InputError: There is no such device.
    """

    def __init__(self, name: str, camera: str, microphone: str, clock: "Clock") -> None:
        self.name, self._clock = name, clock
        self._inputs = {
            kind: _opened(kind, device) for kind, device in ((CAMERA, camera), (MICROPHONE, microphone)) if device
        }
        self.has_picture, self.has_sound = CAMERA in self._inputs, MICROPHONE in self._inputs
        rate = self._inputs[CAMERA].streams.video[0].average_rate if self.has_picture else None
        self.rate_hz = float(rate or 25)
        import soxr  # noqa: F401 (it would take its time when the first sound is there)

        self._queue: queue.SimpleQueue[Arrival | Exception] = queue.SimpleQueue()
        self._stopped = threading.Event()

    def arrivals(self) -> Iterator[Arrival]:
        """As of `Source`."""
        readers = {CAMERA: self._see, MICROPHONE: self._hear}
        for kind, container in self._inputs.items():
            threading.Thread(target=self._guarded, args=(readers[kind], container), daemon=True).start()
        while not self._stopped.is_set():
            try:
                arrived = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if isinstance(arrived, Exception):
                raise arrived
            yield arrived

    def stop(self) -> None:
        """As of `Source`."""
        self._stopped.set()

    def _guarded(self, read: Any, container: Any) -> None:
        try:
            read(container)
        except av.error.FFmpegError as error:
            self._queue.put(
                InputError(f"{self.name}: the device stopped ({reason(error)}); plug it in and begin again")
            )
        except Exception as error:  # raised again by `arrivals`, in the thread that waits
            self._queue.put(error)
        finally:
            container.close()

    def _see(self, container: Any) -> None:
        for picture in container.decode(video=0):
            if self._stopped.is_set():
                return
            now_s = self._clock.now_s()
            self._queue.put(Arrival(now_s, Frame(now_s, Picture(picture, None))))

    def _hear(self, container: Any) -> None:
        arriving, start, silent = ArrivingSound(MediaTrack(Path(self.name))), None, True
        for frame in container.decode(audio=0):
            if self._stopped.is_set():
                return
            now_s, samples = self._clock.now_s(), channels_of(frame)
            silent = silent and float(np.abs(samples).max(initial=0)) <= SILENT
            own_s = float(frame.pts * frame.time_base) if frame.pts is not None else None
            if start is None and own_s is not None:
                start = now_s - samples.shape[1] / frame.sample_rate - own_s
            t_s = None if own_s is None or start is None else own_s + start
            for piece, observed in arriving.add(DecodedSound(samples, frame.sample_rate, t_s)):
                self._queue.put(Arrival(now_s, Heard(piece, observed and not silent)))


class Clock:
    """Seconds since the session began; fast, it stands where the media are."""

    def __init__(self, live: bool) -> None:
        self.live = live
        self._began = time.monotonic()

    def begin(self) -> None:
        """The session begins now."""
        self._began = time.monotonic()

    def now_s(self) -> float:
        """Of a live session."""
        return time.monotonic() - self._began

    def wait(self, until_s: float) -> None:
        """Sleep until a moment of a live session."""
        while self.live and (left := until_s - self.now_s()) > 0:
            time.sleep(left)


def is_device(source: str) -> bool:
    """Whether a source is a camera or a microphone."""
    return source.startswith((CAMERA, MICROPHONE))


def device_source(source: str, clock: Clock) -> DeviceSource:
    """Devices such as ``camera:0``, ``microphone:default``, or both, ``camera:0+microphone:default``.

    Raises:
        InputError: They are not written like that, or there is no such device.
    """
    found = {CAMERA: "", MICROPHONE: ""}
    for part in source.split("+"):
        kind = next((kind for kind in found if part.startswith(kind)), None)
        if kind is None or found[kind] or part == kind:
            raise InputError(f"{source}: expected camera:NAME, microphone:NAME or camera:NAME+microphone:NAME")
        found[kind] = part.removeprefix(kind)
    name = "".join(char if char.isalnum() else "-" for char in source)
    return DeviceSource(name, found[CAMERA], found[MICROPHONE], clock)


def _opened(kind: str, device: str) -> Any:
    """A container of FFmpeg's device input."""
    formats = FORMATS.get(sys.platform)
    if formats is None:
        raise InputError(f"{kind}{device}: no devices are known on {sys.platform}; name a file")
    name, pattern = formats[kind]
    try:
        with without_native_log():
            return av.open(pattern.format(device), format=name)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{kind}{device}: cannot be opened ({name}: {reason(error)}); is it there, free, and may you use it?"
        ) from None
