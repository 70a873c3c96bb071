"""Rooms, noise and sound files."""

import tempfile
import wave
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.signal import lfilter, oaconvolve

from damamba.files import whole_file

SAMPLE_RATE_HZ = 16_000
BLOCK = 20 * SAMPLE_RATE_HZ
LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ = 60, 450
VOICED, VOICED_FRAMES = 0.5, 5
"""Least autocorrelation of a voiced frame; fewest voiced frames for a median."""
SILENCE_POWER = 1e-8


def active_level_db(samples: np.ndarray, rate_hz: int) -> float:
    """RMS of the 20 ms frames within 20 dB of the loudest, dB of full scale; pauses do not count."""
    hop = rate_hz // 50
    power = (
        np.mean(samples[: max(len(samples) // hop, 1) * hop].reshape(-1, min(hop, len(samples))) ** 2, axis=1) + 1e-12
    )
    return float(10 * np.log10(power[power > power.max() / 100].mean()))


def pitch_hz(frames: np.ndarray, rate_hz: int) -> np.ndarray:
    """Fundamental frequency of each of (n, size) frames of a voice, (n,); 0 where unvoiced.

    Source:
        Boersma 1993, "Accurate short-term analysis of the fundamental frequency": the autocorrelation of a windowed
        frame divided by that of its window, with a parabola through the highest point.
    """
    n, size = frames.shape
    window = np.hanning(size)
    frames = (frames - frames.mean(1, keepdims=True)) * window
    spectra = np.abs(np.fft.rfft(np.vstack([frames, window]), 2 * size)) ** 2
    products = np.fft.irfft(spectra)[:, : size // 2]
    lags = products[:n] / products[n]
    lags /= np.maximum(lags[:, :1], 1e-12)
    shortest, longest = rate_hz // HIGHEST_PITCH_HZ, min(rate_hz // LOWEST_PITCH_HZ, size // 2 - 2)
    # multiples of the period are equally high; the slope prefers the shortest
    best = shortest + np.argmax(lags[:, shortest:longest] - 0.1 * np.linspace(0, 1, longest - shortest), axis=1)
    before, peak, after = (lags[np.arange(n), best + step] for step in (-1, 0, 1))
    shift = 0.5 * (before - after) / np.minimum(before - 2 * peak + after, -1e-9)
    loud = (frames**2).mean(1) > SILENCE_POWER
    return np.where(loud & (peak > VOICED), rate_hz / (best + np.clip(shift, -0.5, 0.5)), 0.0)


def median_pitch_hz(samples: np.ndarray, rate_hz: int) -> float | None:
    """Median fundamental frequency of the louder half of a voice; None if hardly anything is voiced."""
    size, hop = rate_hz // 20, rate_hz // 100
    if len(samples) < size:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop].astype(np.float64)
    power = frames.var(axis=1)
    pitches_hz = pitch_hz(frames[power >= np.median(power)], rate_hz)
    voiced = pitches_hz[pitches_hz > 0]
    return float(np.median(voiced)) if len(voiced) >= VOICED_FRAMES else None


def amplify(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """`samples`, louder by `gain_db`."""
    return samples * np.float32(10 ** (gain_db / 20))


def room_response(rng: np.random.Generator, rt60_s: float, direct_db: float) -> np.ndarray:
    """Impulse response of a random room, float32: direct sound, then a decaying tail with `direct_db` less energy."""
    t_s = np.arange(int(rt60_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    response = rng.normal(size=len(t_s)) * 10 ** (-3 * t_s / rt60_s) * (t_s > 0.004)
    response *= 10 ** (-direct_db / 20) / np.sqrt((response**2).sum())
    response[0] = 1.0
    return response.astype(np.float32)


def reverberate(samples: np.ndarray, rng: np.random.Generator, rt60_s: float, direct_db: float) -> np.ndarray:
    """`samples` heard in a random room (`room_response`); same length."""
    return oaconvolve(samples, room_response(rng, rt60_s, direct_db))[: len(samples)].astype(np.float32)


def noise(n: int, rng: np.random.Generator, level_db: float) -> np.ndarray:
    """Room noise, (n,) float32, falling by 6 dB per octave above about 250 Hz; RMS `level_db` dB of full scale."""
    keep = 0.9
    spread = 1 / np.sqrt(1 - keep**2)
    coloured, _ = lfilter([1.0], [1.0, -keep], rng.normal(size=n), zi=[keep * spread * rng.normal()])
    return (coloured * 10 ** (level_db / 20) / spread).astype(np.float32)


def delay(samples: np.ndarray, seconds: float) -> np.ndarray:
    """`samples`, later by `seconds`; same length."""
    n = min(round(seconds * SAMPLE_RATE_HZ), len(samples))
    return np.concatenate([np.zeros(n, samples.dtype), samples[: len(samples) - n]])


class Tape:
    """A 16 kHz track with sounds on it, kept in an unnamed file: hours take no more memory than minutes.

    Args:
        seconds: Length; sounds that are added beyond it are cut off.
    """

    def __init__(self, seconds: float) -> None:
        self.n = round(seconds * SAMPLE_RATE_HZ)
        self._file = tempfile.TemporaryFile(prefix="damamba-")  # noqa: SIM115 (closed with the tape)
        weakref.finalize(self, self._file.close)
        self._pieces: list[tuple[int, int, int]] = []

    def add(self, samples: np.ndarray, start_s: float) -> None:
        """Mix `samples` into the track."""
        first = round(start_s * SAMPLE_RATE_HZ)
        samples = samples[: max(self.n - first, 0)].astype(np.float32)
        self._pieces.append((first, first + len(samples), self._file.seek(0, 2)))
        self._file.write(samples.tobytes())

    def read(self, first: int, stop: int) -> np.ndarray:
        """(stop - first,) float32 samples; zeros before the start."""
        out = np.zeros(stop - first, np.float32)
        for start, end, offset in self._pieces:
            low, high = max(start, first), min(end, stop)
            if low < high:
                self._file.seek(offset + 4 * (low - start))
                out[low - first : high - first] += np.frombuffer(self._file.read(4 * (high - low)), np.float32)
        return out


def level_and_pitch(tape: Tape, frames: int, rate_hz: int) -> tuple[np.ndarray, np.ndarray]:
    """Level (dB of full scale, not below -80) and pitch (Hz, 0 where unvoiced) around each frame, each (frames,)."""
    size, hop = SAMPLE_RATE_HZ // 20, SAMPLE_RATE_HZ // rate_hz
    level_db, f0_hz = np.empty(frames), np.empty(frames)
    for first in range(0, frames, BLOCK // hop):
        last = min(first + BLOCK // hop, frames)
        sound = tape.read(first * hop - size // 2, (last - 1) * hop + size - size // 2)
        pieces = np.lib.stride_tricks.sliding_window_view(sound, size)[::hop].astype(np.float64)
        level_db[first:last] = 10 * np.log10((pieces**2).mean(1) + SILENCE_POWER)
        f0_hz[first:last] = pitch_hz(pieces, SAMPLE_RATE_HZ)
    return level_db, f0_hz


def microphone_signal(
    tapes: Sequence[Tape], paths: Sequence[np.ndarray], rng: np.random.Generator, noise_db: float
) -> Iterator[np.ndarray]:
    """The signal of a microphone, float32, a block at a time.

    Args:
        tapes: The sources, all of one length.
        paths: Impulse response from each source to the microphone.
        rng: Source of the noise.
        noise_db: RMS of the noise, dB of full scale.
    """
    for first in range(0, tapes[0].n, BLOCK):
        stop = min(first + BLOCK, tapes[0].n)
        total = noise(stop - first, rng, noise_db)
        for tape, path in zip(tapes, paths, strict=True):
            total += oaconvolve(tape.read(first - len(path) + 1, stop), path, mode="valid").astype(np.float32)
        yield total


def write_wav(path: Path, blocks: Iterable[np.ndarray]) -> None:
    """Write mono, 16 bit, 16 kHz; samples beyond full scale are clipped, as in a recorder."""
    with whole_file(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        for samples in blocks:
            file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
