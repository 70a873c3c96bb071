"""Engagement labels as the challenge releases them: one number a line, 25 Hz, no header.

Source: MultiMediate releases 2023-2026. Empty lines, ``nan`` and ``-nan(ind)`` stand for frames that were not
annotated: they become False in the mask, never 0.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.console import InputError

INVALID = re.compile(r"^\s*[+-]?(nan(\(\w*\))?)?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Labels:
    """Engagement of one participant; label i covers [i / 25, (i + 1) / 25) s."""

    value: np.ndarray
    """(L,) float32 in [0, 1]; NaN where not valid."""
    valid: np.ndarray
    """(L,) bool."""

    def __len__(self) -> int:
        return len(self.value)

    def resized(self, length: int) -> "Labels":
        """Cut, or lengthened by frames that are not valid."""
        value = np.full(length, np.nan, np.float32)
        n = min(length, len(self))
        value[:n] = self.value[:n]
        return Labels(value, np.isfinite(value))


def read_labels(path: Path) -> Labels:
    """Read a label file.

    Raises:
        InputError: No such file, an empty one, or a line that is neither a number in [0, 1] nor an invalid token.
    """
    try:
        text = path.read_text(encoding="latin-1")  # some files of the release are
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; leave the label column empty for somebody who was not annotated"
        ) from None
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()  # the end of the last line, not an empty label
    if not lines:
        raise InputError(f"{path}: no labels in it; leave the label column empty for somebody who was not annotated")
    value = np.full(len(lines), np.nan, np.float32)
    for i, line in enumerate(lines):
        if INVALID.match(line):
            continue
        try:
            number = float(line)
        except ValueError:
            raise InputError(
                f"{path}, line {i + 1}: {line.strip()[:40]!r} is no number; one value a line, nan where invalid"
            ) from None
        if not 0 <= number <= 1:
            raise InputError(f"{path}, line {i + 1}: {number:g} lies outside [0, 1]; rescale the labels")
        value[i] = number
    return Labels(value, np.isfinite(value))


def write_values(path: Path, values: np.ndarray) -> None:
    """Write labels or predictions in the release's format: six decimals, ``nan`` where not finite."""
    path.write_text("".join(f"{v:.6f}\n" if np.isfinite(v) else "nan\n" for v in values), encoding="ascii")
