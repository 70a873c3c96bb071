"""Annotations: the formats of other tools in and out, clocks, several annotators."""

import re

import numpy as np
import pympi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.corpus.agreement import fitted, merge
from damamba.corpus.annotation_csv import read_values
from damamba.corpus.annotations import Annotation, in_steps, read_annotation, write_annotation
from damamba.corpus.labels import Labels


def labels_of(values):
    values = np.array(values, np.float32)
    return Labels(values, np.isfinite(values))


def beside(path):
    return path.with_name(path.name + "~")


scores = st.lists(st.one_of(st.floats(0, 1, width=32), st.just(float("nan"))), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(scores, st.sampled_from([".csv", ".annotation"]))
def test_labels_that_are_written_and_read_are_the_same(tmp_path_factory, values, suffix):
    folder = tmp_path_factory.mktemp("a")
    first, second = folder / f"first{suffix}", folder / f"second{suffix}"
    labels = labels_of(values)
    write_annotation(first, labels, annotator="Zoë & <co>", role="expert")
    read = read_annotation(first)
    np.testing.assert_allclose(read.value, labels.value, atol=5e-7 if suffix == ".csv" else 0)
    again = read.labels(len(labels))
    np.testing.assert_array_equal(again.valid, labels.valid)
    write_annotation(second, again, annotator="Zoë & <co>", role="expert")
    assert second.read_bytes() == first.read_bytes()
    if suffix == ".annotation":
        assert beside(second).read_bytes() == beside(first).read_bytes()
        assert read.annotator == "Zoë & <co>"


@settings(deadline=None, max_examples=60)
@given(scores, st.sampled_from([0.04, 0.2, 1.0]))
def test_steps_for_elan_are_read_back_as_written(tmp_path_factory, values, step_s):
    folder = tmp_path_factory.mktemp("a")
    labels = labels_of(values)
    write_annotation(folder / "a.eaf", labels, step_s=step_s, annotator="da-mamba")
    if (in_steps(labels, step_s).valid).any():
        read = read_annotation(folder / "a.eaf")
        assert read.annotator == "da-mamba"
        write_annotation(folder / "b.eaf", read.labels(len(labels)), step_s=step_s, annotator="da-mamba")
        assert (folder / "b.eaf").read_bytes() == (folder / "a.eaf").read_bytes()
        if step_s == 0.04:
            np.testing.assert_allclose(read.labels(len(labels)).value, labels.value, atol=1e-6)


def test_another_reader_of_elan_finds_the_same(tmp_path):
    path = tmp_path / "a.eaf"
    write_annotation(
        path, labels_of([0.25] * 25 + [np.nan] * 25 + [0.5] * 10), tier="valence", media=["a b.mp4", "a.wav"]
    )
    eaf = pympi.Eaf(str(path))
    assert list(eaf.get_tier_names()) == ["valence"]
    assert sorted(eaf.get_annotation_data_for_tier("valence")) == [(0, 1000, "0.25"), (2000, 2400, "0.5")]
    media = {link["RELATIVE_MEDIA_URL"]: link["MIME_TYPE"] for link in eaf.get_linked_files()}
    assert media == {"./a%20b.mp4": "video/mp4", "./a.wav": "audio/x-wav"}


def test_a_document_by_another_writer_is_read(tmp_path):
    eaf = pympi.Eaf(author="somebody")
    eaf.add_tier("engagement", part="p1")
    eaf.add_annotation("engagement", 1000, 2000, "0,75")
    eaf.add_annotation("engagement", 0, 1000, "0.5")
    eaf.add_annotation("engagement", 2000, 2500, "")
    eaf.add_tier("empty")
    eaf.to_file(str(tmp_path / "a.eaf"))
    read = read_annotation(tmp_path / "a.eaf")
    assert read.start_s.tolist() == [0, 1, 2]
    assert read.end_s.tolist() == [1, 2, 2.5]
    assert read.value[:2].tolist() == [0.5, 0.75]
    assert read.valid.tolist() == [True, True, False]


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" AUTHOR="" DATE="" FORMAT="3.0" VERSION="3.0"
 xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///a.mp4" MIME_TYPE="video/mp4"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
<TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="3000"/></TIME_ORDER>
<TIER TIER_ID="rating" ANNOTATOR="Ann" LINGUISTIC_TYPE_REF="symbolic" PARENT_REF="turns"><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a2" ANNOTATION_REF="a1"><ANNOTATION_VALUE>0.5</ANNOTATION_VALUE></REF_ANNOTATION>
</ANNOTATION></TIER>
<TIER TIER_ID="turns" LINGUISTIC_TYPE_REF="default-lt"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>hello</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""


@pytest.fixture
def eaf(tmp_path):
    path = tmp_path / "a.eaf"
    path.write_text(EAF)
    return path


def test_an_annotation_that_refers_to_another_has_its_times(eaf):
    read = read_annotation(eaf, "rating")
    assert (read.start_s.tolist(), read.end_s.tolist(), read.value.tolist()) == ([1], [3], [0.5])
    assert read.annotator == "Ann"


ODD = {
    "a symbolic subdivision": '<TIER TIER_ID="odd"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="b1" ANNOTATION_REF="a1" '
    'PREVIOUS_ANNOTATION="b0"><ANNOTATION_VALUE>x</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>',
    "a slot without time": '<TIME_SLOT TIME_SLOT_ID="ts9"/><TIER TIER_ID="odd"><ANNOTATION><ALIGNABLE_ANNOTATION '
    'ANNOTATION_ID="b1" TIME_SLOT_REF1="ts9" TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION>'
    "</ANNOTATION></TIER>",
    "a dangling reference": '<TIER TIER_ID="odd"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="b1" ANNOTATION_REF="zz">'
    "<ANNOTATION_VALUE>x</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>",
    "no slots": '<TIER TIER_ID="odd"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="b1"><ANNOTATION_VALUE/>'
    "</ALIGNABLE_ANNOTATION></ANNOTATION></TIER>",
    "no name": '<TIER TIER_ID="odd"><ANNOTATION><REF_ANNOTATION><ANNOTATION_VALUE/></REF_ANNOTATION></ANNOTATION>'
    "</TIER><TIER/>",
}


@pytest.mark.parametrize("odd", ODD)
def test_only_the_tier_that_is_read_must_be_sound(eaf, odd):
    eaf.write_text(EAF.replace("</ANNOTATION_DOCUMENT>", ODD[odd] + "</ANNOTATION_DOCUMENT>"))
    read = read_annotation(eaf, "rating")
    assert (read.start_s.tolist(), read.end_s.tolist(), read.value.tolist()) == ([1], [3], [0.5])
    with pytest.raises(InputError, match=r"a\.eaf, tier 'odd'"):
        read_annotation(eaf, "odd")


def test_inner_slots_of_a_divided_annotation_are_spread_evenly(eaf):
    slots = "".join(f'<TIME_SLOT TIME_SLOT_ID="in{k}"/>' for k in (1, 2, 3))
    parts = "".join(
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="p{k}" TIME_SLOT_REF1="{first}" TIME_SLOT_REF2="{last}">'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
        for k, (first, last, value) in enumerate(
            [("ts1", "in1", 0), ("in1", "in2", 0.25), ("in2", "in3", 0.5), ("in3", "ts2", 1)]
        )
    )
    text = EAF.replace("</TIME_ORDER>", f"{slots}</TIME_ORDER>")
    eaf.write_text(
        text.replace("</ANNOTATION_DOCUMENT>", f'<TIER TIER_ID="parts">{parts}</TIER></ANNOTATION_DOCUMENT>')
    )
    read = read_annotation(eaf, "parts")
    assert read.start_s.tolist() == [1, 1.5, 2, 2.5]
    assert read.end_s.tolist() == [1.5, 2, 2.5, 3]
    assert read.value.tolist() == [0, 0.25, 0.5, 1]


def test_a_medium_that_was_shifted_in_elan_shifts_its_annotations(eaf):
    eaf.write_text(EAF.replace('MIME_TYPE="video/mp4"', 'MIME_TYPE="video/mp4" TIME_ORIGIN="250"'))
    assert read_annotation(eaf, "rating").start_s.tolist() == [1.25]


@pytest.mark.parametrize(
    ("old", "new", "tier", "expected"),
    [
        ("", "", None, "expected one tier with annotations, found 2; name one of its tiers: rating, turns"),
        ("", "", "x", "expected one tier 'x', found 0"),
        ("", "", "turns", "tier 'turns' at 1 s: 'hello' is not a number"),
        (">0.5<", ">1.5<", "rating", r"1.5 lies outside \[0, 1\]"),
        ('ANNOTATION_REF="a1"', 'ANNOTATION_REF="a9"', "rating", "refers to annotation 'a9', which does not exist"),
        ('ANNOTATION_REF="a1"', 'ANNOTATION_REF="a2"', "rating", "in a circle"),
        ('ANNOTATION_REF="a1"', 'ANNOTATION_REF="a1" PREVIOUS_ANNOTATION="a3"', "rating", "divide another one"),
        ('REF2="ts2"', 'REF2="ts3"', "rating", "time slot 'ts3' does not exist"),
        (' TIME_SLOT_REF2="ts2"', "", "rating", "time slot 'without a name' does not exist"),
        (' TIME_VALUE="3000"', "", "rating", "time slot 'ts2' has no time; align"),
        ('"3000"', '"1000"', "rating", "from 1 to 1 s"),
        ('"3000"', '"99999999999"', "rating", "expected seconds"),
        ('"milliseconds"', '"PAL-frames"', "rating", "times in PAL-frames"),
        ("<ANNOTATION_DOCUMENT", "<!DOCTYPE a><ANNOTATION_DOCUMENT", "rating", "document type"),
        ("</TIER></ANNOTATION_DOCUMENT>", "", "rating", "line 13.*not XML"),
    ],
)
def test_documents_that_cannot_be_used_are_refused_with_place_and_remedy(eaf, old, new, tier, expected):
    eaf.write_text(EAF.replace(old, new))
    with pytest.raises(InputError, match=f"a.eaf.*{expected}"):
        read_annotation(eaf, tier)


@pytest.mark.parametrize(
    "content",
    [
        "0;1;0.5\n1;2.5;0.75\n",
        "\ufeff0;1;0.5\r\n1;2.5;0.75\r\n",
        "start;end;value\n0;1;0.5\n\n1;2.5;0.75\n",
        "value,start,end\n0.5,0,1\n0.75,1,2.5",
        "0\t1\t0.5\t1\n1\t2.5\t0.75\t1\n",
        "0;1;0,5\n1;2,5;0,75\n",
    ],
)
def test_columns_are_read_as_people_write_them(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content, newline="")
    read = read_annotation(path)
    assert read.start_s.tolist() == [0, 1]
    assert read.end_s.tolist() == [1, 2.5]
    assert read.value.tolist() == [0.5, 0.75]


@pytest.mark.parametrize(
    "content",
    [
        b"0.5\n0.75\n\n1\n",
        b"0,5\n0,75\n\n1\n",
        b"0,5\r\n0,75\r\n#N/A\r\n1,0\r\n",
        b"\xef\xbb\xbf0.5\n0.75\nNA\n1\n",
        "0.5\n0.75\nnan\n1\n".encode("utf-16"),
        b"0.5\r0.75\rnull\r1\r",
        b'"value"\n"0.5"\n"0.75"\n"None"\n"1"\n',
        b"sep=;\nvalue\n0,5\n0,75\n-nan(ind)\n1\n",
        b",0\n0,0.5\n1,0.75\n2,\n3,1\n",
        b'"","x"\n"1",0.5\n"2",0.75\n"3",NA\n"4",1\n',
        b"frame;engagement;confidence\n0;0,5;1\n1;0,75;1\n2;-1.#IND00;0\n3;1;1\n",
        b"0.5;\n0.75;\n;\n1;\n",
    ],
)
def test_one_value_a_line_is_read_as_spreadsheets_and_languages_write_it(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    read = read_annotation(path)
    assert read.series
    assert read.value[[0, 1, 3]].tolist() == [0.5, 0.75, 1]
    assert read.valid.tolist() == [True, True, False, True]
    np.testing.assert_allclose(read_values(path).value, read.value)


@pytest.mark.parametrize(
    ("content", "start_s", "end_s"),
    [
        ("time,value\n0.0,0.5\n0.04,0.6\n", [0, 0.04], [0.04, 0.08]),
        ("start_ms;end_ms;value\n0;1000;0.5\n1000;2500;0.6\n", [0, 1], [1, 2.5]),
        ("Begin Time - ms\tEnd Time - ms\trating\n0\t1000\t0,5\n1000\t2500\t0,6\n", [0, 1], [1, 2.5]),
        ("timestamp (s),arousal\n1,0.5\n2,0.6\n", [1, 2], [2, 3]),
    ],
)
def test_columns_have_the_names_and_units_that_tools_give_them(tmp_path, content, start_s, end_s):
    path = tmp_path / "a.csv"
    path.write_text(content)
    read = read_annotation(path)
    np.testing.assert_allclose(read.start_s, start_s)
    np.testing.assert_allclose(read.end_s, end_s)
    np.testing.assert_allclose(read.value, [0.5, 0.6])


def test_novas_export_of_a_continuous_annotation_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("start;value;confidence\n0;0.1;1\n0.04;0.2;1\n0.08;NaN;1\n")
    read = read_annotation(path)
    np.testing.assert_allclose(read.end_s, [0.04, 0.08, 0.12])
    assert read.valid.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0;1;0.5\n0.5;2;0.5\n", "line 2: begins at 0.5 s, before the one in front of it ends at 1 s"),
        ("0;1;0.5\n1;x;0.5\n", "line 2: '1;x;0.5' is not start;end;value"),
        ("0;1;0.5\n1;2\n", "line 2"),
        ("start;end;value\n1;0;0.5\n", "line 2: from 1 to 0 s"),
        ("0;1;0.5\n1;1e9;0.5\n", "line 2: from 1 to 1e[+]09 s"),
        ("0;1;0.5\n1;2;5\n", r"line 2: 5 lies outside \[0, 1\]; rescale: damamba convert"),
        ("0,0.5\n1,0.7\n", "two columns without names.*write a first line time;value or index;value"),
        ("0,5\n1,0\n", "two columns without names"),
        ("index,value\n0,0.5\n2,0.5\n", "line 3: row number '2' where 1 is next"),
        ("frame\n0.5\n", "line 1: the columns 'frame' are not all known"),
        ("value,label\n0.5,0.5\n", "line 1: the columns 'value;label' are not all known"),
        ("start;end_ms;value\n0;40;0.5\n", "times in s and in ms"),
        ("start_s;end_ms;value\n0;40;0.5\n", "times in s and in ms"),
        ("O.5\n0.5\n", "line 1: 'O.5' is not a number"),
        ("0_5\n0.5\n", "line 1: '0_5' is not a number"),
        ("end;value\n1;0.5\n", "expected one value a line, or start;end;value"),
        ("0.5\nx\n", "line 2: 'x' is not a number"),
        ("0.5\n" + "1" * 10_000, "line 2"),
        ("", "no values in it"),
        ("start;end;value\n", "no values in it"),
    ],
)
def test_other_csv_is_refused_with_its_line(tmp_path, content, expected):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=f"a.csv.*{expected}"):
        read_annotation(path)


