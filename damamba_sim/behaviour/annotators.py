"""Simulated annotators: late, drifting, noisy ratings in steps, averaged, with missing frames."""

from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.files import whole_file
from damamba_sim.behaviour.processes import late, smooth, wander

ANNOTATORS = 4
LAG_S = (0.3, 0.8)
STEP = 0.05
"""Resolution of the slider."""
INVALID_TOKENS = ("", "nan", "-nan(ind)")
"""How the release marks frames without an annotation."""


def annotate(rng: np.random.Generator, engagement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratings of one person's engagement.

    Args:
        rng: Source of the annotators' randomness.
        engagement: (T,) in [0, 1] at 25 Hz.

    Returns:
        Mean rating (T,) in [0, 1], and whether each frame was annotated, (T,) bool.
    """
    frames = len(engagement)
    ratings = []
    for _ in range(ANNOTATORS):
        seen = late(smooth(engagement, 0.3), rng.uniform(*LAG_S))
        rating = 0.5 + rng.normal(1, 0.06) * (seen - 0.5)
        rating += 0.03 * wander(rng, frames, 60) + 0.02 * wander(rng, frames, 3)
        ratings.append(np.clip(np.round(rating / STEP) * STEP, 0, 1))
    valid = np.ones(frames, bool)
    valid[: rng.integers(0, 4)] = False  # before anyone has moved the slider
    for _ in range(rng.poisson(frames / (20 * LABEL_RATE_HZ))):
        gap = int(rng.integers(1, 6))
        first = int(rng.integers(frames))
        valid[first : first + gap] = False
    return np.mean(ratings, axis=0), valid


def write_labels(path: Path, values: np.ndarray, valid: np.ndarray) -> None:
    """Write a label file in the release's format: one number a line, 25 Hz, no header.

    Frames without an annotation get the release's three tokens in turn.
    """
    lines, missing = [], 0
    for value, is_valid in zip(values, valid, strict=True):
        if is_valid:
            lines.append(f"{value:.6f}\n")
        else:
            lines.append(INVALID_TOKENS[missing % len(INVALID_TOKENS)] + "\n")
            missing += 1
    with whole_file(path) as temporary:
        temporary.write_text("".join(lines), encoding="ascii")
