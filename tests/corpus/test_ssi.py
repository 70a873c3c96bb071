"""Streams: what was written is read back, and every defect of the releases is named."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from damamba.console import InputError
from damamba.corpus.ssi import read_stream, write_stream
from damamba.corpus.ssi_header import DTYPES, read_header

TYPES = sorted({(name, kind) for (name, _), kind in DTYPES.items()})


@pytest.fixture
def rows():
    return np.arange(30, dtype=np.float32).reshape(10, 3)


@pytest.fixture
def stream(tmp_path, rows):
    """A good stream of 10 rows and 3 values at 25 Hz, to be spoilt."""
    path = tmp_path / "novice.clip.stream"
    write_stream(path, rows, 25)
    return path


def data_of(path):
    return path.with_name(path.name + "~")


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def kinds(stream):
    return [defect.kind for defect in stream.defects]


@st.composite
def streams(draw):
    """Number type, rows of any bits, and where they are cut into chunks."""
    number_type, kind = draw(st.sampled_from(TYPES))
    shape = draw(st.tuples(st.integers(0, 9), st.integers(1, 4)))
    x = draw(npst.arrays(np.dtype(kind), shape))
    cut = draw(st.integers(0, shape[0]))
    start_s = draw(st.floats(0, 1000))
    gap_s = draw(st.floats(0, 100))
    rate_hz = draw(st.sampled_from([25, 29.97002997, 40, 100]))
    chunks = [(start_s, cut), (start_s + cut / rate_hz + gap_s, shape[0] - cut)]
    return number_type, x, rate_hz, chunks if draw(st.booleans()) else None


@settings(deadline=None, max_examples=60)
@given(streams(), st.sampled_from(["BINARY", "ASCII"]), st.sampled_from([" ", ";", "\t", ","]))
def test_a_stream_that_is_read_and_written_again_has_the_same_bytes(tmp_path_factory, stream, file_type, delimiter):
    number_type, x, rate_hz, chunks = stream
    folder = tmp_path_factory.mktemp("ssi")
    first, second = folder / "a.stream", folder / "b.stream"
    form = {"file_type": file_type, "delimiter": delimiter, "meta": {"type": "feature", "note": "ü <&>"}}
    write_stream(first, x, rate_hz, number_type=number_type, chunks=chunks, **form)
    read = read_stream(first, scan=False)
    np.testing.assert_array_equal(read.x, x)
    assert read.x.dtype == x.dtype
    assert read.rate_hz == rate_hz
    assert not read.defects
    runs = [(chunk.start_s, chunk.rows) for chunk in read.chunks]
    form = {"file_type": read.file_type, "delimiter": read.delimiter, "meta": read.meta}
    write_stream(second, read.x, read.rate_hz, number_type=read.number_type, chunks=runs, **form)
    assert second.read_bytes() == first.read_bytes()
    assert data_of(second).read_bytes() == data_of(first).read_bytes()


def test_binary_rows_are_mapped_and_read_in_parts(tmp_path):
    path = tmp_path / "a.stream"
    write_stream(path, np.ones((4000, 250), np.float32), 25, chunks=[(0, 1000), (40, 3000)])
    tracemalloc.start()
    stream = read_stream(path)
    x, valid = stream.read(100, 200)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(stream.x, np.memmap)
    assert x.shape == (100, 250)
    assert valid.all()
    assert peak < data_of(path).stat().st_size  # 4 MB


def test_chunks_apart_from_each_other_are_joined(stream, rows):
    data_of(stream).write_bytes(b"head" + rows[:4].tobytes() + b"between" + rows[4:].tobytes())
    change(
        stream,
        '<chunk from="0.000" to="0.400" byte="0" num="10" />',
        '<chunk from="0" to="0.16" byte="4" num="4"/><chunk from="0.16" to="0.4" byte="59" num="6"/>',
    )
    read = read_stream(stream)
    np.testing.assert_array_equal(read.x, rows)
    assert not read.defects


@pytest.mark.parametrize(
    "header",
    [
        '<?xml version="1.0" ?>\n<stream ssi-v="2"><info ftype="BINARY" sr="25.000000" dim="3" byte="4" type="FLOAT" />'
        '<meta name="skeleton"><deep/></meta><time ms="0" local="2013/05/01 10:00:00:0" system="x"/>'
        '<chunk from="0.000000" to="0.400000" byte="0" num="10"/></stream>',
        "<stream ssi-v =\"2\">\n  <info ftype='binary' sr='25' dim=' 3 ' byte='4' type='float' delim=' '/>"
        "<chunk from='0.0' byte='0' num='10'/><future/></stream>\n",
        '\ufeff<stream><info type="FLOAT" byte="4" dim="3" sr="25" ftype="BINARY"/><chunk num="10" byte="0" from="0"/>'
        "</stream>",
    ],
    ids=["SSI", "discover-utils", "by hand"],
)
def test_headers_of_several_tools_are_read(stream, rows, header):
    stream.write_text(header, encoding="utf-8")
    read = read_stream(stream)
    np.testing.assert_array_equal(read.x, rows)
    assert not read.defects


def test_a_windows_header_without_declaration_is_read(stream):
    stream.write_bytes(stream.read_bytes().replace(b'type="feature"', b'by="J\xfcrgen"'))
    assert read_stream(stream).meta == {"by": "Jürgen"}


def test_the_data_file_may_be_named_instead_of_the_header(stream, rows):
    np.testing.assert_array_equal(read_stream(data_of(stream)).x, rows)


def test_missing_rows_are_invalid_and_named(stream, rows):
    content = data_of(stream).read_bytes()
    data_of(stream).write_bytes(content[: 8 * 12 + 5])  # 8 rows and a part of one
    read = read_stream(stream)
    assert [(d.kind, d.rows, d.detail) for d in read.defects] == [("truncated", 2, "10 rows declared, 8 present")]
    x, valid = read.read()
    assert valid.tolist() == [True] * 8 + [False] * 2
    np.testing.assert_array_equal(x[:8], rows[:8])
    assert np.isnan(x[8:]).all()


def test_bytes_after_the_declared_rows_are_named_and_not_read(stream, rows):
    data_of(stream).write_bytes(data_of(stream).read_bytes() * 2)
    read = read_stream(stream)
    assert kinds(read) == ["surplus"]
    np.testing.assert_array_equal(read.x, rows)


def test_values_that_are_none_make_a_row_invalid(stream, rows):
    rows[1, 0], rows[2, 1], rows[4, 2], rows[6, 0] = np.nan, np.inf, 2.0**65, -3.689e19
    write_stream(stream, rows, 25)
    read = read_stream(stream)
    assert [(d.kind, d.rows) for d in read.defects] == [("not_finite", 4)]
    x, valid = read.read()
    assert np.flatnonzero(~valid).tolist() == [1, 2, 4, 6]
    assert np.isnan([x[1, 0], x[2, 1], x[4, 2], x[6, 0]]).all()
    assert x[1, 1] == 4
    assert kinds(read_stream(stream, scan=False)) == []


@pytest.mark.parametrize("rate", ["0", "-1.0", "nan", "inf"])
def test_an_impossible_rate_is_read_as_declared(stream, rate):
    change(stream, 'sr="25.000"', f'sr="{rate}"')
    np.testing.assert_equal(read_stream(stream).rate_hz, float(rate))


def test_chunks_that_go_back_in_time_are_named(stream, rows):
    write_stream(stream, rows, 25, chunks=[(5.0, 4), (1.0, 6)])
    assert [(d.kind, d.rows) for d in read_stream(stream).defects] == [("times", 6)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('dim="3"', 'dim="0"', r"dim of <info> is '0'; expected 1 to"),
        ('dim="3"', 'dim="-3"', "dim of <info> is '-3'"),
        ('dim="3"', 'dim="3.5"', "expected a whole number"),
        ('dim="3"', "", "<info> has no dim"),
        ('byte="4"', 'byte="3"', "type 'FLOAT' with byte 3; known are"),
        ('type="FLOAT"', 'type="IMAGE"', "type 'IMAGE'"),
        ('ftype="BINARY"', 'ftype="BIN_LZ4"', "BINARY, ASCII can be read"),
        ('sr="25.000"', 'sr="fast"', "sr of <info> is 'fast'; expected a number"),
        ('from="0.000"', 'from="nan"', "a chunk begins at nan s"),
        ('num="10"', 'num="21"', "less than half of the stream"),
        ('num="10"', 'num="900719925474099"', "less than half of the stream"),
        ('num="10"', 'num="99999999999999999999999"', "num of <chunk> is '9999"),
        ('byte="0"', 'byte="1000"', "less than half of the stream"),
        ("</stream>", '<chunk from="9" to="10" byte="4" num="1"/></stream>', "inside the one before it"),
        ("</stream>", "", "line 6, column 1: not XML"),
        ("<stream", "<train", "expected XML with the root <stream>, found <train>"),
        ("<info", "<in", "no <info>"),
        ("<chunk", "<part", "no <chunk>"),
        ("<stream", '<!DOCTYPE s [<!ENTITY a "b">]><stream', "document type"),
        ("<stream", '<!DOCTYPE s SYSTEM "file:///etc/passwd"><stream', "document type"),
        ("<stream", '<?xml version="1.0" encoding="rot13"?><stream', "not XML in a known encoding"),
    ],
)
def test_impossible_headers_are_refused_with_file_and_remedy(stream, old, new, expected):
    change(stream, old, new)
    with pytest.raises(InputError, match=f"{re.escape(stream.name)}.*{expected}"):
        read_stream(stream)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("<annotation/>", "expected XML with the root <stream>"),
        ("<stream>" + "<a>" * 100, "inside each other"),
        ("<stream>" + "".join(f"<a{i}/>" for i in range(1000)), "different names"),
        ("<stream><!--" + "x" * 800_000, "longer than 262144 bytes"),
        ("<stream>" + "x" * 100_000, "a text longer than"),
        (" " * 2_000_000, "2000000 bytes; a <stream> file has at most"),
        ("", "not XML"),
    ],
)
def test_files_that_are_no_headers_are_refused(stream, header, expected):
    stream.write_text(header)
    with pytest.raises(InputError, match=expected):
        read_stream(stream)


def test_a_missing_half_is_refused(stream, tmp_path):
    data_of(stream).unlink()
    with pytest.raises(InputError, match=r"clip\.stream~: no such file"):
        read_stream(stream)
    with pytest.raises(InputError, match="not a regular file"):
        read_stream(tmp_path)


@pytest.fixture
def text_stream(tmp_path):
    path = tmp_path / "a.stream"
    write_stream(path, np.array([[1.5, 2], [3, 4], [5, 6]], np.float32), 25, file_type="ASCII", delimiter=";")
    return path


@pytest.mark.parametrize(
    "content",
    ["1.5;2\n3;4\n5;6", "1.5;2\r\n3;4\r\n5;6\r\n", " 1.5 ; 2;\n\n3;4;\n5;6;\n\n", "1.5;2\n3;4\n5;0.6e1\n"],
)
def test_text_is_read_as_tools_write_it(text_stream, content):
    data_of(text_stream).write_text(content, newline="")
    read = read_stream(text_stream)
    assert read.x.tolist() == [[1.5, 2], [3, 4], [5, 6]]
    assert not read.defects


def test_text_has_the_same_defects(text_stream):
    data_of(text_stream).write_text("-nan(ind);2\n1.#QNAN;inf\n")
    read = read_stream(text_stream)
    assert [(d.kind, d.rows) for d in read.defects] == [("truncated", 1), ("not_finite", 2)]
    assert read.read()[1].tolist() == [False] * 3
    data_of(text_stream).write_text("1;2\n3;4\n5;6\n7;8\n")
    assert kinds(read_stream(text_stream)) == ["surplus"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("1;2\n3\n5;6\n", "line 2: 1 values between ';', the header declares 2"),
        ("1;2\n3;4;5\n5;6\n", "line 2: 3 values"),
        ("1;2\n3;4\n5;x\n", "line 3: '5;x' is not numbers of type float32"),
        ("1;2\n3;" + "4" * 500 + "\n5;6\n", "line 2: 503 characters for 2 values"),
        ("1;2\n", "less than half"),
        ("", "less than half"),
    ],
)
def test_other_text_is_refused_with_its_line(text_stream, content, expected):
    data_of(text_stream).write_text(content)
    with pytest.raises(InputError, match=expected):
        read_stream(text_stream)


def test_text_out_of_its_types_range_is_refused(tmp_path):
    path = tmp_path / "a.stream"
    write_stream(path, np.array([[1], [2]], np.uint8), 25, file_type="ASCII")
    data_of(path).write_text("1\n256\n")
    with pytest.raises(InputError, match="line 2: '256' is not numbers of type uint8"):
        read_stream(path)


def test_arrays_that_ssi_cannot_hold_are_not_written(tmp_path, rows):
    for wrong in (rows.astype(np.float16), rows[0], rows.astype(complex), rows[:, :0]):
        with pytest.raises(ValueError, match="needed"):
            write_stream(tmp_path / "a.stream", wrong, 25)
    with pytest.raises(ValueError, match="the chunks have 3 rows"):
        write_stream(tmp_path / "a.stream", rows, 25, chunks=[(0, 3)])
    assert not list(tmp_path.iterdir())


def test_numbers_of_a_header_are_read_in_the_language_of_the_computer_that_wrote_it(tmp_path):
    path = tmp_path / "a.stream"
    info = '<info ftype="BINARY" sr="25,000000" dim="1" byte="4" type="FLOAT"/>'
    path.write_text(f'<stream>{info}<chunk from="0,500000" to="1.#INF00" byte="0" num="3"/></stream>')
    (tmp_path / "a.stream~").write_bytes(np.float32([1, 2, 3]).tobytes())
    read = read_stream(path)
    assert read.rate_hz == 25
    assert read.x[:, 0].tolist() == [1, 2, 3]
    assert read_header(path).chunks[0].start_s == 0.5
