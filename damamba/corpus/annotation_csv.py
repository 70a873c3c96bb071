"""Annotations as CSV: one value a line at a fixed rate, or columns with times.

Columns are ``start;end;value`` (s) and perhaps ``confidence``, in this order or named in the first line. Without
``end`` each row lasts until the next one: NOVA exports a continuous annotation as ``start;value;confidence``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from damamba.console import InputError
from damamba.corpus.exchange import parse_number, regular_size
from damamba.corpus.labels import INVALID

LINE_CHARACTERS = 1 << 12
"""A longer line is read as several."""
NAMES = ("start", "end", "value", "confidence")
EXPECTED = "expected one value a line, or start;end;value"


class AnnotationRows(NamedTuple):
    """Columns of a file, unchecked."""

    start_s: np.ndarray
    """(N,) float64."""
    end_s: np.ndarray
    """(N,) float64."""
    value: np.ndarray
    """(N,) float32; NaN where there is none."""
    line: np.ndarray
    """(N,) int32: line number of each row, from 1."""
    series: bool
    """Whether the file has one value a line, without times."""


def read_columns(path: Path, rate_hz: float) -> AnnotationRows:
    """Read a CSV.

    Args:
        path: File with ``;``, ``,`` or tabs between columns.
        rate_hz: Rate of one value a line; there, an empty line is a frame without a value.

    Raises:
        InputError: There is no such file, or a line does not have these columns.
    """
    size = regular_size(path)
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as stream:
        first = stream.readline(LINE_CHARACTERS).strip()
    separator = next((mark for mark in ";\t," if mark in first), ";")
    heads = [head.strip().lower() for head in first.split(separator)]
    named = all(head in NAMES for head in heads)
    names = heads if named else {1: ["value"], 3: list(NAMES[:3]), 4: list(NAMES)}.get(len(heads), [])
    if "value" not in names or len(set(names)) != len(names) or (len(names) > 1 and "start" not in names):
        hint = "; write 0.5, not 0,5" if separator == "," else ""
        raise InputError(f"{path}, line 1: {first[:60]!r}; {EXPECTED}{hint}")
    # the most rows that fit into the file: a line of n columns has n - 1 separators, n numbers and its end
    most = size // (2 * len(names) if len(names) > 1 else 1) + 1
    rows = np.empty((most, 3 if len(names) > 1 else 1), np.float64 if len(names) > 1 else np.float32)
    lines = np.empty(most, np.int32)
    places = [names.index(name) if name in names else -1 for name in ("value", "start", "end")][: rows.shape[1]]
    n_rows = 0
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(LINE_CHARACTERS), ""), 1):
            if (named and number == 1) or (len(names) > 1 and not line.strip()):
                continue
            try:
                rows[n_rows] = _row(line.split(separator), len(names), places)
            except ValueError:
                raise InputError(
                    f"{path}, line {number}: {line.strip()[:60]!r} is not {separator.join(names)}; {EXPECTED}"
                ) from None
            lines[n_rows] = number
            n_rows += 1
    if not n_rows:
        raise InputError(f"{path}: no values in it; {EXPECTED}")
    rows = rows[:n_rows]
    if len(names) == 1:
        edges_s = np.arange(n_rows + 1) / rate_hz
        return AnnotationRows(edges_s[:-1], edges_s[1:], rows[:, 0], lines[:n_rows], True)
    end_s = rows[:, 2] if "end" in names else _ends_s(rows[:, 1])
    return AnnotationRows(rows[:, 1], end_s, rows[:, 0].astype(np.float32), lines[:n_rows], False)


def _row(parts: Sequence[str], columns: int, places: Sequence[int]) -> list[float]:
    """Value, and in a file with times start and end; raises ValueError where a part is not a number."""
    if len(parts) != columns:
        raise ValueError
    value = parts[places[0]]
    row = [np.nan if INVALID.match(value) else parse_number(value)]
    return row + [np.nan if place < 0 else parse_number(parts[place]) for place in places[1:]]


def _ends_s(start_s: np.ndarray) -> np.ndarray:
    """(N,): each row lasts until the next one, the last one as long as the median row."""
    if len(start_s) < 2:
        return start_s + 1.0
    return np.append(start_s[1:], start_s[-1] + np.median(np.diff(start_s)))
