"""Header of an SSI stream: parsed from XML, every value checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from damamba.console import InputError
from damamba.corpus.exchange import Attributes, ElementStart, scan_xml

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
    ("LONG", 4): "<i4",  # as C on Windows has it
    ("ULONG", 8): "<u8",
    ("ULONG", 4): "<u4",
    ("FLOAT", 4): "<f4",
    ("DOUBLE", 8): "<f8",
    ("LDOUBLE", 8): "<f8",
    ("BOOL", 1): "|b1",
}
"""Name and bytes of a number type -> numpy's name, little-endian."""
FileType = Literal["BINARY", "ASCII"]


@dataclass(frozen=True, slots=True)
class StreamChunk:
    """Rows without a gap in time."""

    start_s: float
    offset_bytes: int
    """Its first byte in the data file."""
    rows: int


@dataclass(frozen=True)
class StreamHeader:
    """Contents of ``X.stream``."""

    file_type: FileType
    number_type: str
    dtype: np.dtype
    width: int
    rate_hz: float
    delimiter: str
    meta: Mapping[str, str]
    chunks: tuple[StreamChunk, ...]

    @property
    def rows(self) -> int:
        """Rows of all chunks."""
        return sum(chunk.rows for chunk in self.chunks)


def read_header(path: Path) -> StreamHeader:
    """Read ``X.stream``.

    Raises:
        InputError: The file is missing or not XML, or a value is missing or impossible.
    """
    info: Attributes | None = None
    meta: dict[str, str] = {}
    chunks: list[StreamChunk] = []
    for event in scan_xml(path, "stream", HEADER_BYTES):
        if not isinstance(event, ElementStart) or event.parent != "stream":
            continue
        attributes = Attributes(path, event.tag, event.attributes)
        if event.tag == "info":
            info = attributes
        elif event.tag == "meta":
            meta = event.attributes
        elif event.tag == "chunk":
            chunks.append(_chunk(attributes))
    if info is None or not chunks:
        raise InputError(f"{path}: no <{'chunk' if info else 'info'}> in it; it is incomplete: fetch it again")
    number_type, dtype = _number_type(info)
    return StreamHeader(
        file_type=info.one_of("ftype", get_args(FileType)),
        number_type=number_type,
        dtype=dtype,
        width=info.integer("dim", 1, MAX_WIDTH),
        rate_hz=info.number("sr"),
        delimiter=info.values.get("delim", " "),
        meta=meta,
        chunks=tuple(chunks),
    )


def _chunk(attributes: Attributes) -> StreamChunk:
    start_s = attributes.number("from")
    if not math.isfinite(start_s):
        raise InputError(f"{attributes.path}: a chunk begins at {start_s:g} s; set its from to seconds")
    # no file has more than 2^53 bytes or rows
    return StreamChunk(start_s, attributes.integer("byte", 0, 1 << 53), attributes.integer("num", 0, 1 << 53))


def _number_type(info: Attributes) -> tuple[str, np.dtype]:
    name, size = info.text("type").upper(), info.integer("byte", 1, 16)
    if (name, size) not in DTYPES:
        known = ", ".join(f"{name}/{size}" for name, size in DTYPES)
        raise InputError(f"{info.path}: type {name[:40]!r} with byte {size}; known are {known}: export it as FLOAT")
    return name, np.dtype(DTYPES[name, size])