def test_one_value_a_line_may_have_another_rate_and_range(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("-1\n\n1\n0\n")
    read = read_annotation(path, rate_hz=2, value_range=(-1, 1))
    assert read.start_s.tolist() == [0, 0.5, 1, 1.5]
    assert read.value[[0, 2, 3]].tolist() == [0, 1, 0.5]
    assert read.valid.tolist() == [True, False, True, True]


NOVA = """<?xml version="1.0" ?>
<annotation ssi-v="3">
    <info ftype="ASCII" size="3" />
    <meta annotator="J\xfcrgen"/>
    <scheme name="engagement" type="{type}" sr="5" min="0" max="4" mincolor="#FFFFA500">{items}</scheme>
</annotation>
"""


def nova(tmp_path, kind, data, items="", encoding="windows-1252"):
    path = tmp_path / "expert.engagement.annotation"
    path.write_text(NOVA.format(type=kind, items=items), encoding=encoding, newline="\r\n")
    beside(path).write_text(data, newline="")
    return path


def test_novas_own_range_becomes_zero_to_one(tmp_path):
    read = read_annotation(nova(tmp_path, "CONTINUOUS", "1;1.00\r\nNaN;0.50\r\n4;1.00\r\n"))
    assert read.value[[0, 2]].tolist() == [0.25, 1]
    assert read.valid.tolist() == [True, False, True]
    np.testing.assert_allclose(read.start_s, [0, 0.2, 0.4])
    assert read.annotator == "Jürgen"


def test_classes_named_by_values_are_read_with_grouped_thousands(tmp_path):
    items = '<item name="0.25" id="0" color="#FF000000" /><item name="0.75" id="1" />'
    data = "1,000.00;1,234.50;1;1.00\n0.00;1.50;0;1.00\n1.50;2.00;-1;1.00\n"
    read = read_annotation(nova(tmp_path, "DISCRETE", data, items))
    assert read.start_s.tolist() == [0, 1.5, 1000]
    assert read.end_s.tolist() == [1.5, 2, 1234.5]
    assert read.value[[0, 2]].tolist() == [0.25, 0.75]
    assert read.valid.tolist() == [True, False, True]


def test_free_labels_that_are_numbers_are_read(tmp_path):
    read = read_annotation(nova(tmp_path, "FREE", "0.00;1.00;0.5;1.00\n1.00;2.00;;1.00;color=#FF0000\n2;3;1;1\n"))
    assert read.value[[0, 2]].tolist() == [0.5, 1]
    assert read.valid.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("CONTINUOUS", "0;1;\n2;1;x\n4;1\n"),
        ("DISCRETE", "0;1;0;1;\n1;2;1;1;seen twice\n2;3;2;1;color=#FF0000;a;b\n"),
        ("DISCRETE", "0,00;1,00;0;1,00;\n1,00;2,00;1;1,00;\n2,00;3,00;2;1,00;\n"),
        ("FREE", "0;1;0;1;\n1;2;0.5;1;meta\n2;3;1;1;color=#FF0000;meta\n"),
    ],
)
def test_what_nova_writes_after_the_confidence_is_ignored(tmp_path, kind, data):
    items = "".join(f'<item name="{name}" id="{i}" />' for i, name in enumerate(("0", "0.5", "1")))
    assert read_annotation(nova(tmp_path, kind, data, items)).value.tolist() == [0, 0.5, 1]


