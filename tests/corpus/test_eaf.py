"""Annotations of ELAN."""

import numpy as np
import pympi
import pytest

from damamba.console import InputError
from damamba.corpus.annotations import read_annotation, write_annotation
from damamba.corpus.labels import Labels


def labels_of(values):
    values = np.array(values, np.float32)
    return Labels(values, np.isfinite(values))


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
