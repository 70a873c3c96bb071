"""Streams of any rate on one regular grid; what is missing stays missing.

Grid frame k is at k / rate_hz seconds of the session's clock.
"""

import numpy as np


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
