"""Label files of classes, from text to the clock of a session."""

import numpy as np
import pytest

from damamba.config import LabelParams
from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.annotations import read_annotation
from damamba.corpus.eaf import Stretch, Tier, write_eaf
from damamba.corpus.ssi_annotation import ROW_DTYPES, Scheme, SsiAnnotation, write_ssi_annotation

LABELS = LabelParams(kind="categorical", classes=("goaloriented", "aimless", "noplay"), ignored=("missing",))


def written(path, text):
    path.write_text(text)
    return path


def test_a_class_a_line_is_no_header(tmp_path):
    read = read_annotation(written(tmp_path / "a.csv", "goaloriented\nNoPlay\n\nmissing\naimless\n"), labels=LABELS)
    np.testing.assert_array_equal(read.labels().value, [0, 2, np.nan, np.nan, 1])
    assert read.series
    named = read_annotation(written(tmp_path / "b.csv", "task\ngoaloriented\nnoplay\n"), labels=LABELS)
    assert named.value.tolist() == [0, 2]
    assert named.scheme == "task"


def test_stretches_take_the_class_that_lasts_longest_and_never_a_mean(tmp_path):
    text = "start;end;value\n0;0.1;goaloriented\n0.1;0.29;noplay\n0.36;0.4;aimless\n"
    labels = read_annotation(written(tmp_path / "a.csv", text), labels=LABELS).labels(11)
    np.testing.assert_array_equal(labels.value, [0, 0, 0, 2, 2, 2, 2, np.nan, np.nan, 1, np.nan])
    np.testing.assert_array_equal(labels.valid, np.isfinite(labels.value))


def test_elan_and_nova_keep_the_names_of_classes(tmp_path):
    stretches = (Stretch(0, 0.08, "aimless"), Stretch(0.08, 0.12, "noplay"))
    write_eaf(tmp_path / "a.eaf", [Tier("task", stretches)])
    assert read_annotation(tmp_path / "a.eaf", labels=LABELS).labels().value.tolist() == [1, 1, 2]
    rows = np.zeros(2, ROW_DTYPES["DISCRETE"])
    rows["from"], rows["to"], rows["id"], rows["conf"] = [0, 0.04], [0.04, 0.08], [7, 3], 1
    scheme = Scheme("task", "DISCRETE", classes={3: "goaloriented", 7: "noplay"})
    write_ssi_annotation(tmp_path / "a.annotation", SsiAnnotation(scheme, rows))
    assert read_annotation(tmp_path / "a.annotation", labels=LABELS).labels().value.tolist() == [2, 0]


@pytest.mark.parametrize("text", ["goaloriented\nplaying\n", "0.5\n0.25\n", "0;1;goaloriented\n1;2;playing\n"])
def test_an_unknown_class_is_refused_with_its_place(tmp_path, text):
    path = written(tmp_path / "a.csv", text)
    with pytest.raises(InputError, match=r"a\.csv, line \d: '.*' is not in labels.classes \(goaloriented, aimless"):
        read_annotation(path, labels=LABELS)


def test_ordinal_numbers_are_classes(tmp_path):
    scale = LabelParams.model_validate({"kind": "ordinal", "classes": [1, 2, 3]})
    assert read_annotation(written(tmp_path / "a.csv", "1\n3.0\n2\nnan\n"), labels=scale).labels().value.tolist()[
        :3
    ] == [
        0,
        2,
        1,
    ]


def test_the_majority_of_annotators_counts_and_ties_are_told(tmp_path):
    texts = ("aimless\naimless\nnoplay\n\n", "aimless\nnoplay\nnoplay\nnoplay\n", "noplay\nmissing\naimless\n\n")
    label = ";".join(str(written(tmp_path / f"{i}.csv", text)) for i, text in enumerate(texts))
    read = read_label(label, 0.16, 0.1, labels=LABELS)
    np.testing.assert_array_equal(read.labels.value, [1, np.nan, 2, 2])
    assert "annotators tie on 1 of 4 label frames, which are not valid" in read.notes
    with pytest.raises(InputError, match="merge: ewe weighs numbers"):
        read_label(label, 0.16, 0.1, "ewe", labels=LABELS)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "ordinal"}, "2 to 64 classes"),
        ({"classes": ["a", "b"]}, "are for kind: ordinal or categorical"),
        ({"kind": "categorical", "classes": ["a", "A"]}, "equal but for capitals"),
    ],
)
def test_wrong_sections_are_refused(given, told):
    with pytest.raises(ValueError, match=told):
        LabelParams.model_validate(given)
