"""Decode sound to mono at 16 kHz: piece by piece, by its own stamps, with what is missing marked as such."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from damamba.console import InputError
from damamba.media.container import Kind, choose, open_media, reason, refuse_claim, several, zero_s
from damamba.media.stamps import ErrorCount, PacketTable, read_packets
from damamba.media.track import MediaTrack, as_track
from damamba.spool import RowsOnDisk, SpooledRows

SAMPLE_RATE_HZ = 16_000
TOLERANCE_S = 0.02
"""Stamps may be this far from the count of samples without a remark."""
SILENT = 2.0**-15
"""One step of 16 bits: sound that never leaves it, dithered or not, was not recorded."""
CANCELLED = 0.01
"""Share of the channels' energy that is left in their mean where they cancel each other."""
STRETCHES = 8
"""Parts of a recording that must agree on a drift of the clock."""
KIND: Kind = "audio"


@dataclass(frozen=True)
class Waveform:
    """Mono sound at 16 kHz."""

    samples: np.ndarray | RowsOnDisk
    """(n,) float32 in [-1, 1]; 0 where nothing was observed. Of long sound, slices are read from the disk."""
    start_s: float
    """Time of the first sample."""
    missing: tuple[tuple[int, int], ...] = ()
    """Stretches of samples [first, stop) that were lost, damaged, or never recorded."""
    rate_hz: int = SAMPLE_RATE_HZ

    def observed(self, first_s: np.ndarray, last_s: np.ndarray) -> np.ndarray:
        """(n,) share of each stretch of time that was observed, 0 to 1; times in s after the first sample."""
        first, last = (np.clip(np.asarray(s) * self.rate_hz, 0, len(self.samples)) for s in (first_s, last_s))
        lost = np.zeros(len(first))
        for start, stop in self.missing:
            lost += np.clip(np.minimum(last, stop) - np.maximum(first, start), 0, None)
        length = last - first
        return np.where(length > 0, 1 - lost / np.maximum(length, 1e-9), 0.0)

    def pieces(self) -> Iterator[tuple[np.ndarray, bool]]:
        """The samples in order, in pieces of a second at most, each observed as a whole or not at all."""
        n = len(self.samples)
        lost = np.array(self.missing, int).reshape(-1, 2).clip(0, n)
        edges = np.unique(np.concatenate([np.arange(0, n, self.rate_hz), lost.ravel(), [n]]))
        for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            hole = int(np.searchsorted(lost[:, 0], first, side="right")) - 1
            yield self.samples[first:stop], hole < 0 or first >= lost[hole, 1]


@dataclass(frozen=True)
class SoundSurvey:
    """A sound track after it was decoded once, without keeping it."""

    start_s: float
    end_s: float
    rate_hz: int
    """Of the first frame."""
    channels: int
    silent: bool
    """Whether it has no sound from beginning to end."""
    cancelled: bool
    """Whether its channels cancel each other in their mean."""
    clock: float
    """How much faster stamps run than samples, as a ratio; 1 without a steady drift."""
    lost_s: float
    """Length of the stretches without sound between its first and its last sample."""
    notes: tuple[str, ...]
    table: PacketTable


@dataclass(frozen=True)
class DecodedSound:
    """A piece of sound as it was decoded."""

    samples: np.ndarray
    """(channels, n) float64 in [-1, 1]."""
    rate_hz: int
    t_s: float | None
    """Stamp on the session's clock."""


