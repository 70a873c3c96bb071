"""Mean and spread of channels over more rows than fit into memory."""

from dataclasses import dataclass

import numpy as np

BLOCK_ROWS = 256


@dataclass(frozen=True)
class ChannelMoments:
    """Count, mean and sum of squared deviations of each channel; sums are exact (Chan et al. 1983)."""

    n: int
    mean: np.ndarray
    """(D,)."""
    m2: np.ndarray
    """(D,) sum of squared deviations from the mean."""

    @classmethod
    def of(cls, x: np.ndarray, valid: np.ndarray) -> "ChannelMoments":
        """Moments of the valid rows of (K, D), in blocks that stay in the processor's cache."""
        total = cls(0, np.zeros(x.shape[1]), np.zeros(x.shape[1]))
        for first in range(0, len(x), BLOCK_ROWS):
            seen = valid[first : first + BLOCK_ROWS]
            rows = x[first : first + BLOCK_ROWS][seen].astype(np.float64)
            if len(rows):
                mean = rows.mean(0)
                rows -= mean
                total += cls(len(rows), mean, np.einsum("kd,kd->d", rows, rows))
        return total

    def __add__(self, other: "ChannelMoments") -> "ChannelMoments":
        n = self.n + other.n
        if not n:
            return self
        step = other.mean - self.mean
        mean = self.mean + step * (other.n / n)
        return ChannelMoments(n, mean, self.m2 + other.m2 + step**2 * (self.n * other.n / n))

    @property
    def std(self) -> np.ndarray:
        """(D,) population standard deviation; 1 for a channel that never changes, so that it normalises to 0."""
        std = np.sqrt(self.m2 / max(self.n, 1))
        return np.where(std > 1e-6 * np.maximum(np.abs(self.mean), 1e-3), std, 1.0)
