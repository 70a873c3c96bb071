"""Annotations of NOVA, as engagement."""

import numpy as np
import pytest

from damamba.console import InputError
from damamba.corpus.annotations import read_annotation


def beside(path):
    return path.with_name(path.name + "~")


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


def test_a_class_that_the_scheme_does_not_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="class 7 of its rows is not in <scheme>"):
        read_annotation(nova(tmp_path, "DISCRETE", "0;1;0;1\n1;2;7;1\n2;3;-1;1\n", '<item name="1" id="0"/>'))
