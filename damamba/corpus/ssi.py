"""SSI streams: a header ``X.stream`` in XML and its data ``X.stream~``, rows of numbers at one rate.

The header is checked against the size of the data before anything is read. A stream with errors that can still be
used is read, and the errors are listed in `SsiStream.defects`; any other stream with errors is refused.

    <stream ssi-v="2">
        <info ftype="BINARY" sr="25.000" dim="88" byte="4" type="FLOAT" delim=" " />
        <meta type="feature" />
        <chunk from="0.000" to="1065.680" byte="0" num="26642" />
    </stream>

Source: hcmlab/ssi core/source/ioput/file/FileStream{In,Out}.cpp, FileAscii.cpp; hcmlab/nova Types/SignalFile.cs;
hcmlab/discover-utils discover_utils/data/handler/file_handler.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np

from damamba.console import InputError
from damamba.corpus.exchange import regular_size, xml_bytes
from damamba.corpus.ssi_ascii import format_rows, parse_rows
from damamba.corpus.ssi_header import DTYPES, FileType, StreamChunk, StreamHeader, read_header
from damamba.files import replace_file

MAX_MAGNITUDE = 3.68e19
"""±2^65 = ±3.689e19 stands for "not measured" in some streams; no feature is that large."""
MIN_PRESENT = 0.5
"""Share of the declared rows that the data file must have; the worst file of the releases has 0.82."""
SCAN_VALUES = 1 << 16
"""Values that are checked at a time."""


@dataclass(frozen=True)
class StreamDefect:
    """Something wrong with a stream that can still be used."""

    kind: Literal["truncated", "surplus", "times", "not_finite"]
    """truncated: rows missing at the end · surplus: data after the declared rows · times: a chunk begins before the
    one in front of it · not_finite: NaN, infinity or ±3.689e19."""
    rows: int
    """Rows that are affected."""
    detail: str
    """Description with numbers."""


@dataclass(frozen=True)
class SsiStream:
    """An open stream; `read` returns its values with a mask."""

    path: Path
    """Header file."""
    x: np.ndarray = field(repr=False, compare=False)
    """(rows, D) in the file's number type; a read-only memory map if the file is binary."""
    rate_hz: float
    """Declared rate; may be 0 or not finite."""
    chunks: tuple[StreamChunk, ...]
    file_type: FileType
    number_type: str
    """Declared type: FLOAT, DOUBLE, SHORT, …"""
    delimiter: str
    meta: Mapping[str, str]
    """Attributes of ``<meta>``."""
    defects: tuple[StreamDefect, ...]

    @property
    def declared_rows(self) -> int:
        """Rows in the header."""
        return sum(chunk.rows for chunk in self.chunks)

    @property
    def rows(self) -> int:
        """Rows in the data file; missing rows are the last ones."""
        return len(self.x)

    @property
    def width(self) -> int:
        """D."""
        return self.x.shape[1]

    def read(self, first: int = 0, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Declared rows `first` to `stop`, n of them.

        Returns:
            x: (n, D) float32; NaN where a value is missing, not finite or ±3.689e19.
            valid: (n,) bool; False for a row with any such value.
        """
        stop = self.declared_rows if stop is None else min(stop, self.declared_rows)
        x = np.full((max(stop - first, 0), self.width), np.nan, np.float32)
        present = self.x[first:stop]
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, hence not valid
            x[: len(present)] = present
        finite = measured(x)
        x[~finite] = np.nan
        return x, np.logical_and.reduce(finite, axis=1)


def measured(x: np.ndarray) -> np.ndarray:
    """Where `x` has a value: bool of the same shape, False for NaN, infinity and ±3.689e19."""
    return np.abs(x) < MAX_MAGNITUDE


def read_stream(path: Path, *, scan: bool = True) -> SsiStream:
    """Open a stream.

    Args:
        path: ``X.stream`` or ``X.stream~``; the other file lies beside it.
        scan: Whether to read all data once and look for NaN, infinity and ±3.689e19.

    Raises:
        InputError: A file of the pair is missing, the header cannot be read or contradicts itself, or the data file
            has less than half of the declared rows.
    """
    path = path.with_name(path.name.removesuffix("~"))
    data = path.with_name(path.name + "~")
    header = read_header(path)
    size = regular_size(data)
    # a value as text takes at least a digit and a separator
    row_bytes = header.width * (header.dtype.itemsize if header.file_type == "BINARY" else 2)
    if MIN_PRESENT * header.rows * row_bytes > size + 1:
        raise _too_short(data, header, size // row_bytes)
    if header.file_type == "BINARY":
        x, surplus = _map(data, header, size)
    else:
        x, surplus = parse_rows(data, header.rows, header.width, header.dtype, header.delimiter)
    if len(x) < MIN_PRESENT * header.rows:
        raise _too_short(data, header, len(x))
    defects = _time_defects(header)
    if len(x) < header.rows:
        missing = header.rows - len(x)
        defects.append(StreamDefect("truncated", missing, f"{header.rows} rows declared, {len(x)} present"))
    elif surplus:
        defects.append(StreamDefect("surplus", 0, f"{size} bytes, more than the {header.rows} declared rows"))
    if scan:
        defects += _value_defects(x)
    return SsiStream(
        path=path,
        x=x,
        rate_hz=header.rate_hz,
        chunks=header.chunks,
        file_type=header.file_type,
        number_type=header.number_type,
        delimiter=header.delimiter,
        meta=header.meta,
        defects=tuple(defects),
    )


def write_stream(
    path: Path,
    x: np.ndarray,
    rate_hz: float,
    *,
    file_type: FileType = "BINARY",
    number_type: str | None = None,
    chunks: Sequence[tuple[float, int]] | None = None,
    delimiter: str = " ",
    meta: Mapping[str, str] | None = None,
) -> None:
    """Write ``X.stream`` and ``X.stream~``; the same input gives the same bytes.

    Args:
        path: Header file; the data file has the same name with ``~``.
        x: (N, D) in a number type of `DTYPES`.
        rate_hz: Rows a second.
        file_type: BINARY, or ASCII with as many digits as are needed to read the same numbers back.
        number_type: Name of the number type where numpy's type has several: LDOUBLE for float64, LONG for int32.
        chunks: (start_s, rows) of each chunk; None: one chunk from 0 s.
        delimiter: Between values in ASCII.
        meta: Attributes of ``<meta>``.

    Raises:
        ValueError: The array, number type and chunks do not fit together, or SSI does not have the type.
    """
    names = [name for (name, size), kind in DTYPES.items() if np.dtype(kind) == x.dtype.newbyteorder("<")]
    number_type = number_type or (names[0] if names else "")
    if x.ndim != 2 or not x.shape[1] or number_type not in names:
        raise ValueError(f"(N, D) of {', '.join(sorted({n for n, _ in DTYPES}))} needed, got {x.dtype} {x.shape}")
    runs = [(0.0, len(x))] if chunks is None else list(chunks)
    if sum(rows for _, rows in runs) != len(x):
        raise ValueError(f"the chunks have {sum(rows for _, rows in runs)} rows, the array {len(x)}")
    x = x.astype(x.dtype.newbyteorder("<"), copy=False)
    root = ElementTree.Element("stream", {"ssi-v": "2"})
    info = {"ftype": file_type, "sr": _seconds(rate_hz), "dim": str(x.shape[1]), "byte": str(x.itemsize)}
    ElementTree.SubElement(root, "info", {**info, "type": number_type, "delim": delimiter})
    ElementTree.SubElement(root, "meta", dict(meta or {"type": "feature"}))
    parts, offset_bytes, first = [], 0, 0
    for start_s, rows in runs:
        part = x[first : first + rows]
        parts.append(part.tobytes() if file_type == "BINARY" else format_rows(part, delimiter))
        times = {"from": _seconds(start_s), "to": _seconds(start_s + rows / rate_hz)}
        ElementTree.SubElement(root, "chunk", {**times, "byte": str(offset_bytes), "num": str(rows)})
        offset_bytes += len(parts[-1])
        first += rows
    replace_file(path.with_name(path.name + "~"), b"".join(parts))
    replace_file(path, xml_bytes(root))


def _too_short(data: Path, header: StreamHeader, present: int) -> InputError:
    return InputError(
        f"{data}: {header.rows} rows of {header.width} values declared, at most {present} present; "
        "less than half of the stream: fetch it again"
    )


def _map(data: Path, header: StreamHeader, size: int) -> tuple[np.ndarray, bool]:
    """Rows of a binary file, and whether the file continues after the declared rows.

    Chunks must be in the order of the file, so that no byte is read twice and missing rows are the last ones.
    """
    row_bytes = header.width * header.dtype.itemsize
    runs: list[tuple[int, int]] = []
    end = 0
    for chunk in header.chunks:
        if chunk.offset_bytes < end:
            raise InputError(
                f"{data}: a chunk begins at byte {chunk.offset_bytes}, inside the one before it, which ends at {end}"
            )
        rows = min(chunk.rows, max(size - chunk.offset_bytes, 0) // row_bytes)
        if runs and chunk.offset_bytes == end:
            runs[-1] = (runs[-1][0], runs[-1][1] + rows)
        else:
            runs.append((chunk.offset_bytes, rows))
        end = chunk.offset_bytes + chunk.rows * row_bytes
    runs = [run for run in runs if run[1]]
    if len(runs) == 1:
        offset_bytes, rows = runs[0]
        return np.memmap(data, header.dtype, "r", offset_bytes, (rows, header.width)), size > end
    x = np.empty((sum(rows for _, rows in runs), header.width), header.dtype)
    first = 0
    with data.open("rb") as stream:
        for offset_bytes, rows in runs:
            stream.seek(offset_bytes)
            part = np.fromfile(stream, header.dtype, rows * header.width)
            x[first : first + rows] = part.reshape(rows, header.width)
            first += rows
    return x, size > end


def _time_defects(header: StreamHeader) -> list[StreamDefect]:
    for number, (chunk, following) in enumerate(pairwise(header.chunks), 2):
        if following.start_s < chunk.start_s:
            rows = sum(later.rows for later in header.chunks[number - 1 :])
            return [StreamDefect("times", rows, f"chunk {number} begins before the one in front of it")]
    return []


def _value_defects(x: np.ndarray) -> list[StreamDefect]:
    if x.dtype.kind != "f":
        return []
    at_once = max(SCAN_VALUES // x.shape[1], 1)
    rows = sum(int((~measured(x[i : i + at_once])).any(axis=1).sum()) for i in range(0, len(x), at_once))
    detail = f"{rows} of {len(x)} rows have NaN, infinity or ±3.689e19"
    return [StreamDefect("not_finite", rows, detail)] if rows else []


def _seconds(value: float) -> str:
    """Text with three decimals if that reads back as the same number, else with all digits."""
    short = f"{value:.3f}"
    return short if float(short) == value else repr(float(value))
