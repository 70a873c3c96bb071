"""Everything in this folder through the command that a user would use: one line that names the file, no traceback."""

import sys

import pytest

from damamba.cli import main
from tests.badinput.cases import BadInput
from tests.badinput.collection import CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_user_sees_the_documented_line(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    arguments = case.make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["damamba", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert case.problem(stop.value.code, capsys.readouterr().err) == ""
    assert sorted(p for p in tmp_path.rglob("*") if p.name != "manifest.csv") == [
        p for p in before if p.name != "manifest.csv"
    ]


def test_names_are_told_apart():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_there_are_enough_of_each():
    assert len(CASES) >= 150


@pytest.mark.parametrize(
    ("code", "errors"),
    [
        (0, "damamba: error: r/a.mp4: empty, 7\n"),
        (1, "damamba: error: r/b.mp4: empty, 7\n"),
        (1, "damamba: error: r/a.mp4: empty, \x1b[2J\n"),
        (1, "damamba: error: r/a.mp4: empty, 7\nTraceback\n"),
    ],
)
def test_other_lines_and_codes_are_noticed(code, errors):
    case = BadInput("a", lambda folder: [], "r/a.mp4: empty, …")
    assert case.problem(1, "damamba: error: r/a.mp4: empty, 7\n") == ""
    assert case.problem(code, errors)
