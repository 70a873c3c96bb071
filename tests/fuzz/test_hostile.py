"""Files of a megabyte that are made to fill the memory or the time: refused or read, within four times their size."""

import time
import tracemalloc

import numpy as np
import pytest

from damamba.console import InputError
from damamba.corpus.annotation_csv import read_labels
from damamba.corpus.annotations import read_annotation
from damamba.corpus.eaf import read_eaf
from damamba.corpus.manifest_csv import COLUMNS, read_csv
from damamba.corpus.ssi import read_stream
from damamba.corpus.ssi_annotation import read_ssi_annotation

MIB = 1 << 20
BASE_BYTES = 2 * MIB
SECONDS = 20
"""Far more than any of them takes."""


def info(**changes):
    values = {"ftype": "BINARY", "sr": "25", "dim": "1", "byte": "1", "type": "UCHAR", **changes}
    return "<info " + " ".join(f'{name}="{value}"' for name, value in values.items()) + "/>"


def chunk(rows, offset_bytes=0):
    return f'<chunk from="0" byte="{offset_bytes}" num="{rows}"/>'


def stream_files(header, data):
    return {"a.stream": f"<stream>{header}</stream>".encode(), "a.stream~": data}


def annotation_files(kind, data, ftype="ASCII"):
    scheme = f'<scheme type="{kind}" sr="25" min="0" max="1"/>'
    header = f'<annotation><info ftype="{ftype}"/>{scheme}</annotation>'
    return {"a.annotation": header.encode(), "a.annotation~": data}


def eaf_file(content):
    return {"a.eaf": f"<ANNOTATION_DOCUMENT>{content}</ANNOTATION_DOCUMENT>".encode()}


def one_annotation(name, first, last):
    attributes = f'ANNOTATION_ID="{name}" TIME_SLOT_REF1="{first}" TIME_SLOT_REF2="{last}"'
    return f"<ALIGNABLE_ANNOTATION {attributes}><ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION>"


LONG = "9" * MIB
SLOTS = "".join(f'<TIME_SLOT TIME_SLOT_ID="{i}" TIME_VALUE="{i}"/>' for i in range(20_000))
ANNOTATIONS = "".join(one_annotation(i, i % 50, i % 50 + 1) for i in range(8000))
HEAD = ",".join(COLUMNS)
FILES = {
    "rows that are not there": (stream_files(info() + chunk(1 << 50), b"\0" * MIB), read_stream),
    "a width that is not there": (
        stream_files(info(dim=1 << 20, byte=8, type="DOUBLE") + chunk(9), b"1"),
        read_stream,
    ),
    "chunks over each other": (stream_files(info() + chunk(MIB) * 20_000, b"\0" * MIB), read_stream),
    "many chunks": (stream_files(info() + "".join(chunk(1, 2 * i) for i in range(20_000)), b"\0" * MIB), read_stream),
    "short rows of text": (
        stream_files(info(ftype="ASCII", byte=8, type="DOUBLE") + chunk(MIB // 2), b"1\n" * (MIB // 2)),
        read_stream,
    ),
    "empty rows of text": (stream_files(info(ftype="ASCII") + chunk(99), b"\n" * MIB), read_stream),
    "a row without end": (stream_files(info(ftype="ASCII") + chunk(99), b"1" * MIB), read_stream),
    "a row of blanks": (stream_files(info(ftype="ASCII") + chunk(99), b" " * MIB), read_stream),
    "elements without meaning": (stream_files("<a/>" * 200_000, b""), read_stream),
    "names without end": (stream_files("".join(f"<a{i}/>" for i in range(100_000)), b""), read_stream),
    "a tag of attributes": (stream_files("<a " + " ".join(f'b{i}=""' for i in range(80_000)) + "/>", b""), read_stream),
    "a comment without end": ({"a.stream": b"<stream><!--" + b"-x" * 500_000, "a.stream~": b""}, read_stream),
    "entities": (
        {
            "a.stream": b'<!DOCTYPE s [<!ENTITY a "'
            + b"x" * 1000
            + b'">'
            + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
            + b"]><stream>&j;</stream>",
            "a.stream~": b"",
        },
        read_stream,
    ),
    "short scores": (annotation_files("CONTINUOUS", b";1\n" * (MIB // 3)), read_ssi_annotation),
    "short classes": (annotation_files("DISCRETE", b"0;1;2;1\n" * (MIB // 8)), read_ssi_annotation),
    "empty lines": (annotation_files("DISCRETE", b"\n" * MIB), read_ssi_annotation),
    "a label without end": (annotation_files("FREE", b"0;1;" + b"x" * MIB + b";1\n"), read_ssi_annotation),
    "a label longer than the file": (
        annotation_files("FREE", b"\0" * 16 + b"\xff\xff\xff\x7f" + b"x" * 1000, "BINARY"),
        read_ssi_annotation,
    ),
    "time slots": (eaf_file(f"<TIME_ORDER>{SLOTS}</TIME_ORDER>"), read_eaf),
    "annotations": (eaf_file(f'{SLOTS}<TIER TIER_ID="a">{ANNOTATIONS}</TIER>'), read_eaf),
    "tiers": (eaf_file('<TIER TIER_ID="a"/>' * 50_000), read_eaf),
    "elements inside each other": (eaf_file("<a>" * 300_000), read_eaf),
    "a text without end": (eaf_file(LONG), read_eaf),
    "short labels": ({"a.csv": b"1\n" * (MIB // 2)}, read_labels),
    "empty labels": ({"a.csv": b"\n" * MIB}, read_labels),
    "a label of blanks": ({"a.csv": b"1\n" + b" " * MIB + b"x\n"}, read_labels),
    "a label of digits": ({"a.csv": b"0." + LONG.encode() + b"\n"}, read_labels),
    "columns": ({"a.csv": b"a;" * (MIB // 2)}, read_annotation),
    "rows that are wrong": (
        {"manifest.csv": (HEAD + "\n" + "," * (HEAD.count(",")) + "\n").encode() + b",,,,,,,,\n" * 100_000},
        lambda path: read_csv(path.parent, path.name, "own"),
    ),
    "a field without end": (
        {"manifest.csv": f'{HEAD}\n"{LONG}'.encode()},
        lambda path: read_csv(path.parent, path.name, "own"),
    ),
}


def answer(read, path):
    """The message about a file that is refused."""
    try:
        read(path)
    except InputError as error:
        return str(error)
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_memory_and_time_stay_within_bounds(tmp_path, name):
    files, read = FILES[name]
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    size = sum(map(len, files.values()))
    tracemalloc.start()
    started = time.process_time()
    message = answer(read, tmp_path / next(iter(files)))
    seconds = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(tmp_path) in message
    assert len(message) < 100_000
    assert peak <= 4 * size + BASE_BYTES
    assert seconds < SECONDS


def test_a_double_of_float64_in_text_takes_four_times_the_file(tmp_path):
    for file, content in FILES["short rows of text"][0].items():
        (tmp_path / file).write_bytes(content)
    assert read_stream(tmp_path / "a.stream").x.nbytes <= 4 * MIB
    assert np.asarray(read_stream(tmp_path / "a.stream").x).sum() == MIB // 2