def test_numbers_in_a_header_are_read_as_those_in_rows(tmp_path):
    path = nova(tmp_path, "CONTINUOUS", "0;1\n2;1\n4;1\n")
    path.write_text(path.read_text("windows-1252").replace('sr="5" min="0" max="4"', 'sr="25,0" min="0,0" max="4,00"'))
    read = read_annotation(path)
    np.testing.assert_allclose(read.end_s, [0.04, 0.08, 0.12])
    assert read.value.tolist() == [0, 0.5, 1]
    path.write_text(path.read_text().replace('max="4,00"', 'max="1.#INF00"'))
    with pytest.raises(InputError, match="max=inf are not a rate and a range"):
        read_annotation(path)


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("CONTINUOUS", "1;1\n2;1\n", "declares 3 rows, but there are 2"),
        ("CONTINUOUS", "1;1\n2\n3;1\n", "line 2: '2' is not score;conf"),
        ("CONTINUOUS", "1;1\n5;1\n3;1\n", r"row 2: 5 lies outside \[0, 4\]"),
        ("DISCRETE", "0;1;0;1\n1;2;0;1\n2;3;0.5;1\n", "line 3: '2;3;0.5;1' is not from;to;id;conf"),
        ("DISCRETE", "0;1;0;1\n1;2;99999999999;1\n2;3;0;1\n", "line 2"),
        ("DISCRETE", "0;1;0;1\n1;2;0;1\n3;2;0;1\n", "row 3: from 3 to 2 s"),
        ("FREE", "0;1;low;1\n1;2;0;1\n2;3;0;1\n", "row 1: 'low' is not a number; name the classes by their values"),
        ("FREE", "0;1;0;1\n0.5;2;0;1\n2;3;0;1\n", "row 2: begins at 0.5 s"),
        ("POINT", "0;1\n", "type of <scheme> is 'POINT'; CONTINUOUS, DISCRETE, FREE can be read"),
    ],
)
def test_other_annotations_are_refused_with_their_row(tmp_path, kind, data, expected):
    with pytest.raises(InputError, match=f"engagement.annotation.*{expected}"):
        read_annotation(nova(tmp_path, kind, data, '<item name="1" id="0"/>'))