def survey_sound(media: Path | MediaTrack) -> SoundSurvey:
    """Decode a sound track and keep what describes it.

    Raises:
        InputError: The file is missing, empty, not media, without sound, or claims a length that it cannot hold.
    """
    track = as_track(media)
    with open_media(track.path) as container:
        stream = choose(container, track, KIND)
        table = read_packets(track.path, container, stream)
        note = several(container, track, KIND)
    stamps, lengths = array("d"), array("d")
    peak, mixed, apart = 0.0, 0.0, 0.0
    rates, layouts = [], []
    damage = _Damage()
    for piece in decoded_sound(track, damage):
        stamps.append(np.nan if piece.t_s is None else piece.t_s)
        lengths.append(piece.samples.shape[1] / piece.rate_hz)
        mono = _mono(piece.samples, track)
        peak = max(peak, float(np.abs(mono).max(initial=0.0)))
        mixed += float(np.square(mono, dtype=np.float64).sum())
        apart += float(np.square(piece.samples, dtype=np.float64).mean(0).sum())
        for seen, value in ((rates, piece.rate_hz), (layouts, len(piece.samples))):
            if not seen or seen[-1] != value:
                seen.append(value)
    if not stamps:
        raise InputError(f"{track}: contains no sound that can be decoded{damage.words}; record or export it again")
    clock = _drift(np.array(stamps), np.array(lengths))
    place = _Clock(clock)
    for t_s, length in zip(stamps, lengths, strict=True):
        place.place(None if np.isnan(t_s) else t_s, length)
    refuse_claim(track.path, place.next_s - min(place.start_s, 0.0))
    silent = peak <= SILENT
    cancelled = track.channel is None and layouts != [1] and apart > 0 and mixed < CANCELLED * apart
    notes = [note] if note else []
    if silent and not cancelled:
        notes.append("the sound is digital silence from beginning to end; audio cues are not valid")
    if cancelled:
        notes.append(
            "the channels cancel each other (opposite phase), so their mean is all but silent; "
            "choose one with the column audio_channel of the manifest"
        )
    if len(rates) > 1:
        notes.append(f"the sampling rate changes: {', '.join(map(str, rates[:6]))} Hz; each part is read at its own")
    if len(layouts) > 1:
        shown = ", ".join(map(str, layouts[:6]))
        notes.append(f"the number of channels changes: {shown}; each part is read by its own")
    if clock != 1:
        notes.append(f"stamps run {abs(clock - 1):.2%} {'faster' if clock > 1 else 'slower'} than samples; corrected")
    if place.lost_s > TOLERANCE_S:
        notes.append(
            f"{place.lost_s:.2f} s of sound are missing in {place.holes} places; audio cues are not valid there"
        )
    if place.joints:
        notes.append(f"stamps of the sound run backwards {place.joints} times; what follows a jump is joined on")
    if damage.packets:
        notes.append(f"{damage.packets} packets of sound are damaged, the first at {damage.first_s:.2f} s")
    return SoundSurvey(
        place.start_s, place.next_s, rates[0], layouts[0], silent, cancelled, clock, place.lost_s, tuple(notes), table
    )


def read_waveform(media: Path | MediaTrack) -> Waveform:
    """Decode sound to mono at 16 kHz; channels are averaged, or one of them is chosen.

    Raises:
        InputError: As `survey_sound`.
    """
    track = as_track(media)
    survey = survey_sound(track)
    arriving = ArrivingSound(track, survey.clock)
    out = SpooledRows(None)
    missing: list[tuple[int, int]] = []
    for samples, observed in arriving.of(decoded_sound(track)):
        if not observed:
            first = missing.pop()[0] if missing and missing[-1][1] == out.n else out.n
            missing.append((first, out.n + len(samples)))
        out.append(samples)
    if survey.silent:
        missing = [(0, out.n)]
    return Waveform(out.rows(), survey.start_s, tuple(missing))


class ArrivingSound:
    """Sound at 16 kHz from the decoded pieces of a track, in their order: each in its place, holes filled with zeros.

    Args:
        track: For the channel that is heard, and for messages.
        clock: As of `SoundSurvey`.
    """

    def __init__(self, track: MediaTrack, clock: float = 1.0) -> None:
        self._track, self._factor = track, clock
        self._place, self._resampler = _Clock(clock), _Resampler(clock)
        self._n = 0

    @property
    def start_s(self) -> float:
        """Time of the first sample, once there is one."""
        return self._place.start_s

    def of(self, pieces: "Iterable[DecodedSound]") -> Iterator[tuple[np.ndarray, bool]]:
        """`add` of each, then `finish`."""
        for piece in pieces:
            yield from self.add(piece)
        yield from self.finish()

    def add(self, piece: "DecodedSound") -> Iterator[tuple[np.ndarray, bool]]:
        """(n,) float32 samples that are complete with the next piece, and whether they were observed."""
        length = piece.samples.shape[1] / piece.rate_hz
        if self._place.place(piece.t_s, length):
            yield self._counted(self._resampler.finish())
            before_s = self._place.next_s - length * self._factor - self._place.start_s
            stop = round(before_s * SAMPLE_RATE_HZ)
            for first in range(self._n, stop, SAMPLE_RATE_HZ):
                yield self._counted(np.zeros(min(SAMPLE_RATE_HZ, stop - first), np.float32), observed=False)
        yield self._counted(self._resampler.add(_mono(piece.samples, self._track), piece.rate_hz))

    def finish(self) -> Iterator[tuple[np.ndarray, bool]]:
        """The rest, where the sound ends."""
        yield self._counted(self._resampler.finish())

    def _counted(self, samples: np.ndarray, observed: bool = True) -> tuple[np.ndarray, bool]:
        self._n += len(samples)
        return samples, observed


@dataclass
class _Damage:
    packets: int = 0
    first_s: float = 0.0
    error: str = ""

    @property
    def words(self) -> str:
        return f" ({self.packets} damaged packets: {self.error})" if self.packets else ""

    def add(self, packet: Any, zero: float, error: Exception) -> None:
        """Count a damaged packet."""
        if not self.packets:
            self.first_s = float(packet.pts * packet.time_base) - zero if packet.pts is not None else 0.0
            self.error = reason(error)
        self.packets += 1


