"""Header of an SSI stream: what its XML says, checked value by value."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from damamba.console import InputError
from damamba.corpus.exchange import Attributes, Start, scan_xml

HEADER_BYTES = 1 << 20
MAX_WIDTH = 1 << 20
DTYPES = {
    ("CHAR", 1): "<i1",
    ("UCHAR", 1): "<u1",
    ("SHORT", 2): "<i2",
    ("USHORT", 2): "<u2",
    ("INT", 4): "<i4",
    ("UINT", 4): "<u4",
    ("LONG", 8): "<i8",
    ("LONG", 4): "<i4",  # C's long on Windows
    ("ULONG", 8): "<u8",
    ("ULONG", 4): "<u4",
    ("FLOAT", 4): "<f4",
    ("DOUBLE", 8): "<f8",
    ("LDOUBLE", 8): "<f8",
    ("BOOL", 1): "|b1",
}
FileType = Literal["BINARY", "ASCII"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of rows without a break."""

    start_s: float
    end_s: float
    offset_bytes: int
    """Where it begins in the data file."""
    rows: int


@dataclass(frozen=True)
class Header:
    """What ``X.stream`` declares."""

    file_type: FileType
    number_type: str
    dtype: np.dtype
    width: int
    rate_hz: float
    delimiter: str
    meta: Mapping[str, str]
    chunks: tuple[Chunk, ...]

    @property
    def rows(self) -> int:
        """Of all chunks."""
        return sum(chunk.rows for chunk in self.chunks)


def implied_rate_hz(chunks: Sequence[Chunk]) -> float:
    """Rows a second by the times of the chunks; NaN where they say nothing."""
    lasting = [c for c in chunks if c.end_s > c.start_s and math.isfinite(c.end_s)]
    seconds = sum(c.end_s - c.start_s for c in lasting)
    return sum(c.rows for c in lasting) / seconds if seconds else math.nan


def read_header(path: Path) -> Header:
    """Read ``X.stream``.

    Raises:
        InputError: No such file, not XML, or a value that is missing or impossible.
    """
    info: Attributes | None = None
    meta: dict[str, str] = {}
    chunks: list[Chunk] = []
    for event in scan_xml(path, "stream", HEADER_BYTES):
        if not isinstance(event, Start) or event.parent != "stream":
            continue
        found = Attributes(path, event.tag, event.attributes)
        if event.tag == "info":
            info = found
        elif event.tag == "meta":
            meta = event.attributes
        elif event.tag == "chunk":
            chunks.append(_chunk(found))
    if info is None or not chunks:
        raise InputError(f"{path}: no <{'chunk' if info else 'info'}> in it; fetch it again: it is not whole")
    number_type, dtype = _number_type(info)
    return Header(
        file_type=info.one_of("ftype", get_args(FileType)),
        number_type=number_type,
        dtype=dtype,
        width=info.integer("dim", 1, MAX_WIDTH),
        rate_hz=info.number("sr"),
        delimiter=info.values.get("delim", " "),
        meta=meta,
        chunks=tuple(chunks),
    )


def _chunk(found: Attributes) -> Chunk:
    start_s = found.number("from")
    if not math.isfinite(start_s):
        raise InputError(f"{found.path}: a chunk begins at {start_s:g} s; set its from to seconds")
    end_s = found.number("to") if "to" in found.values else math.nan
    # more than 2^53 rows or bytes is no file
    return Chunk(start_s, end_s, found.integer("byte", 0, 1 << 53), found.integer("num", 0, 1 << 53))


def _number_type(info: Attributes) -> tuple[str, np.dtype]:
    name, size = info.text("type").upper(), info.integer("byte", 1, 16)
    if (name, size) not in DTYPES:
        known = ", ".join(f"{name}/{size}" for name, size in DTYPES)
        raise InputError(f"{info.path}: type {name[:40]!r} with byte {size}; known are {known}: export it as FLOAT")
    return name, np.dtype(DTYPES[name, size])