@pytest.mark.parametrize(
    ("name", "expected"), [("a.doc", "annotations end in"), ("a.eaf", "no such file"), ("a.csv", "no such")]
)
def test_what_is_no_annotation_is_refused(tmp_path, name, expected):
    with pytest.raises(InputError, match=expected):
        read_annotation(tmp_path / name)


def test_only_elan_has_tiers(tmp_path):
    with pytest.raises(InputError, match="only ELAN"):
        read_annotation(tmp_path / "a.csv", "rating")


def test_a_late_annotator_is_moved_back():
    labels = labels_of(np.linspace(0, 1, 100))
    edges_s = np.arange(101) / 25
    annotation = Annotation(edges_s[:-1], edges_s[1:], labels.value)
    moved = annotation.labels(100, lag_s=0.4)
    np.testing.assert_allclose(moved.value[:90], labels.value[10:], atol=1e-6)
    assert moved.valid.tolist() == [True] * 90 + [False] * 10
    half = annotation.labels(100, lag_s=0.02)
    np.testing.assert_allclose(half.value[:99], (labels.value[:-1] + labels.value[1:]) / 2, atol=1e-6)


@given(
    st.lists(
        st.tuples(st.floats(0, 0.2), st.floats(0.01, 0.5), st.one_of(st.floats(0, 1), st.just(np.nan))), max_size=8
    ),
    st.floats(-0.3, 0.3),
)
def test_labels_are_the_mean_over_their_time(stretches, lag_s):
    starts, ends, t_s = [], [], 0.0
    for gap_s, long_s, _ in stretches:
        starts.append(t_s + gap_s)
        t_s = starts[-1] + long_s
        ends.append(t_s)
    value = np.array([value for *_, value in stretches], np.float32)
    labels = Annotation(np.array(starts), np.array(ends), value).labels(100, lag_s)
    for i in range(100):  # the definition, one label and one stretch after the other
        covered_s = weighted_s = 0.0
        for start_s, end_s, score in zip(starts, ends, value.tolist(), strict=True):
            common_s = min(end_s - lag_s, (i + 1) / 25) - max(start_s - lag_s, i / 25)
            if common_s > 0 and not np.isnan(score):
                covered_s += common_s
                weighted_s += common_s * score
        if abs(covered_s - 0.02) > 1e-6:
            assert labels.valid[i] == (covered_s > 0.02)
        if labels.valid[i]:
            assert labels.value[i] == pytest.approx(weighted_s / covered_s, abs=1e-5)


