"""Text files of numbers as tools and spreadsheets write them: encoding, separator, names of the columns.

Read are UTF-8, UTF-16 and Latin-1; ``;``, tab or comma between columns, and decimal commas; Excel's ``sep=;``; quoted
fields; a first line with names; the row numbers of pandas and R. What could mean two things is refused with its reason.
"""

import codecs
import csv
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from damamba.console import InputError
from damamba.corpus.exchange import parse_number, regular_size
from damamba.corpus.labels import INVALID

BLOCK_BYTES = 1 << 16
LINE_CHARACTERS = 1 << 12
"""A longer line is refused."""
SAMPLE_LINES = 64
"""Lines from which the separator and the columns follow."""
MARKS = ";\t,"
ColumnKind = Literal["start", "end", "value", "confidence", "index"]
NAMES: dict[str, ColumnKind] = {
    **dict.fromkeys(("start", "begin", "from", "onset", "time", "t", "timestamp", "starttime", "begintime"), "start"),
    **dict.fromkeys(("end", "stop", "to", "offset", "endtime"), "end"),
    **dict.fromkeys(("value", "values", "label", "labels", "score", "rating", "engagement", "annotation"), "value"),
    **dict.fromkeys(("confidence", "conf"), "confidence"),
    **dict.fromkeys(("", "index", "frame", "row", "unnamed0"), "index"),
}
"""Name of a column, in small letters without blanks and unit -> what it holds."""
UNNAMED: dict[int, tuple[ColumnKind, ...]] = {
    1: ("value",),
    3: ("start", "end", "value"),
    4: ("start", "end", "value", "confidence"),
}
"""Number of columns without names -> what they hold."""
UNIT = re.compile(r"[\s_(\[-]+(?P<unit>ms|msec|milliseconds|s|sec|seconds)[)\]]?$")
NAME = re.compile(r"[^\W\d][\w \-()\[\]]*")
"""A name of a column; a damaged number, such as O.5, is none."""
SEPARATOR_LINE = re.compile(r"sep=(?P<mark>[;,\t])\s*", re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"\s*[+-]?(?P<whole>\d*),\d+\s*")
EXPECTED = "expected one value a line, or start;end;value"


class TextLine(NamedTuple):
    """One row of a file."""

    number: int
    """From 1."""
    cells: Sequence[str]
    """As many as there are columns; one empty cell for an empty line."""


@dataclass(frozen=True)
class TextTable:
    """How a file is to be read."""

    path: Path
    encoding: str
    separator: str
    """"" where nothing separates columns."""
    first: int
    """Number of the first line with values, from 1."""
    columns: tuple[ColumnKind, ...]
    scheme: str
    """Name of the column of values; "" without names."""
    time_unit_s: float
    """1, or 0.001 where the name of a column ends in ms."""
    n_lines: int
    """At most so many lines are in the file."""

    @property
    def form(self) -> str:
        """The columns, as in messages."""
        return (self.separator or ";").join(self.columns)

    def lines(self) -> Iterator[TextLine]:
        """All lines with values.

        Raises:
            InputError: A line is too long, or has another number of cells.
        """
        for number, text in _numbered(self.path, self.encoding):
            if number < self.first:
                continue
            cells = _cells(text, self.separator)
            if len(cells) == len(self.columns) + 1 and not cells[-1]:
                cells.pop()
            if text.strip() and len(cells) != len(self.columns):
                raise InputError(f"{self.path}, line {number}: {text.strip()[:60]!r} is not {self.form}; {EXPECTED}")
            yield TextLine(number, cells if text.strip() else [""])


def sniff(path: Path, words: Collection[str] = ()) -> TextTable:
    """Find out how a file is to be read.

    Args:
        path: File.
        words: In small letters, texts that are values and not names of columns: classes.

    Raises:
        InputError: There is no such file, it is not text, or its columns could mean several things.
    """
    regular_size(path)
    encoding, n_lines = _encoding(path)
    sample: list[tuple[int, str]] = []
    for number, text in _numbered(path, encoding):
        if text.strip() or sample:
            sample.append((number, text.rstrip()))
        if len(sample) == SAMPLE_LINES:
            break
    declared = SEPARATOR_LINE.fullmatch(sample[0][1]) if sample else None
    if declared:
        sample.pop(0)
    texts = [text for _, text in sample if text]
    separator = declared["mark"] if declared else _separator(texts)
    rows = [_cells(text, separator) for text in texts]
    if rows and all(len(row) == len(rows[0]) > 1 and not row[-1] for row in rows):
        rows = [row[:-1] for row in rows]
    if not rows:
        return TextTable(path, encoding, "", 1, ("value",), "", 1.0, n_lines)
    has_names = _has_names(rows, words)
    first = sample[0][0] + 1 if has_names else 2 if declared else 1
    columns, scheme, unit_s = _named(path, rows[0]) if has_names else (_unnamed(path, rows), "", 1.0)
    return TextTable(path, encoding, separator, first, columns, scheme, unit_s, n_lines)


