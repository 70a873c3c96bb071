"""Annotations of SSI and NOVA: a header ``X.annotation`` in XML and its rows ``X.annotation~``.

    <annotation ssi-v="3">
        <info ftype="ASCII" size="26642" />
        <meta role="expert" annotator="gold" description="" />
        <scheme name="engagement" type="CONTINUOUS" sr="25.000" min="0.000" max="1.000" />
    </annotation>

A continuous row is ``score;conf``, a discrete one ``from;to;id;conf`` (with ``<item id name>`` in the scheme), a free
one ``from;to;label;conf``; times in s. Binary rows have the same numbers, little-endian; a label follows its length.

Source: hcmlab/nova Types/AnnoListFile.cs; hcmlab/discover-utils discover_utils/data/handler/file_handler.py.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from xml.etree import ElementTree

import numpy as np

from damamba.console import InputError
from damamba.corpus.exchange import Attributes, ElementStart, parse_number, regular_size, scan_xml, xml_bytes
from damamba.corpus.labels import INVALID
from damamba.corpus.ssi_header import FileType
from damamba.files import replace_file

HEADER_BYTES = 1 << 20
FREE_BYTES = 1 << 22
"""Largest data file with labels; a transcript of hours takes a tenth of this."""
LINE_BYTES = 1 << 16
SchemeType = Literal["CONTINUOUS", "DISCRETE", "FREE"]
ROW_DTYPES = {
    "CONTINUOUS": np.dtype([("score", "<f4"), ("conf", "<f4")]),
    "DISCRETE": np.dtype([("from", "<f8"), ("to", "<f8"), ("id", "<i4"), ("conf", "<f4")]),
    "FREE": np.dtype([("from", "<f8"), ("to", "<f8"), ("label", object), ("conf", "<f4")]),
}
FORMS = {"CONTINUOUS": "score;conf", "DISCRETE": "from;to;id;conf", "FREE": "from;to;label;conf"}
SHORTEST = {"CONTINUOUS": 3, "DISCRETE": 8, "FREE": 7}
"""Fewest bytes of a row as text."""
FREE_HEAD = struct.Struct("<ddi")
FREE_TAIL = struct.Struct("<f")


@dataclass(frozen=True)
class Scheme:
    """Meaning of the rows."""

    name: str
    type: SchemeType
    rate_hz: float = 0.0
    """Rows a second, for CONTINUOUS."""
    least: float = 0.0
    """Smallest score, for CONTINUOUS."""
    most: float = 1.0
    """Largest score, for CONTINUOUS."""
    classes: Mapping[int, str] = field(default_factory=dict)
    """Id -> name of each class, for DISCRETE; a negative id is SSI's garbage class."""


@dataclass(frozen=True)
class SsiAnnotation:
    """Contents of an annotation file."""

    scheme: Scheme
    rows: np.ndarray = field(compare=False)
    """(N,) structured array with the dtype of `ROW_DTYPES` for the scheme's type; a missing score is NaN."""
    role: str = ""
    annotator: str = ""
    file_type: FileType = "ASCII"


def read_ssi_annotation(path: Path) -> SsiAnnotation:
    """Read ``X.annotation`` (or ``X.annotation~``) and the file beside it.

    Raises:
        InputError: A file of the pair is missing, the header cannot be read, or the rows do not fit the header.
    """
    path = path.with_name(path.name.removesuffix("~"))
    data = path.with_name(path.name + "~")
    info, meta, scheme = _header(path)
    file_type = info.one_of("ftype", get_args(FileType))
    size_bytes = regular_size(data)
    if scheme.type == "FREE" and size_bytes > FREE_BYTES:
        raise InputError(f"{data}: {size_bytes} bytes; free labels may take at most {FREE_BYTES}: split the recording")
    dtype = ROW_DTYPES[scheme.type]
    if file_type == "ASCII":
        rows = _text_rows(data, scheme.type, size_bytes)
    elif scheme.type == "FREE":
        rows = np.fromiter(_free_rows(data), dtype)
    elif size_bytes % dtype.itemsize:
        raise InputError(
            f"{data}: {size_bytes} bytes, not a multiple of a row's {dtype.itemsize}; save or fetch it again"
        )
    else:
        rows = np.fromfile(data, dtype)
    declared = info.integer("size", 0, 1 << 53) if "size" in info.values else len(rows)
    if declared != len(rows):
        raise InputError(f"{data}: {path.name} declares {declared} rows, but there are {len(rows)}; fetch it again")
    if scheme.type != "CONTINUOUS":
        _check_times(data, rows)
    return SsiAnnotation(scheme, rows, meta.get("role", ""), meta.get("annotator", ""), file_type)


def read_scheme(path: Path) -> tuple[Scheme, str]:
    """Scheme and annotator in the header of ``X.annotation``; raises as `read_ssi_annotation`."""
    _, meta, scheme = _header(path)
    return scheme, meta.get("annotator", "")


def write_ssi_annotation(path: Path, annotation: SsiAnnotation) -> None:
    """Write both files; the same annotation gives the same bytes.

    Raises:
        InputError: A label or name has characters that the format does not allow.
    """
    scheme = annotation.scheme
    root = ElementTree.Element("annotation", {"ssi-v": "3"})
    ElementTree.SubElement(root, "info", {"ftype": annotation.file_type, "size": str(len(annotation.rows))})
    ElementTree.SubElement(root, "meta", {"role": annotation.role, "annotator": annotation.annotator})
    kind = ElementTree.SubElement(root, "scheme", {"name": scheme.name, "type": scheme.type})
    if scheme.type == "CONTINUOUS":
        numbers = {"sr": scheme.rate_hz, "min": scheme.least, "max": scheme.most}
        kind.attrib.update({name: repr(float(value)) for name, value in numbers.items()})
    for number, name in scheme.classes.items():
        ElementTree.SubElement(kind, "item", {"id": str(number), "name": name})
    rows = annotation.rows.astype(ROW_DTYPES[scheme.type], copy=False)
    header = xml_bytes(root)
    if annotation.file_type == "ASCII":
        content = "".join(_format(row) for row in rows).encode()
    elif scheme.type == "FREE":
        content = b"".join(map(_pack, rows))
    else:
        content = rows.tobytes()
    replace_file(path.with_name(path.name + "~"), content)
    replace_file(path, header)


