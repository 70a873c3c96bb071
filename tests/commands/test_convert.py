"""`damamba convert` on the command line."""

import sys

import numpy as np
import pytest

from damamba.cli import main
from damamba.corpus.annotation_csv import read_labels
from damamba.corpus.annotations import read_annotation


def convert(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["damamba", "convert", *map(str, arguments)])
    main()


@pytest.fixture
def series(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{v:.6f}\n" for v in np.linspace(0, 1, 100)))
    return path


def test_predictions_go_to_nova_and_elan_and_come_back(tmp_path, monkeypatch, capsys, series):
    convert(monkeypatch, series, tmp_path / "a.annotation", "--role", "expert", "--annotator", "da-mamba")
    convert(monkeypatch, series, tmp_path / "a.eaf", "--step-s", "0.04")
    convert(monkeypatch, tmp_path / "a.annotation", tmp_path / "b.csv")
    convert(monkeypatch, tmp_path / "a.eaf", tmp_path / "c.csv")
    assert (tmp_path / "b.csv").read_bytes() == series.read_bytes()
    np.testing.assert_allclose(read_labels(tmp_path / "c.csv").value, read_labels(series).value, atol=2e-6)
    assert "b.csv: 100 labels of 25 Hz (4 s), 0 not valid" in capsys.readouterr().out
    assert read_annotation(tmp_path / "a.annotation").annotator == "da-mamba"


def test_annotators_are_merged_and_moved(tmp_path, monkeypatch, capsys, series):
    (tmp_path / "b.csv").write_text("start;end;value\n0;2;0.25\n2;4;0.75\n")
    out = tmp_path / "out.csv"
    convert(monkeypatch, series, tmp_path / "b.csv", out, "--merge", "ewe", "--lag-s", "1", "--length-s", "5")
    labels = read_labels(out)
    assert len(labels) == 125
    assert labels.valid.tolist() == [True] * 75 + [False] * 50
    printed = capsys.readouterr().out
    assert "a.csv: weight 0.500" in printed
    assert "out.csv: 125 labels of 25 Hz (5 s), 50 not valid" in printed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["{a}", "{a}"], "is an input and the output"),
        (["{a}", "{d}/b.csv", "--lag-s", "nan"], "expected seconds"),
        (["{a}", "{d}/b.csv", "--length-s", "-1"], "expected seconds"),
        (["{a}", "{d}/b.csv", "--range", "1", "0"], "not a range"),
        (["{a}", "{d}/b.csv", "--rate-hz", "0"], "is not a rate"),
        (["{d}/gone.eaf", "{d}/b.csv"], "no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, series, arguments, expected
):
    with pytest.raises(SystemExit) as stop:
        convert(monkeypatch, *(argument.format(a=series, d=tmp_path) for argument in arguments))
    assert stop.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("damamba: error: ")
    assert expected in message
    assert message.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
