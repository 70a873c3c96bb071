"""Quantiles of engagement and mood, planned like an experiment: a few sessions already cover the range."""

from functools import cache

import numpy as np

from damamba_sim.behaviour.engagement import SessionQuantiles
from damamba_sim.corpora.releases import MAX_PEOPLE

HALTON_BASES = (2, 3, 5, 7, 11)
"""Of the mood, then of each seat."""
BALANCED_AFTER = (3, 4, 6, 10)
"""Numbers of sessions at which a split should be balanced."""
BALANCE_WEIGHT = np.outer((1, 1, 1, 0.3, 0.3), (1, 1, 1, 0.3, 0.3))
"""The mood and the first two seats, which every session has, count most."""


def session_quantiles(seed: int, split_number: int, k: int, people: int) -> SessionQuantiles:
    """Quantiles of the k-th session of a split: point k of a shifted Halton sequence."""
    point = (_halton(k) + _best_shift(seed, split_number)) % 1
    return SessionQuantiles(engagement=tuple(point[1 : 1 + people].tolist()), mood=float(point[0]))


@cache
def _best_shift(seed: int, split_number: int) -> np.ndarray:
    """The one of many random shifts whose first sessions are most balanced: centred, spread out, uncorrelated.

    With only three or four sessions, chance alone would often give everyone the same engagement or correlate it with
    the mood.
    """
    shifts = np.random.default_rng((seed, split_number, 7)).uniform(size=(400, 1 + MAX_PEOPLE))
    points = np.stack([_halton(k) for k in range(max(BALANCED_AFTER))])
    centred = ((points + shifts[:, None]) % 1 - 0.5) * np.sqrt(12)  # variance 1 where uniform
    imbalance = np.zeros(len(shifts))
    for n in BALANCED_AFTER:
        first = centred[:, :n]
        moments = first.transpose(0, 2, 1) @ first / n
        correlated = ((moments - np.eye(1 + MAX_PEOPLE)) ** 2 * BALANCE_WEIGHT).sum((1, 2))
        imbalance += correlated + (first.mean(1) ** 2).sum(1)
    return shifts[int(imbalance.argmin())]


def _halton(k: int) -> np.ndarray:
    """Point k, (5,) in [0, 1): mood, then seats."""
    return np.array([_radical_inverse(k + 1, base) for base in HALTON_BASES])


def _radical_inverse(index: int, base: int) -> float:
    """The digits of `index` in `base`, mirrored at the decimal point; in [0, 1)."""
    scale, value = 1.0, 0.0
    while index:
        scale /= base
        value += scale * (index % base)
        index //= base
    return value
