"""Rooms, noise and sound files."""

import wave
from pathlib import Path

import numpy as np
from scipy.signal import lfilter, oaconvolve

from damamba.features.files import whole_file

SAMPLE_RATE_HZ = 16_000


def active_level_db(samples: np.ndarray, rate_hz: int) -> float:
    """RMS of the 20 ms frames within 20 dB of the loudest, dB of full scale: pauses do not count."""
    hop = rate_hz // 50
    power = (
        np.mean(samples[: max(len(samples) // hop, 1) * hop].reshape(-1, min(hop, len(samples))) ** 2, axis=1) + 1e-12
    )
    return float(10 * np.log10(power[power > power.max() / 100].mean()))


def amplify(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """Louder by `gain_db`."""
    return samples * np.float32(10 ** (gain_db / 20))


def reverberate(samples: np.ndarray, rng: np.random.Generator, rt60_s: float, direct_db: float) -> np.ndarray:
    """In a made-up room: the direct sound, then a decaying tail `direct_db` weaker in energy; same length."""
    t_s = np.arange(int(rt60_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    response = rng.normal(size=len(t_s)) * 10 ** (-3 * t_s / rt60_s) * (t_s > 0.004)
    response *= 10 ** (-direct_db / 20) / np.sqrt((response**2).sum())
    response[0] = 1.0
    return oaconvolve(samples, response.astype(np.float32))[: len(samples)].astype(np.float32)


def noise(n: int, rng: np.random.Generator, level_db: float) -> np.ndarray:
    """Room noise, (n,) float32, falling 6 dB an octave above about 250 Hz; RMS `level_db` dB of full scale."""
    coloured = np.asarray(lfilter([1.0], [1.0, -0.9], rng.normal(size=n)))
    return (coloured * 10 ** (level_db / 20) / max(float(coloured.std()), 1e-9)).astype(np.float32)


def delay(samples: np.ndarray, seconds: float) -> np.ndarray:
    """Later by `seconds`; same length."""
    n = min(round(seconds * SAMPLE_RATE_HZ), len(samples))
    return np.concatenate([np.zeros(n, samples.dtype), samples[: len(samples) - n]])


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Mono, 16 bit, 16 kHz; what exceeds full scale is clipped, as a recorder would."""
    with whole_file(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
