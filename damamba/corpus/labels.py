"""Engagement labels as the challenge releases them: one number a line, 25 Hz, no header.

Empty lines, ``nan`` and ``-nan(ind)`` stand for frames without annotation: they become False in the mask, never 0.

Source: MultiMediate releases 2023-2026.
"""

import math
import re
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.console import InputError
from damamba.files import replace_file

# possessive quantifiers: the time for a long line of blanks grows only with its length
INVALID = re.compile(r"^\s*+[+-]?(nan(\(\w*+\))?)?\s*+$", re.IGNORECASE)
"""Texts that stand for a missing value."""
NOT_ANNOTATED = "leave the label column empty for a participant without annotation"


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
        """Cut to `length`, or extended by labels that are not valid."""
        value = np.full(length, np.nan, np.float32)
        n = min(length, len(self))
        value[:n] = self.value[:n]
        return Labels(value, np.isfinite(value))


def read_labels(path: Path) -> Labels:
    """Read a label file.

    Raises:
        InputError: The file is missing or empty, or a line is neither a number in [0, 1] nor `INVALID`.
    """
    try:
        stream = path.open(encoding="latin-1", newline="\n")  # the encoding of some files of the release
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {NOT_ANNOTATED}") from None
    value = array("f")
    with stream:
        for number, line in enumerate(stream, 1):
            value.append(_value(line, f"{path}, line {number}"))
    if not value:
        raise InputError(f"{path}: no labels in it; {NOT_ANNOTATED}")
    values = np.frombuffer(value, np.float32)
    return Labels(values, np.isfinite(values))


def _value(line: str, place: str) -> float:
    """The number on a line; NaN where the frame was not annotated."""
    if INVALID.match(line):
        return math.nan
    try:
        number = float(line)
    except ValueError:
        raise InputError(
            f"{place}: {line.strip()[:40]!r} is not a number; write one value a line, nan where it is invalid"
        ) from None
    if not 0 <= number <= 1:
        raise InputError(f"{place}: {number:g} lies outside [0, 1]; rescale the labels")
    return number


def write_values(path: Path, values: np.ndarray) -> None:
    """Write labels or predictions in the release's format: six decimals, ``nan`` where not finite."""
    replace_file(path, "".join(f"{v:.6f}\n" if np.isfinite(v) else "nan\n" for v in values).encode("ascii"))
