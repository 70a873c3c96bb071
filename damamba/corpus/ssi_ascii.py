"""Rows of numbers as text: the data file of an SSI stream of type ASCII."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from damamba.console import InputError

BLOCK_ROWS = 256
CHARACTERS_A_VALUE = 64
"""Longest number with its separator; -2.2250738585072014e-308 has 24."""
INVALID = re.compile(r"[+-]?(nan\(\w*+\)|1\.#(IND|QNAN|SNAN)\d*)", re.IGNORECASE)
"""How Windows prints NaN."""
INFINITE = re.compile(r"1\.#INF\d*", re.IGNORECASE)


def parse_rows(data: Path, rows: int, width: int, dtype: np.dtype, delimiter: str) -> tuple[np.ndarray, bool]:
    """Read up to `rows` lines of `width` values; empty lines do not count.

    Returns:
        x: (n, D) in `dtype`; n is `rows`, or fewer if the file has fewer lines.
        left: Whether further lines follow.

    Raises:
        InputError: A line has another number of values or a value that is not a number of this type, or the delimiter
            cannot separate numbers.
    """
    separator = delimiter.strip() or None
    if separator and (len(separator) > 1 or separator.isalnum() or separator in "+-.#"):
        raise InputError(
            f"{data}: delim {delimiter[:40]!r} in the header cannot separate numbers; set the one that this file uses"
        )
    # a value takes at least two bytes, so the array is at most four times as large as the file
    x = np.empty((min(rows, (data.stat().st_size + 1) // (2 * width)), width), dtype)
    parsed = 0
    with data.open(encoding="latin-1", newline="\n") as stream:
        lines = _lines(stream, data, width, separator)
        while block := list(islice(lines, min(BLOCK_ROWS, len(x) - parsed))):
            x[parsed : parsed + len(block)] = _parse(block, data, dtype, separator)
            parsed += len(block)
        left = any(not line.isspace() for line in stream)
    return x[:parsed], left


def format_rows(x: np.ndarray, delimiter: str) -> bytes:
    """Lines from which `parse_rows` reads the same numbers."""
    digits = "%.9g" if x.itemsize == 4 else "%.17g"  # enough to distinguish neighbouring numbers
    line = delimiter.join([digits if x.dtype.kind == "f" else "%d"] * x.shape[1]) + "\n"
    return "".join(line % tuple(row) for row in x.tolist()).encode("ascii")


def _lines(stream: Iterable[str], data: Path, width: int, separator: str | None) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not empty, without a separator at its end; checks the number of values."""
    for number, line in enumerate(stream, 1):
        if len(line) > CHARACTERS_A_VALUE * (width + 1):
            raise InputError(f"{data}, line {number}: {len(line)} characters for {width} values; is it binary?")
        line = line.strip()
        if not line:
            continue
        if separator:
            line = line.removesuffix(separator)
        n_values = len(line.split(separator))
        if n_values != width:
            between = f"{separator!r}" if separator else "blanks"
            raise InputError(
                f"{data}, line {number}: {n_values} values between {between}, the header declares {width}; fetch it "
                "again, or correct dim or delim in the header"
            )
        if "#" in line or "(" in line:
            line = INFINITE.sub("inf", INVALID.sub("nan", line))
        yield number, line


def _parse(block: list[tuple[int, str]], data: Path, dtype: np.dtype, separator: str | None) -> np.ndarray:
    number = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    try:
        return np.loadtxt([line for _, line in block], number, comments=None, delimiter=separator, ndmin=2)
    except (ValueError, OverflowError):
        if len(block) > 1:
            # parse both halves again, to find the line
            middle = len(block) // 2
            parts = [_parse(part, data, dtype, separator) for part in (block[:middle], block[middle:])]
            return np.concatenate(parts)
        line = block[0]
        raise InputError(
            f"{data}, line {line[0]}: {line[1][:80]!r} is not numbers of type {number} only; fetch it again, or "
            "correct type in the header"
        ) from None
