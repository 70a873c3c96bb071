"""Columns of a CSV, ARFF or Parquet file, read by pyarrow in blocks; what is wrong is named by line and column."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from damamba.console import InputError

BLOCK_BYTES = 1 << 23
HEAD_BYTES = 1 << 20
"""A first line is not longer."""
MISSING = (
    "", " ", "NA", "N/A", "#N/A", "nan", "NaN", "NAN", "-nan", "-NaN", "nan(ind)", "-nan(ind)", "-1.#IND", "1.#QNAN",
    "-1.#QNAN", "null", "NULL", "None", "?", "undetected",
)  # fmt: skip
"""Cells without a value."""
ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.+?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """Some columns of a table."""

    x: np.ndarray
    """(N, D) float32, NaN where a cell has no value."""
    numbers: dict[str, np.ndarray]
    """(N,) float64 of each column that was asked for by name."""
    texts: dict[str, np.ndarray]
    """(N,) of text."""


@dataclass(frozen=True)
class Table:
    """A file whose columns have names."""

    path: Path
    names: tuple[str, ...]
    first_line: int = 0
    """Of the first row; 0 in Parquet."""
    separator: str = ","
    encoding: str = "utf8"
    decimal: str = "."

    def read(self, channels: Sequence[str], numbers: Sequence[str] = (), texts: Sequence[str] = ()) -> Columns:
        """Read columns in one pass.

        Raises:
            InputError: A cell is no number, a line has too few or too many cells, or there are no rows.
        """
        wanted = {**dict.fromkeys((*channels, *numbers), pa.float64()), **dict.fromkeys(texts, pa.string())}
        blocks: list[np.ndarray] = []
        found: dict[str, list[np.ndarray]] = {name: [] for name in (*numbers, *texts)}
        try:
            for batch in self._batches(wanted):
                x = np.empty((batch.num_rows, len(channels)), np.float32)
                with np.errstate(over="ignore"):
                    for at, name in enumerate(channels):
                        x[:, at] = _numbers(batch[name])
                blocks.append(x)
                for name in numbers:
                    found[name].append(_numbers(batch[name]))
                for name in texts:
                    found[name].append(np.array(batch[name].cast(pa.string()).to_pylist(), object))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeError, OSError) as error:
            raise self._fault(error, [*channels, *numbers]) from None
        if not sum(map(len, blocks)):
            raise InputError(f"{self.path}: no rows in it; expected a line of names, then one row a moment")
        joined = {name: np.concatenate(parts) for name, parts in found.items()}
        return Columns(np.concatenate(blocks), {n: joined[n] for n in numbers}, {n: joined[n] for n in texts})

    def _batches(self, wanted: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        if not self.first_line:
            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(columns=list(wanted))
            return
        reading = pc.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
            column_names=list(self.names),
            skip_rows=self.first_line - 1,
            encoding=self.encoding,
        )
        parsing = pc.ParseOptions(delimiter=self.separator)
        conversion = pc.ConvertOptions(
            column_types=wanted,
            include_columns=list(wanted),
            null_values=list(MISSING),
            decimal_point=self.decimal,
        )
        try:
            reader = pc.open_csv(self.path, reading, parsing, conversion)
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            raise
        with reader:
            yield from reader

    def _fault(self, error: Exception, numeric: Sequence[str]) -> InputError:
        """The line and column that pyarrow could not read."""
        if not self.first_line:
            return InputError(f"{self.path}: cannot be read as numbers ({' '.join(str(error).split())[:160]})")
        at = {self.names.index(name): name for name in numeric}
        try:
            with self.path.open(newline="", encoding=self.encoding) as stream:
                lines = csv.reader(stream, delimiter=self.separator)
                for number, row in enumerate(lines, 1):
                    if number < self.first_line or not row:
                        continue
                    where = f"{self.path}, line {number}"
                    if len(row) != len(self.names):
                        last = len(row) < len(self.names) and next(lines, None) is None
                        why = "the file is cut off in mid-row: make or fetch it again" if last else "correct it"
                        return InputError(f"{where}: {len(row)} cells for {len(self.names)} columns; {why}")
                    for place, name in at.items():
                        if not self._is_number(row[place]):
                            return InputError(
                                f"{where}, column {name!r}: {row[place][:40]!r} is no number; correct it, leave it "
                                f"empty if it is missing, or leave the column out with --drop {name}"
                            )
        except (csv.Error, UnicodeError):
            pass  # the line below has pyarrow's words for it
        return InputError(f"{self.path}: cannot be read as a table ({' '.join(str(error).split())[:160]})")

    def _is_number(self, cell: str) -> bool:
        if cell in MISSING:
            return True
        try:
            float(cell.replace(self.decimal, "."))
        except ValueError:
            return False
        return "_" not in cell


def _numbers(column: pa.Array) -> np.ndarray:
    """(N,) float64, NaN for cells without a value."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        raise pa.ArrowInvalid("a column of text where numbers are expected")
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)


def open_table(path: Path) -> Table:
    """Names of the columns, and how the file is to be read.

    Raises:
        InputError: The file is empty or no table, or two columns have the same name.
    """
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            table = Table(path, tuple(pq.read_schema(path).names))
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"{path}: not Parquet, or cut off ({' '.join(str(error).split())[:120]})") from None
    else:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        if not head.strip():
            raise InputError(f"{path}: empty; expected a line of names, then one row a moment")
        encoding = _encoding(head)
        text = head.decode(encoding, "replace")
        if "\0" in text:
            raise InputError(f"{path}: binary, not text; give a CSV, ARFF, JSON, NumPy or Parquet file")
        arff = text.lstrip()[:9].lower() == "@relation"
        table = _arff(path, text) if arff else _csv(path, text, encoding)
    twice = sorted({name for name in table.names if table.names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: two columns called {', '.join(map(repr, twice))[:120]}; rename or remove one")
    return table


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    try:
        codecs.getincrementaldecoder("utf8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf8"


def _csv(path: Path, text: str, encoding: str) -> Table:
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip())
    if lines[first].lower().startswith("sep=") and len(lines) > first + 1:
        first += 1
    separator = max(",;\t", key=lines[first].count)
    names = [name.strip() for name in next(csv.reader([lines[first]], delimiter=separator))]
    body = next((line for line in lines[first + 1 :] if line.strip()), "")
    decimal = "," if separator != "," and re.search(r"\d,\d", body) and "." not in body else "."
    if all(re.fullmatch(r"[+-]?[\d.,]+(e[+-]?\d+)?|nan", name, re.IGNORECASE) for name in names):
        return Table(path, tuple(map(str, range(len(names)))), first + 1, separator, encoding, decimal)
    names = [name or f"unnamed {place}" for place, name in enumerate(names)]
    return Table(path, tuple(names), first + 2, separator, encoding, decimal)


def _arff(path: Path, text: str) -> Table:
    """The head of an ARFF file; ``@data`` begins the rows."""
    names = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().lower().startswith("@data"):
            return Table(path, tuple(names), number + 1)
        if found := ATTRIBUTE.fullmatch(line.strip()):
            names.append(found[1].strip("'\""))
    raise InputError(f"{path}: no @data in it; the file is cut off: make or fetch it again")
