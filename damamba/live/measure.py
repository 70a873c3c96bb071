"""Durations of a long session in constant memory."""

import numpy as np

STEP_S, MOST_S = 0.001, 60.0


class Durations:
    """Counts durations by milliseconds; longer ones than a minute count as one."""

    def __init__(self) -> None:
        self._counts = np.zeros(round(MOST_S / STEP_S) + 1, np.int64)

    def add(self, seconds: float) -> None:
        """One more."""
        self._counts[int(np.clip(np.ceil(seconds / STEP_S), 0, len(self._counts) - 1))] += 1

    def quantile(self, share: float) -> float | None:
        """The duration, s, that this share does not exceed, rounded up to a millisecond; None without any."""
        total = int(self._counts.sum())
        if not total:
            return None
        return float(np.searchsorted(np.cumsum(self._counts), np.ceil(share * total)) * STEP_S)
