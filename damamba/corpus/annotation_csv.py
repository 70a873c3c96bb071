"""Annotations and predictions as text: one value a line at a fixed rate, or columns with times.

Columns are ``start;end;value`` (s) and perhaps ``confidence``, in this order or named in the first line. Without
``end`` each row lasts until the next one: NOVA exports a continuous annotation as ``start;value;confidence``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from damamba.config import CONTINUOUS, LabelParams
from damamba.console import InputError
from damamba.corpus.exchange import parse_number
from damamba.corpus.label_values import parse_label, unknown_class
from damamba.corpus.labels import INVALID, NOT_ANNOTATED, Labels
from damamba.corpus.text_table import EXPECTED, TextTable, sniff

TIMES = ("value", "start", "end")


class AnnotationRows(NamedTuple):
    """Columns of a file, unchecked."""

    start_s: np.ndarray
    """(N,) float64."""
    end_s: np.ndarray
    """(N,) float64."""
    value: np.ndarray
    """(N,) float32; NaN where there is none."""
    line: Sequence[int] | np.ndarray
    """(N,) line number of each row, from 1."""
    series: bool
    """Whether the file has one value a line, without times."""
    scheme: str
    """Name of the column of values; "" without names."""
    perhaps_header: bool
    """Whether the first value may be the name of a column: pandas calls one without a name 0."""


class ValueSeries(NamedTuple):
    """One value a line."""

    value: np.ndarray
    """(L,) NaN where there is none."""
    first: int
    """Line of the first value."""
    scheme: str
    """As in `AnnotationRows`."""
    perhaps_header: bool
    """As in `AnnotationRows`."""

    def of_length(self, expected: int) -> "ValueSeries":
        """Without its first value if that makes it `expected` long and may be the name of a column."""
        if self.perhaps_header and len(self.value) == expected + 1:
            return ValueSeries(self.value[1:], self.first + 1, self.scheme, False)
        return self


def read_columns(path: Path, rate_hz: float, labels: LabelParams = CONTINUOUS) -> AnnotationRows:
    """Read a text file.

    Args:
        path: File, as `sniff` describes.
        rate_hz: Rate of one value a line; there, an empty line is a frame without a value.
        labels: Kind and classes of the values; a class is read as its number.

    Raises:
        InputError: There is no such file, or a line does not have these columns.
    """
    table = sniff(path, labels.numbers)
    if "start" not in table.columns:
        series = _series(table, np.float32, labels)
        n = len(series.value)
        edges_s = np.arange(n + 1) / rate_hz
        line = range(series.first, series.first + n)
        return AnnotationRows(edges_s[:-1], edges_s[1:], series.value, line, True, series.scheme, series.perhaps_header)
    places = [table.columns.index(name) if name in table.columns else -1 for name in TIMES]
    # a line of n columns has n - 1 separators, n numbers and its end
    rows = np.empty((table.n_lines, len(TIMES)), np.float64)
    lines = np.empty(table.n_lines, np.int32)
    n = 0
    for number, cells in table.lines():
        if len(cells) < len(table.columns):
            continue
        try:
            times = [np.nan if at < 0 else parse_number(cells[at]) for at in places[1:]]
            rows[n] = [_value(cells[places[0]], labels, path, number), *times]
        except ValueError:
            shown = (table.separator or ";").join(cells)[:60]
            raise InputError(f"{path}, line {number}: {shown!r} is not {table.form}; {EXPECTED}") from None
        lines[n] = number
        n += 1
    if not n:
        raise InputError(f"{path}: no values in it; {EXPECTED}")
    start_s = rows[:n, 1] * table.time_unit_s
    end_s = rows[:n, 2] * table.time_unit_s if places[2] >= 0 else _ends_s(start_s)
    return AnnotationRows(start_s, end_s, rows[:n, 0].astype(np.float32), lines[:n], False, table.scheme, False)


def read_values(path: Path, labels: LabelParams = CONTINUOUS) -> ValueSeries:
    """Read one value a line, (L,) float64; of classes, their numbers.

    Raises:
        InputError: As `read_columns`, or the file has columns with times.
    """
    return _values(path, np.float64, labels)


def read_labels(path: Path) -> Labels:
    """Read labels as the challenge releases them: one value a line, 25 Hz.

    Raises:
        InputError: As `read_values`, or a value lies outside [0, 1].
    """
    series = in_unit_range(path, _values(path, np.float32))
    return Labels(series.value, np.isfinite(series.value))


def in_unit_range(path: Path, series: ValueSeries) -> ValueSeries:
    """The same series; raises `InputError` where a value lies outside [0, 1]."""
    least, most = np.fmin.reduce(series.value, initial=0), np.fmax.reduce(series.value, initial=1)
    if least < 0 or most > 1:
        i = int(np.flatnonzero((series.value < 0) | (series.value > 1))[0])
        raise InputError(
            f"{path}, line {series.first + i}: {series.value[i]:g} lies outside [0, 1]; rescale: damamba "
            "convert with --range, and name what it writes"
        )
    return series


def _values(path: Path, dtype: type[np.floating], labels: LabelParams = CONTINUOUS) -> ValueSeries:
    try:
        table = sniff(path, labels.numbers)
    except InputError as error:
        if path.exists():
            raise
        raise InputError(f"{error}; {NOT_ANNOTATED}") from None
    if "start" in table.columns:
        raise InputError(f"{path}, line 1: columns {table.form}; expected one value a line, 25 a second")
    return _series(table, dtype, labels)


def _series(table: TextTable, dtype: type[np.floating], labels: LabelParams = CONTINUOUS) -> ValueSeries:
    at = table.columns.index("value")
    index_at = table.columns.index("index") if "index" in table.columns else -1
    value = np.empty(table.n_lines, dtype)
    n = 0
    first_text, second_text, first_index = "", "", 0
    for number, cells in table.lines():
        if len(cells) < len(table.columns):
            continue
        text = cells[at]
        try:
            value[n] = _value(text, labels, table.path, number)
        except ValueError:
            raise InputError(
                f"{table.path}, line {number}: {text[:40]!r} is not a number; {EXPECTED}, and nan where there is none"
            ) from None
        if index_at >= 0:
            index = cells[index_at]
            first_index = int(index) if not n and index.isdecimal() else first_index
            if not index.isdecimal() or int(index) != first_index + n:
                raise InputError(
                    f"{table.path}, line {number}: row number {index[:20]!r} where {first_index + n} is next; "
                    "add the missing rows, or remove the column"
                )
        first_text, second_text = (text, "") if n == 0 else (first_text, text if n == 1 else second_text)
        n += 1
    if not n:
        raise InputError(f"{table.path}: empty, no values in it; {EXPECTED}")
    perhaps = (
        not labels.classes
        and not table.scheme
        and first_text == "0"
        and bool(second_text)
        and not second_text.isdecimal()
    )
    return ValueSeries(value[:n], table.first, table.scheme, perhaps)


def _value(text: str, labels: LabelParams, path: Path, line: int) -> float:
    """Raises ValueError for what is no number, `InputError` for what is no class."""
    if not labels.classes:
        return np.nan if INVALID.match(text) else parse_number(text)
    value = parse_label(text, labels)
    if value is None:
        raise unknown_class(f"{path}, line {line}", text, labels)
    return value


def _ends_s(start_s: np.ndarray) -> np.ndarray:
    """(N,): each row lasts until the next one, the last one as long as the median row."""
    if len(start_s) < 2:
        return start_s + 1.0
    return np.append(start_s[1:], start_s[-1] + np.median(np.diff(start_s)))
