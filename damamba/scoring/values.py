"""A series as text, one number a line."""

from pathlib import Path

import numpy as np

from damamba.console import InputError
from damamba.corpus.labels import INVALID


def read_values(path: Path) -> np.ndarray:
    """One number a line, (L,) float64; an empty line, ``nan`` and ``-nan(ind)`` are NaN.

    Raises:
        InputError: The file is empty, or a line is something else.
    """
    lines = path.read_text(encoding="latin-1").split("\n")
    if not lines[-1]:
        lines.pop()  # the end of the last line, not an empty value
    if not lines:
        raise InputError(f"{path}: empty; expected one number a line, 25 a second")
    value = np.full(len(lines), np.nan)
    for i, line in enumerate(lines):
        if not INVALID.match(line):
            try:
                value[i] = float(line)
            except ValueError:
                raise InputError(
                    f"{path}, line {i + 1}: {line.strip()[:40]!r} is not a number; expected one value a line, nan "
                    "where invalid"
                ) from None
    return value
