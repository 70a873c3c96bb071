"""Labels as annotators give them: late, drifting, in steps, noisy, averaged, and missing here and there."""

from pathlib import Path

import numpy as np

from damamba.files import whole_file
from damamba_sim.behaviour.processes import RATE_HZ, late, smooth, wander

ANNOTATORS = 4
LAG_S = (0.3, 0.8)
STEP = 0.05
"""Of the slider."""
INVALID_TOKENS = ("", "nan", "-nan(ind)")
"""What the release holds for frames that were not annotated."""


def annotate(rng: np.random.Generator, engagement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What annotators make of one person's engagement.

    Args:
        rng: Their randomness.
        engagement: (T,) in [0, 1] at 25 Hz.

    Returns:
        Values (T,) in [0, 1], the mean of the annotators, and whether each frame was annotated, (T,) bool.
    """
    frames = len(engagement)
    slides = []
    for _ in range(ANNOTATORS):
        seen = late(smooth(engagement, 0.3), rng.uniform(*LAG_S))
        opinion = 0.5 + rng.normal(1, 0.06) * (seen - 0.5)
        opinion += 0.03 * wander(rng, frames, 60) + 0.02 * wander(rng, frames, 3)
        slides.append(np.clip(np.round(opinion / STEP) * STEP, 0, 1))
    valid = np.ones(frames, bool)
    valid[: rng.integers(0, 4)] = False  # nobody has moved the slider yet
    for _ in range(rng.poisson(frames / (20 * RATE_HZ))):
        gap = int(rng.integers(1, 6))
        first = int(rng.integers(frames))
        valid[first : first + gap] = False
    return np.mean(slides, axis=0), valid


def write_labels(path: Path, values: np.ndarray, valid: np.ndarray) -> None:
    """Write a label file of the release: one number a line, 25 Hz, no header.

    Frames that were not annotated carry the release's three tokens in turn.
    """
    lines, missing = [], 0
    for value, known in zip(values, valid, strict=True):
        if known:
            lines.append(f"{value:.6f}\n")
        else:
            lines.append(INVALID_TOKENS[missing % len(INVALID_TOKENS)] + "\n")
            missing += 1
    with whole_file(path) as temporary:
        temporary.write_text("".join(lines), encoding="ascii")