def _header(path: Path) -> tuple[Attributes, dict[str, str], Scheme]:
    """Attributes of ``<info>`` and of ``<meta>``, and the scheme."""
    info: Attributes | None = None
    declared: Attributes | None = None
    meta: dict[str, str] = {}
    classes: dict[int, str] = {}
    for event in scan_xml(path, "annotation", HEADER_BYTES):
        if not isinstance(event, ElementStart):
            continue
        attributes = Attributes(path, event.tag, event.attributes)
        match event.parent, event.tag:
            case "annotation", "info":
                info = attributes
            case "annotation", "meta":
                meta = event.attributes
            case "annotation", "scheme":
                declared = attributes
            case "scheme", "item":
                classes[attributes.integer("id", -(1 << 31), (1 << 31) - 1)] = attributes.text("name")
    if info is None or declared is None:
        raise InputError(f"{path}: no <{'scheme' if info else 'info'}> in it; save or fetch it again")
    scheme_type = declared.one_of("type", get_args(SchemeType))
    name = declared.values.get("name", "")
    if scheme_type != "CONTINUOUS":
        return info, meta, Scheme(name, scheme_type, classes=classes)
    rate_hz, least, most = (declared.number(key) for key in ("sr", "min", "max"))
    if not (0 < rate_hz < math.inf and -math.inf < least < most < math.inf):
        raise InputError(
            f"{path}: sr={rate_hz:g}, min={least:g}, max={most:g} are not a rate and a range; correct <scheme>"
        )
    return info, meta, Scheme(name, scheme_type, rate_hz, least, most)


def _text_rows(data: Path, scheme_type: SchemeType, size_bytes: int) -> np.ndarray:
    # an array of the most rows that fit into the file takes less memory than a list of numbers
    rows = np.empty(size_bytes // SHORTEST[scheme_type] + 1, ROW_DTYPES[scheme_type])
    n_rows = 0
    with data.open("rb") as stream:
        for number, raw in enumerate(iter(lambda: stream.readline(LINE_BYTES), b""), 1):
            line = _decode(raw).strip("\r\n\ufeff")
            if not line:
                continue
            try:
                if len(raw) == LINE_BYTES:
                    raise ValueError
                rows[n_rows] = _row(line.split(";"), scheme_type)
            except (ValueError, OverflowError):
                raise InputError(
                    f"{data}, line {number}: {line[:60]!r} is not {FORMS[scheme_type]}; write numbers like 0.5"
                ) from None
            n_rows += 1
    return rows[:n_rows]


def _row(parts: list[str], scheme_type: SchemeType) -> tuple:
    """One row; raises ValueError where number or types of the parts are wrong.

    NOVA adds a colour, a meta field or an empty one after the confidence; they are ignored.
    """
    if scheme_type == "CONTINUOUS":
        score, conf = parts[:2]
        return math.nan if INVALID.match(score) else parse_number(score), parse_number(conf)
    start, end, label, conf = parts[:4]
    named = int(label) if scheme_type == "DISCRETE" else label
    return parse_number(start), parse_number(end), named, parse_number(conf)


def _free_rows(data: Path) -> Iterator[tuple[float, float, str, float]]:
    with data.open("rb") as stream:
        while head := stream.read(FREE_HEAD.size):
            place = stream.tell() - len(head)
            start, end, length = FREE_HEAD.unpack(head) if len(head) == FREE_HEAD.size else (0.0, 0.0, -1)
            label = stream.read(length) if 0 <= length <= LINE_BYTES else b""
            tail = stream.read(FREE_TAIL.size)
            if length != len(label) or len(tail) != FREE_TAIL.size:
                raise InputError(
                    f"{data}, byte {place}: incomplete row of {FORMS['FREE']}; NOVA counts letters beyond ASCII "
                    "wrongly in binary files: save it as ASCII"
                )
            yield start, end, _decode(label), FREE_TAIL.unpack(tail)[0]


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _check_times(data: Path, rows: np.ndarray) -> None:
    wrong = np.flatnonzero(~((rows["from"] <= rows["to"]) & np.isfinite(rows["from"]) & np.isfinite(rows["to"])))
    if len(wrong):
        row = rows[wrong[0]]
        raise InputError(
            f"{data}, row {wrong[0] + 1}: from {row['from']:g} to {row['to']:g} s, expected start and end; correct or "
            "remove it"
        )


def _format(row: np.void) -> str:
    """The row as a line of text, numbers with all digits."""
    parts = []
    for name in row.dtype.names or ():
        value = row[name]
        if isinstance(value, str) and (";" in value or not value.isprintable()):
            raise InputError(
                f"label {value[:40]!r} has a ';' or letters that cannot be printed; change it, or write BINARY"
            )
        # NOVA is a .NET program, which reads NaN but not nan
        parts.append("NaN" if isinstance(value, np.floating) and np.isnan(value) else str(value))
    return ";".join(parts) + "\n"


def _pack(row: np.void) -> bytes:
    """The row of a free scheme in binary."""
    label = row["label"].encode()
    return FREE_HEAD.pack(row["from"], row["to"], len(label)) + label + FREE_TAIL.pack(row["conf"])
