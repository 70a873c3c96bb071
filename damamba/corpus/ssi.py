"""SSI streams: a header ``X.stream`` in XML and its data ``X.stream~``, rows of numbers at one rate.

The header is checked against the size of the data before anything is read. What is wrong but usable stands in
`SsiStream.defects`, and a caller decides; what is unusable is refused.

    <stream ssi-v="2">
        <info ftype="BINARY" sr="25.000" dim="88" byte="4" type="FLOAT" delim=" " />
        <meta type="feature" />
        <chunk from="0.000" to="1065.680" byte="0" num="26642" />
    </stream>

Source: hcmlab/ssi core/source/ioput/file/FileStream{In,Out}.cpp, FileAscii.cpp; hcmlab/nova Types/SignalFile.cs;
hcmlab/discover-utils discover_utils/data/handler/file_handler.py.
"""

import math
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
from damamba.corpus.ssi_header import DTYPES, Chunk, FileType, Header, implied_rate_hz, read_header
from damamba.files import replace_file

MAX_MAGNITUDE = 3.68e19
"""±2^65 = ±3.689e19 stands for "not measured" in some streams; no feature is that large."""
RATE_TOLERANCE = 0.02
"""Of a rate against the times in the header: chunks carry times to a millisecond, and files end a few rows apart."""
MIN_PRESENT = 0.5
"""Share of the declared rows that must be there; the worst of the releases has 0.82."""
SCAN_VALUES = 1 << 16
"""Looked at in one go."""


@dataclass(frozen=True)
class StreamDefect:
    """Something wrong with a stream that can still be used."""

    kind: Literal["truncated", "surplus", "header_rate", "times", "not_finite"]
    """truncated: rows missing at the end · surplus: data after the declared rows · header_rate: the rate contradicts
    the times or the duration · times: chunks go back in time · not_finite: NaN, infinity or ±3.689e19."""
    rows: int
    """Rows that it concerns."""
    detail: str
    """For people, with numbers."""


