"""The rate of rows, measured from their times."""

from dataclasses import dataclass

import numpy as np

BRIDGED_S = 0.1
"""Steps up to this are interpolated whatever the rate (align.max_gap_s is longer)."""
STAMP_S = 1e-3
"""Many programs write times with three decimals."""
JITTER = 0.2
"""How far a step may be from a multiple of the median one, in such steps."""
IRREGULAR_SHARE = 0.05
"""Share of steps that are no multiple of the median, above which rows have no rate."""


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
    ratio = steps / median
    regular = bool((np.abs(ratio - np.round(ratio)) > JITTER).mean() <= IRREGULAR_SHARE)  # rows may be missing
    ordinary = steps[steps <= (1.5 if regular else 3.0) * median]
    longest, mean_hz = float(ordinary.max()), len(ordinary) / float(ordinary.sum())
    exact = STAMP_S / (t_s[-1] - t_s[0])  # what times rounded to ms leave open
    mean_hz = next((r for r in (float(round(mean_hz)), round(mean_hz, 2)) if abs(r / mean_hz - 1) <= exact), mean_hz)
    nominal_hz = mean_hz if longest <= max(1.0001 / mean_hz, BRIDGED_S) else 1 / longest
    gaps = steps[steps > longest]
    return Clock(mean_hz, nominal_hz, regular, len(gaps), float(gaps.sum()))
