"""How loud a recording is over time, and when its person speaks: for the eye, no model reads it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.media.sound import Waveform, read_waveform
from damamba.media.track import MediaTrack

RATE_HZ = 10
LEAST_RANGE_DB = 12.0
"""Between background and speech; where sound varies less, no turns are told."""
BRIDGED_S, SHORTEST_S = 0.5, 0.3
"""Pauses up to this length belong to a turn; what is shorter than a turn is none."""
QUIETEST_DB = -80.0


@dataclass(frozen=True)
class Loudness:
    """Sound of one person."""

    peak: np.ndarray
    """(n,) float32 at `RATE_HZ` from the start of the session, in [0, 1]; NaN where nothing was observed."""
    turns: tuple[tuple[float, float], ...]
    """[start, stop) of each turn, s: where it is louder than halfway, in dB, between background and speech."""


def read_loudness(media: Path | MediaTrack) -> Loudness:
    """Decode the sound of a recording and measure it.

    Raises:
        InputError: As `read_waveform`.
    """
    return loudness(read_waveform(media))


def loudness(sound: Waveform) -> Loudness:
    """Peaks and turns of a waveform, read piece by piece."""
    step = sound.rate_hz // RATE_HZ
    first = max(round(sound.start_s * RATE_HZ), 0)
    skipped = max(round(-sound.start_s * sound.rate_hz), 0)
    n = max(len(sound.samples) - skipped, 0) // step
    peak, level = np.full(first + n, np.nan, np.float32), np.full(first + n, np.nan)
    block = 600
    for at in range(0, n, block):
        stop = min(at + block, n)
        piece = np.asarray(sound.samples[skipped + at * step : skipped + stop * step]).reshape(stop - at, step)
        peak[first + at : first + stop] = np.abs(piece).max(1)
        power = np.square(piece, dtype=np.float64).mean(1)
        level[first + at : first + stop] = 10 * np.log10(np.maximum(power, 10 ** (QUIETEST_DB / 10)))
    start_s = (np.arange(n) * step + skipped) / sound.rate_hz
    unseen = np.concatenate([np.ones(first, bool), sound.observed(start_s, start_s + 1 / RATE_HZ) < 0.5])
    peak[unseen], level[unseen] = np.nan, np.nan
    return Loudness(np.minimum(peak, 1), _turns(level))


def _turns(level: np.ndarray) -> tuple[tuple[float, float], ...]:
    known = level[np.isfinite(level)]
    if not len(known):
        return ()
    quiet, loud = np.percentile(known, (10, 95))
    if loud - quiet < LEAST_RANGE_DB:
        return ()
    speaks = np.nan_to_num(level, nan=QUIETEST_DB) > (quiet + loud) / 2
    edges = np.flatnonzero(np.diff(np.concatenate([[False], speaks, [False]]).astype(np.int8))).reshape(-1, 2)
    joined: list[list[float]] = []
    for start_s, stop_s in (edges / RATE_HZ).tolist():
        if joined and start_s - joined[-1][1] <= BRIDGED_S:
            joined[-1][1] = stop_s
        else:
            joined.append([start_s, stop_s])
    return tuple((start_s, stop_s) for start_s, stop_s in joined if stop_s - start_s >= SHORTEST_S)