def test_merging_by_mean_ignores_missing_annotations():
    merged = merge([labels_of([0.2, np.nan, 0.4]), labels_of([0.4, 0.6])])
    np.testing.assert_allclose(merged.labels.value, [0.3, 0.6, 0.4], atol=1e-7)
    strict = merge([labels_of([0.2, np.nan, 0.4]), labels_of([0.4, 0.6])], min_annotators=2)
    assert strict.labels.valid.tolist() == [True, False, False]


def test_the_weighted_estimator_trusts_those_who_agree():
    rng = np.random.default_rng(0)
    truth = 0.5 + 0.3 * np.sin(np.arange(500) / 20)
    good = [labels_of(np.clip(truth + rng.normal(0, 0.05, 500), 0, 1)) for _ in range(2)]
    noise = labels_of(rng.uniform(0, 1, 500))
    opposite = labels_of(1 - truth)
    merged = merge([*good, noise], "ewe")
    assert merged.weights[2] < 0.1 < 0.4 < min(merged.weights[:2])
    assert sum(merged.weights) == pytest.approx(1)
    assert np.abs(merged.labels.value - truth).mean() < np.abs(merge([*good, noise]).labels.value - truth).mean()
    assert merge([*good, opposite], "ewe").weights[2] == 0


def test_agreement_is_the_correlation_with_the_others():
    rng = np.random.default_rng(1)
    values = np.clip(rng.uniform(0, 1, (1, 300)) + rng.normal(0, 0.2, (3, 300)), 0, 1).astype(np.float32)
    values[1, :20] = np.nan
    expected = []
    for i in range(3):
        others = np.nanmean(np.delete(values, i, 0), axis=0)
        here = np.isfinite(values[i])
        expected.append(np.corrcoef(values[i, here], others[here])[0, 1])
    weights = merge([labels_of(v) for v in values], "ewe").weights
    np.testing.assert_allclose(weights, np.array(expected) / sum(expected), atol=1e-6)


