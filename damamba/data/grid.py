"""Streams of any rate on one regular grid; what is missing stays missing.

Grid frame k is at k / rate_hz seconds of the session's clock.
"""

import numpy as np

from damamba.config import LABEL_RATE_HZ


def grid_lag_s(rate_hz: int) -> float:
    """How far the frames of a causal grid lag behind their own times, s.

    A score at 25 Hz stands at the first frame of its label and is a mean over all of them: they end at that time.
    """
    return 1 / LABEL_RATE_HZ - 1 / rate_hz


def resample(
    t_s: np.ndarray,
    x: np.ndarray,
    valid: np.ndarray,
    grid_s: np.ndarray,
    max_gap_s: float,
    rate_hz: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Linear interpolation between valid rows, by their own times.

    A grid frame is valid between two valid rows that are at most `max_gap_s` apart, and within half a row's step of a
    valid row; beside a gap it takes the value of that row.

    Args:
        t_s: (N,) times of the rows, s, increasing.
        x: (N, D); any value where not valid.
        valid: (N,) bool.
        grid_s: (K,) times of the grid frames, s.
        max_gap_s: Longest gap between valid rows that is interpolated, s.
        rate_hz: Nominal rate of the rows, Hz; neighbours at this rate are interpolated whatever `max_gap_s` is.

    Returns:
        (K, D) float32, NaN where not valid, and the (K,) mask.

    Source:
        arXiv:2509.17711, "linearly interpolated to a common sampling rate of 100 Hz"; gaps and masks are a free
        choice, see docs/design.md.
    """
    out = np.full((len(grid_s), x.shape[1]), np.nan, np.float32)
    t, rows = t_s[valid], x[valid]
    if not len(t):
        return out, np.zeros(len(grid_s), bool)
    right = np.searchsorted(t, grid_s, side="left").clip(0, len(t) - 1)
    left = np.where(t[right] > grid_s, right - 1, right).clip(0)
    gap = t[right] - t[left]
    between = (t[left] <= grid_s) & (grid_s <= t[right]) & (gap <= max(max_gap_s, 1.0001 / rate_hz))
    nearest = np.where(np.abs(grid_s - t[left]) <= np.abs(t[right] - grid_s), left, right)
    at_edge = np.abs(t[nearest] - grid_s) <= 0.5 / rate_hz + 1e-9
    weight = np.divide(grid_s - t[left], gap, out=np.zeros(len(grid_s)), where=gap > 0).astype(np.float32)
    mixed = rows[left] * (1 - weight[:, None]) + rows[right] * weight[:, None]
    out[at_edge] = rows[nearest[at_edge]]
    out[between] = mixed[between]
    return out, between | at_edge


def hold(
    known_s: np.ndarray,
    x: np.ndarray,
    valid: np.ndarray,
    grid_s: np.ndarray,
    max_gap_s: float,
    rate_hz: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The last row that is known at each grid frame: causal, since nothing comes from a later row.

    A frame is valid where that row is valid and has been known for at most `max_gap_s` (or one step of the rows).

    Args:
        known_s: (N,) times from which the rows are known, s, increasing.
        x: (N, D); any value where not valid.
        valid: (N,) bool.
        grid_s: (K,) times of the grid frames, s.
        max_gap_s: Longest time that a row is held, s.
        rate_hz: Nominal rate of the rows, Hz; a row is held for one step at this rate whatever `max_gap_s` is.

    Returns:
        (K, D) float32, NaN where not valid, and the (K,) mask.
    """
    out = np.full((len(grid_s), x.shape[1]), np.nan, np.float32)
    last = last_known(known_s, grid_s)
    seen = np.zeros(len(grid_s), bool)
    if len(known_s):
        row = last.clip(0)
        seen = (last >= 0) & valid[row] & (grid_s - known_s[row] <= max(max_gap_s, 1.0001 / rate_hz))
        out[seen] = x[row[seen]]
    return out, seen


def last_known(known_s: np.ndarray, grid_s: np.ndarray) -> np.ndarray:
    """(K,) number of the last of the rows that is known at each grid frame; -1 before the first."""
    return np.searchsorted(known_s, grid_s + 1e-9, side="right") - 1  # k / 25 and 4 * k / 100 differ in the last digit