def _has_names(rows: Sequence[Sequence[str]], words: Collection[str]) -> bool:
    """Whether the first row has the names of the columns."""
    if any(_is_name(cell) and cell.casefold() not in words for cell in rows[0]):
        return True
    # pandas writes ,0 and R "",x above row numbers
    numbers = [row[0] for row in rows[1:]]
    return len(rows[0]) == 2 and not rows[0][0] and bool(numbers) and all(map(str.isdecimal, numbers))


def _named(path: Path, heads: Sequence[str]) -> tuple[tuple[ColumnKind, ...], str, float]:
    """Columns by the names in the first line, the scheme, and the unit of the times in s."""
    columns: list[ColumnKind | None] = []
    units = set()
    for head in heads:
        plain = head.strip().lower()
        unit = UNIT.search(plain)
        kind = NAMES.get(re.sub(r"[^\w]|_", "", plain[: unit.start()] if unit else plain))
        if kind in ("start", "end"):
            units.add(0.001 if unit and unit["unit"].startswith("m") else 1.0)
        columns.append(kind)
    unknown = [i for i, kind in enumerate(columns) if kind is None]
    if "value" not in columns and len(unknown) == 1:
        columns[unknown[0]] = "value"  # a column named after what was rated
        unknown = []
    if "value" not in columns and columns.count("index") == 2 and heads[1] == "0":
        columns[1] = "value"  # pandas' name of a column without one
    known: tuple[ColumnKind, ...] = tuple(kind for kind in columns if kind)
    shown = ";".join(heads)[:60]
    if unknown or "value" not in known or len(set(known)) != len(known) or ("end" in known and "start" not in known):
        raise InputError(f"{path}, line 1: the columns {shown!r} are not all known; {EXPECTED}: name them so")
    if len(units) > 1:
        raise InputError(f"{path}, line 1: the columns {shown!r} have times in s and in ms; write all in s")
    return known, heads[known.index("value")].strip(), units.pop() if units else 1.0


def _unnamed(path: Path, rows: Sequence[Sequence[str]]) -> tuple[ColumnKind, ...]:
    columns = UNNAMED.get(len(rows[0]))
    if columns:
        return columns
    shown = ";".join(rows[0])[:60]
    if len(rows[0]) == 2:
        raise InputError(
            f"{path}, line 1: {shown!r} are two columns without names, which may be row numbers, times or a decimal "
            "comma; write a first line time;value or index;value, or decimal points"
        )
    raise InputError(f"{path}, line 1: {shown!r} are {len(rows[0])} columns; {EXPECTED}")


def _separator(texts: Sequence[str]) -> str:
    """What stands between columns; "" for one column."""
    first = texts[0] if texts else ""
    mark = next((mark for mark in MARKS if mark in first), "")
    if mark == "," and not any(char in text for text in texts for char in '";\t'):
        return "" if _decimal_commas(texts) else mark
    return mark


def _decimal_commas(texts: Sequence[str]) -> bool:
    """Whether commas can only be decimal ones: every line is one number, and the whole parts do not count rows."""
    if not all(DECIMAL_COMMA.fullmatch(text) or ("," not in text and _is_number(text)) for text in texts):
        return False
    whole = [float(found["whole"] or 0) for text in texts if (found := DECIMAL_COMMA.fullmatch(text))]
    counts_rows = all(b > a for a, b in pairwise(whole)) and len(whole) == len(texts)
    return len(texts) > 1 and not counts_rows


def _is_number(text: str) -> bool:
    try:
        return bool(INVALID.match(text)) or parse_number(text) is not None
    except ValueError:
        return False


def _is_name(text: str) -> bool:
    return bool(NAME.fullmatch(text.strip())) and not _is_number(text)


def _cells(text: str, separator: str) -> list[str]:
    text = text.strip("\r\n")
    if '"' in text:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=separator or "\t"), [""])]
    return [cell.strip() for cell in text.split(separator)] if separator else [text.strip()]


def _numbered(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line."""
    with path.open(encoding=encoding) as stream:
        try:
            for number, text in enumerate(iter(lambda: stream.readline(LINE_CHARACTERS), ""), 1):
                if len(text) == LINE_CHARACTERS:
                    raise InputError(
                        f"{path}, line {number}: {text[:20]!r}… is longer than {LINE_CHARACTERS} characters; {EXPECTED}"
                    )
                yield number, text
        except UnicodeError:
            raise InputError(f"{path}: not text in {encoding}, which it seems to be; save it as UTF-8") from None


def _encoding(path: Path) -> tuple[str, int]:
    """Encoding of a file, and the most lines that are in it.

    Raises:
        InputError: It is binary.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    n_lines, utf_8 = 1, True
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(0)
        while block := stream.read(BLOCK_BYTES):
            n_lines += block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
            if utf_8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    utf_8 = False
            if b"\0" in block and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                if head[1:4:2] == b"\0\0" or head[:3:2] == b"\0\0":
                    raise InputError(f"{path}: UTF-16 without the mark at its beginning; save it as UTF-8")
                raise InputError(f"{path}: binary, not text; {EXPECTED}")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", n_lines
    return ("utf-8-sig" if utf_8 else "latin-1"), n_lines