def test_annotators_without_agreement_are_refused():
    constant = labels_of([0.5] * 10)
    with pytest.raises(InputError, match="no annotator agrees"):
        merge([constant, constant], "ewe")
    assert merge([constant], "ewe").weights == (1.0,)
    with pytest.raises(InputError, match="at least 3"):
        merge([constant, constant], min_annotators=3)
    with pytest.raises(InputError, match="0 annotators"):
        merge([])


@pytest.mark.parametrize("step_s", [0, 0.03, -1, float("nan"), float("inf")])
def test_a_step_is_a_number_of_labels(tmp_path, step_s):
    with pytest.raises(InputError, match=re.escape(f"a step of {step_s:g} s")):
        write_annotation(tmp_path / "a.eaf", labels_of([0.5]), step_s=step_s)


def test_names_that_xml_does_not_allow_are_refused(tmp_path):
    for suffix in (".eaf", ".annotation"):
        with pytest.raises(InputError, match="a character that XML does not allow"):
            write_annotation(tmp_path / f"a{suffix}", labels_of([0.5] * 25), annotator="a\0b")
    with pytest.raises(InputError, match="annotations end in"):
        write_annotation(tmp_path / "a.xlsx", labels_of([0.5]))
    assert not list(tmp_path.iterdir())


def test_a_class_that_the_scheme_does_not_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="class 7 of its rows is not in <scheme>"):
        read_annotation(nova(tmp_path, "DISCRETE", "0;1;0;1\n1;2;7;1\n2;3;-1;1\n", '<item name="1" id="0"/>'))


