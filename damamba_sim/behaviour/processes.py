"""Random processes and shapes from which behaviour is built, all at the 25 Hz of the labels."""

import numpy as np
from scipy.signal import lfilter

from damamba.config import LABEL_RATE_HZ


def wander(rng: np.random.Generator, frames: int, tau_s: float) -> np.ndarray:
    """Ornstein-Uhlenbeck noise (frames,) of mean 0 and variance 1 with a time constant of `tau_s`."""
    keep = np.exp(-1 / (tau_s * LABEL_RATE_HZ))
    steps = rng.normal(size=frames) * np.sqrt(1 - keep * keep)
    return lfilter([1.0], [1.0, -keep], steps, zi=[keep * rng.normal()])[0]


def smooth(x: np.ndarray, tau_s: float) -> np.ndarray:
    """First-order low-pass filter, settled at the first value."""
    keep = np.exp(-1 / (tau_s * LABEL_RATE_HZ))
    return lfilter([1 - keep], [1.0, -keep], x, zi=[keep * x[0]])[0]


def late(x: np.ndarray, seconds: float) -> np.ndarray:
    """`x` delayed by `seconds`; its first value fills the start."""
    n = min(int(seconds * LABEL_RATE_HZ), len(x))
    return np.concatenate([np.full(n, x[0]), x[: len(x) - n]])


def arch(seconds: float) -> np.ndarray:
    """A Hann window of this length."""
    return np.hanning(int(seconds * LABEL_RATE_HZ) + 2)


def raise_to(track: np.ndarray, start_s: float, shape: np.ndarray) -> None:
    """Raise `track` in place to at least `shape`, from `start_s` on; parts of `shape` outside `track` are dropped."""
    first = int(start_s * LABEL_RATE_HZ)
    if 0 <= first < len(track):
        part = shape[: len(track) - first]
        track[first : first + len(part)] = np.maximum(track[first : first + len(part)], part)


def logistic(x: np.ndarray | float) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(x, np.float64))))
