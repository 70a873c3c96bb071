"""One series a file: a column of Parquet, or text with one number a line."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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


def read_column(path: Path, name: str, remedy: str) -> np.ndarray:
    """A column of one of our Parquet files, (L,) float64 with NaN for null.

    Raises:
        InputError: There is no such file or column, or it is damaged; `remedy` is the command that makes it.
    """
    try:
        return pq.read_table(path, columns=[name])[name].to_numpy().astype(np.float64)
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {remedy}") from None
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: damaged, no column {name!r} ({reason}); make it again: {remedy}") from None