def decoded_sound(track: MediaTrack, damage: _Damage | None = None) -> Iterator[DecodedSound]:
    """Decoded frames in the order of the file; damaged packets are counted and left out."""
    damage = damage or _Damage()
    with open_media(track.path) as container:
        stream = choose(container, track, KIND)
        zero = zero_s(container)
        for packet in ErrorCount(track.path).packets(container, [stream]):
            if packet.size == 0 and packet.pts is not None:
                continue
            try:
                frames = stream.decode(packet)
            except av.error.FFmpegError as error:
                damage.add(packet, zero, error)
                continue
            for frame in frames:
                time_base = frame.time_base or stream.time_base
                t_s = None if frame.pts is None else float(frame.pts * time_base) - zero
                yield DecodedSound(channels_of(frame), frame.sample_rate, t_s)


def channels_of(frame: "av.AudioFrame") -> np.ndarray:
    """(channels, n) float64 in [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float64) - 128) / 128
    scale = 1.0 if samples.dtype.kind == "f" else 2.0 ** (8 * samples.dtype.itemsize - 1)
    return samples.astype(np.float64) / scale


def _mono(samples: np.ndarray, track: MediaTrack) -> np.ndarray:
    """(n,) float32: the channel of `track`, or the mean of all."""
    if track.channel is not None:
        if track.channel > len(samples):
            raise InputError(
                f"{track}: audio_channel is {track.channel}, but the sound has {len(samples)} channels; "
                "correct the column audio_channel of the manifest"
            )
        samples = samples[track.channel - 1 : track.channel]
    return samples.mean(0).astype(np.float32)


class _Clock:
    """Where each piece of sound belongs, by its stamp; small differences are rounding and are ignored."""

    def __init__(self, clock: float) -> None:
        self._clock = clock
        self.start_s = self.next_s = 0.0
        self.lost_s, self.holes, self.joints = 0.0, 0, 0
        self._ahead_s = 0.0
        self._begun = False

    def place(self, t_s: float | None, length_s: float) -> float:
        """Take the next piece; the length of the hole in front of it, s."""
        hole = 0.0
        if not self._begun:
            self.start_s = self.next_s = t_s or 0.0
            self._begun = True
        elif t_s is not None:
            difference = t_s + self._ahead_s - self.next_s
            if difference > TOLERANCE_S:
                hole = difference
                self.lost_s += hole
                self.holes += 1
                self.next_s += hole
            elif difference < -TOLERANCE_S:
                self.joints += 1
                self._ahead_s -= difference
        self.next_s += length_s * self._clock
        return hole


def _drift(stamps_s: np.ndarray, lengths_s: np.ndarray) -> float:
    """Stamps over samples where they differ steadily, in all parts of a recording alike; else 1."""
    step, length = np.diff(stamps_s), lengths_s[:-1]
    slack = np.maximum(TOLERANCE_S, length / 2)
    steady = np.isfinite(step) & (np.abs(step - length) <= slack) & (length > 0)
    step, length = step[steady], length[steady]
    if len(step) < 4 * STRETCHES or abs((step - length).sum()) <= TOLERANCE_S:
        return 1.0
    parts = zip(np.array_split(step, STRETCHES), np.array_split(length, STRETCHES), strict=True)
    ratios = np.array([stamped.sum() / counted.sum() for stamped, counted in parts])
    middle = float(np.median(ratios)) - 1
    return float(step.sum() / length.sum()) if (np.abs(ratios - 1 - middle) <= abs(middle) / 2).all() else 1.0


class _Resampler:
    """To 16 kHz, in the pieces in which the sound comes; memory does not depend on its length."""

    def __init__(self, clock: float) -> None:
        self._clock = clock
        self._rate_hz = 0
        self._stream: Any = None

    def add(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """What is complete after these samples; where the rate changes, the rest of the former rate comes first."""
        rest = self.finish() if rate_hz != self._rate_hz else np.empty(0, np.float32)
        if rate_hz != self._rate_hz:
            self._rate_hz = rate_hz
        if rate_hz == SAMPLE_RATE_HZ and self._clock == 1:
            return np.concatenate([rest, samples]) if len(rest) else samples
        if self._stream is None:
            import soxr  # most sound has 16 kHz already

            self._stream = soxr.ResampleStream(rate_hz / self._clock, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        return np.concatenate([rest, self._stream.resample_chunk(samples, last=False)])

    def finish(self) -> np.ndarray:
        """The rest of the sound; what is added then begins anew."""
        if self._stream is None:
            return np.empty(0, np.float32)
        rest = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        self._stream = None
        return rest