@dataclass(frozen=True)
class SsiStream:
    """A stream as its file has it; `read` makes numbers with a mask of it."""

    path: Path
    """Header."""
    x: np.ndarray = field(repr=False, compare=False)
    """(rows, D): what is there, in the file's number type; read-only and memory-mapped where it is binary."""
    rate_hz: float
    """As declared."""
    chunks: tuple[Chunk, ...]
    file_type: FileType
    number_type: str
    """As declared: FLOAT, DOUBLE, SHORT, …"""
    delimiter: str
    meta: Mapping[str, str]
    """Attributes of ``<meta>``."""
    defects: tuple[StreamDefect, ...]

    @property
    def declared_rows(self) -> int:
        """Rows that the header promises."""
        return sum(chunk.rows for chunk in self.chunks)

    @property
    def rows(self) -> int:
        """Rows that are there; those that are missing are the last ones."""
        return len(self.x)

    @property
    def width(self) -> int:
        """D."""
        return self.x.shape[1]

    @property
    def implied_rate_hz(self) -> float:
        """Rows a second by the times of the chunks; NaN where they say nothing."""
        return implied_rate_hz(self.chunks)

    def times_s(self, rate_hz: float | None = None) -> np.ndarray:
        """(declared_rows,) float64: time of each row, s; with another rate than the declared one where given.

        Raises:
            InputError: None is given, and the declared one is no rate.
        """
        rate_hz = rate_hz or self.rate_hz
        if not 0 < rate_hz < math.inf:
            raise InputError(f"{self.path}: no rate: declared are {self.rate_hz:g} Hz; set sr in the header")
        return np.concatenate([c.start_s + np.arange(c.rows) / rate_hz for c in self.chunks] or [np.empty(0)])

    def read(self, first: int = 0, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows `first` to `stop` of the declared ones as numbers; a part of them, so that memory is bounded.

        Returns:
            (n, D) float32, NaN where missing, not finite or a sentinel; and (n,) bool, False where a row has one.
        """
        stop = self.declared_rows if stop is None else min(stop, self.declared_rows)
        x = np.full((max(stop - first, 0), self.width), np.nan, np.float32)
        present = self.x[first:stop]
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, and that is not finite
            x[: len(present)] = present
        good = measured(x)
        x[~good] = np.nan
        return x, np.logical_and.reduce(good, axis=1)


def measured(x: np.ndarray) -> np.ndarray:
    """Where a number stands, (…) bool; not NaN, infinity or ±3.689e19."""
    return np.abs(x) < MAX_MAGNITUDE


def read_stream(path: Path, *, duration_s: float | None = None, scan: bool = True) -> SsiStream:
    """Open a stream.

    Args:
        path: ``X.stream`` (or ``X.stream~``); the other is beside it.
        duration_s: Length of the recording, to check the rate against.
        scan: Look for NaN, infinities and sentinels; reads all data once.

    Raises:
        InputError: A file of the pair is missing, or the header cannot be read, contradicts itself, or promises more
            than twice what is there.
    """
    path = path.with_name(path.name.removesuffix("~"))
    data = path.with_name(path.name + "~")
    header = read_header(path)
    size = regular_size(data)
    # a value of text takes a digit and a separator
    row_bytes = header.width * (header.dtype.itemsize if header.file_type == "BINARY" else 2)
    if MIN_PRESENT * header.rows * row_bytes > size + 1:
        raise _too_short(data, header, size // row_bytes)
    if header.file_type == "BINARY":
        x, surplus = _map(data, header, size)
    else:
        x, surplus = parse_rows(data, header.rows, header.width, header.dtype, header.delimiter)
    if len(x) < MIN_PRESENT * header.rows:
        raise _too_short(data, header, len(x))
    defects = _time_defects(header, duration_s)
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
        path: Header; the data file gets its name with a ``~``.
        x: (N, D) in a number type of `DTYPES`.
        rate_hz: Rows a second.
        file_type: BINARY, or ASCII with every digit that is needed to read the same numbers back.
        number_type: Name of the type where the array's leaves a choice: LDOUBLE for float64, LONG for int32.
        chunks: (start_s, rows) of each run of rows; one from 0 s where not given.
        delimiter: Between values of ASCII.
        meta: Attributes of ``<meta>``.

    Raises:
        ValueError: An array, number type or chunks that do not fit.
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


def _too_short(data: Path, header: Header, present: int) -> InputError:
    return InputError(
        f"{data}: {header.rows} rows of {header.width} values declared, at most {present} present; "
        "less than half is there: fetch it again"
    )


def _map(data: Path, header: Header, size: int) -> tuple[np.ndarray, bool]:
    """The rows that are there, and whether the file goes on after the declared ones.

    Chunks stand in the order of the file, so that no byte is read twice and missing rows are the last ones.
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


def _time_defects(header: Header, duration_s: float | None) -> list[StreamDefect]:
    defects = []
    implied_hz = implied_rate_hz(header.chunks)
    apart_rows = abs(implied_hz / header.rate_hz - 1) * header.rows if header.rate_hz else math.inf
    declared = f"declared {header.rate_hz:g} Hz"
    if not 0 < header.rate_hz < math.inf or apart_rows > max(RATE_TOLERANCE * header.rows, 1):
        defects.append(StreamDefect("header_rate", header.rows, f"{declared}; the times say {implied_hz:.6g} Hz"))
    elif duration_s and abs(header.rows / duration_s / header.rate_hz - 1) > RATE_TOLERANCE:
        lasting = f"{header.rows} rows in {duration_s:g} s are {header.rows / duration_s:.6g} Hz"
        defects.append(StreamDefect("header_rate", header.rows, f"{declared}; {lasting}"))
    for number, (one, other) in enumerate(pairwise(header.chunks), 2):
        if other.start_s < one.start_s:
            later = sum(chunk.rows for chunk in header.chunks[number - 1 :])
            defects.append(StreamDefect("times", later, f"chunk {number} begins before the one in front of it"))
            break
    return defects


def _value_defects(x: np.ndarray) -> list[StreamDefect]:
    if x.dtype.kind != "f":
        return []
    at_once = max(SCAN_VALUES // x.shape[1], 1)
    rows = sum(int((~measured(x[i : i + at_once])).any(axis=1).sum()) for i in range(0, len(x), at_once))
    detail = f"{rows} of {len(x)} rows have NaN, infinity or ±3.689e19"
    return [StreamDefect("not_finite", rows, detail)] if rows else []


def _seconds(value: float) -> str:
    """Milliseconds where they are exact enough to read the same number back, else all digits."""
    short = f"{value:.3f}"
    return short if float(short) == value else repr(float(value))