def fitted_to(tmp_path, text, end_s, n_frames=0, slack_s=0.5):
    path = tmp_path / "a.csv"
    path.write_text(text)
    return fitted("a.csv", read_annotation(path, value_range=(0, 1)), end_s, slack_s, n_frames)


@pytest.mark.parametrize("end_s", [10.0, 600.0])
def test_milliseconds_are_named_where_they_were_taken_for_seconds(tmp_path, end_s):
    text = "".join(f"{1000 * k};{1000 * (k + 1)};0.5\n" for k in range(round(end_s) if end_s < 60 else 80))
    if end_s < 60:
        with pytest.raises(InputError, match="its times look like ms: name the columns start_ms;end_ms;value"):
            fitted_to(tmp_path, text, end_s)
    named, notes = fitted_to(tmp_path, "start_ms;end_ms;value\n" + text, end_s)
    assert named.end_s[-1] == min(end_s, 80)
    assert bool(notes) == (end_s > 60)
    _, notes = fitted_to(tmp_path, "0;40;0.5\n40;80;0.5\n", 600)
    assert notes == ["a.csv: annotated up to 80.00 s of 600.00 s; are its times in s?"]


@given(st.floats(5, 4000), st.sampled_from([24, 24000 / 1001, 25, 30000 / 1001, 50]), st.integers(-14, 14))
def test_every_count_that_is_off_is_noted_or_refused(end_s, rate_hz, extra):
    expected = round(end_s * 25)
    count = expected + extra
    edges_s = np.arange(count + 1) / 25
    annotation = Annotation(edges_s[:-1], edges_s[1:], np.full(count, 0.5, np.float32), series=True, lines=True)
    n_frames = round(end_s * rate_hz)
    try:
        _, notes = fitted("a.csv", annotation, end_s, 0.5, n_frames)
    except InputError:
        assert abs(extra) > 1
    else:
        assert bool(notes) == (count != expected)


def test_a_first_line_of_0_is_a_value_where_the_count_fits(tmp_path):
    read, notes = fitted_to(tmp_path, "0\n" + "0.5\n" * 49, 2.0)
    assert (len(read), notes) == (50, [])
    read, notes = fitted_to(tmp_path, "0\n0\n" + "0.5\n" * 49, 2.0)  # a series that begins with zeros
    assert len(read) == 51
    assert "51 lines, where 50 are expected" in notes[0]
