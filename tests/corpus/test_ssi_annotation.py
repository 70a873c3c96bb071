"""Annotations of SSI and NOVA: every scheme and file type is read as it was written."""

import math
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.corpus.ssi_annotation import ROW_DTYPES, Scheme, SsiAnnotation, read_ssi_annotation, write_ssi_annotation

single = st.floats(width=32, allow_nan=False, allow_infinity=False)
scores = st.one_of(st.floats(0, 1, width=32), st.just(math.nan))
times = st.tuples(st.floats(0, 1e5), st.floats(0, 1e5)).map(sorted)
labels = st.text(string.ascii_letters + string.digits + " äß,.\"'<&>日", max_size=12)


@st.composite
def annotations(draw):
    kind = draw(st.sampled_from(["CONTINUOUS", "DISCRETE", "FREE"]))
    n_rows = draw(st.integers(0, 8))
    rows = []
    for _ in range(n_rows):
        if kind == "CONTINUOUS":
            rows.append((draw(scores), draw(single)))
        else:
            label = draw(st.integers(-1, 2**31 - 1) if kind == "DISCRETE" else labels)
            rows.append((*draw(times), label, draw(single)))
    name = draw(labels)
    if kind == "CONTINUOUS":
        scheme = Scheme(name, kind, draw(st.floats(0.01, 1000)), -1.0, draw(st.floats(0, 10)))
    else:
        scheme = Scheme(name, kind, classes={0: "low", 3: draw(labels).strip()} if kind == "DISCRETE" else {})
    file_type = draw(st.sampled_from(["ASCII", "BINARY"]))
    return SsiAnnotation(scheme, np.array(rows, ROW_DTYPES[kind]), draw(labels), draw(labels), file_type)


def beside(path):
    return path.with_name(path.name + "~")


@settings(deadline=None, max_examples=60)
@given(annotations())
def test_an_annotation_that_is_read_and_written_again_has_the_same_bytes(tmp_path_factory, annotation):
    folder = tmp_path_factory.mktemp("a")
    first, second = folder / "a.annotation", folder / "b.annotation"
    write_ssi_annotation(first, annotation)
    read = read_ssi_annotation(first)
    assert read == annotation
    for name in annotation.rows.dtype.names:
        np.testing.assert_array_equal(read.rows[name], annotation.rows[name])
    write_ssi_annotation(second, read)
    assert second.read_bytes() == first.read_bytes()
    assert beside(second).read_bytes() == beside(first).read_bytes()


@pytest.fixture
def free(tmp_path):
    path = tmp_path / "a.annotation"
    rows = np.array([(0, 1, "hello", 1), (1, 2, "", 0.5)], ROW_DTYPES["FREE"])
    write_ssi_annotation(path, SsiAnnotation(Scheme("words", "FREE"), rows, file_type="BINARY"))
    return path


def test_a_binary_label_that_is_cut_off_is_refused_with_its_place(free):
    content = beside(free).read_bytes()
    for length in (len(content) - 1, 30, 22, 5):
        beside(free).write_bytes(content[:length])
        with pytest.raises(InputError, match=r"a\.annotation~, byte (0|29): incomplete row.*save it as ASCII"):
            read_ssi_annotation(free)


def test_rows_that_are_not_whole_are_refused(tmp_path):
    path = tmp_path / "a.annotation"
    rows = np.array([(0.5, 1), (0.25, 1)], ROW_DTYPES["CONTINUOUS"])
    write_ssi_annotation(path, SsiAnnotation(Scheme("e", "CONTINUOUS", 25.0), rows, file_type="BINARY"))
    beside(path).write_bytes(beside(path).read_bytes()[:-3])
    with pytest.raises(InputError, match="13 bytes, not a multiple of a row's 8"):
        read_ssi_annotation(path)


@pytest.mark.parametrize("label", ["a;b", "a\nb", "a\0b"])
def test_labels_that_text_cannot_hold_are_not_written(tmp_path, label):
    rows = np.array([(0, 1, label, 1)], ROW_DTYPES["FREE"])
    with pytest.raises(InputError, match="change it, or write BINARY"):
        write_ssi_annotation(tmp_path / "a.annotation", SsiAnnotation(Scheme("words", "FREE"), rows))
    assert not list(tmp_path.iterdir())


def test_the_reference_tools_form_is_read(tmp_path):
    path = tmp_path / "a.annotation"  # as discover-utils writes it
    path.write_text(
        '<annotation ssi-v ="3">\n    <info ftype="ASCII" size="2" />\n'
        '    <meta role="expert" annotator="gold" description=""><attribute name="x" /></meta>\n'
        '    <scheme name="engagement" type="DISCRETE"><item id="0" name="low" color="#ff" /></scheme>\n'
        "</annotation>"
    )
    beside(path).write_text("0.00;1.50;0;1.00\n1.50;2.00;-1;1.00\n")
    read = read_ssi_annotation(path)
    assert read.scheme == Scheme("engagement", "DISCRETE", classes={0: "low"})
    assert read.rows["to"].tolist() == [1.5, 2]
    assert (read.role, read.annotator) == ("expert", "gold")


@pytest.mark.parametrize("values", ['sr="0" min="0" max="1"', 'sr="25" min="1" max="1"', 'sr="nan" min="0" max="1"'])
def test_a_scheme_without_rate_or_range_is_refused(tmp_path, values):
    path = tmp_path / "a.annotation"
    path.write_text(f'<annotation><info ftype="ASCII"/><scheme type="CONTINUOUS" {values}/></annotation>')
    with pytest.raises(InputError, match="not a rate and a range; correct <scheme>"):
        read_ssi_annotation(path)
