"""The rate of rows, measured from their times."""

from dataclasses import dataclass

import numpy as np

BRIDGED_S = 0.1
"""Steps up to this are interpolated whatever the rate (align.max_gap_s is longer)."""
IRREGULAR_SHARE = 0.05
"""Share of steps away from the median, above which rows have no rate."""


@dataclass(frozen=True)
class Clock:
    """How rows follow each other."""

    mean_hz: float
    """Rows a second outside gaps."""
    nominal_hz: float
    """`FeatureStream.rate_hz`: one over the longest step that is no gap, if that is longer than usual."""
    regular: bool
    gaps: int
    """Steps that are longer than 1.5 times the median one; of irregular rows, 3 times."""
    gap_s: float
    """Their length in all, s."""


def measure(t_s: np.ndarray) -> Clock | None:
    """The clock of increasing times; None for fewer than two rows."""
    if len(t_s) < 2:
        return None
    steps = np.diff(t_s)
    median = float(np.median(steps))
    odd = (np.abs(steps - median) > 0.5 * median) & (steps < 3 * median)
    regular = bool(odd.mean() <= IRREGULAR_SHARE)
    ordinary = steps[steps <= (1.5 if regular else 3.0) * median]
    longest, mean_hz = float(ordinary.max()), len(ordinary) / float(ordinary.sum())
    rounded = round(mean_hz, 3)
    mean_hz = rounded if abs(rounded / mean_hz - 1) < 1e-4 else mean_hz
    nominal_hz = mean_hz if longest <= max(1.0001 / mean_hz, BRIDGED_S) else 1 / longest
    gaps = steps[steps > longest]
    return Clock(mean_hz, nominal_hz, regular, len(gaps), float(gaps.sum()))
