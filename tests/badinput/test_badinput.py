"""Everything in this folder through the command that a user would use: one line that names the file, no traceback."""

import re
import sys

import pytest

from damamba.cli import main
from tests.badinput.collection import CASES

SUMMARIES = re.compile(
    r"\d+ problems; correct them, then run again: damamba init .*"
    r"|.*: \d+ of \d+ participants cannot be scored, so this would not be the score of the corpus; .*"
)
"""Lines that may follow that of the problem."""


def pattern(line):
    """A documented line as an expression; ``…`` stands for anything."""
    return ".*".join(map(re.escape, line.split("…")))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_user_sees_the_documented_line(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    arguments = case.make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["damamba", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    first, *more = capsys.readouterr().err.removeprefix("damamba: error: ").rstrip("\n").split("\n")
    assert re.fullmatch(pattern(case.line), first), first
    assert first.isprintable()
    assert all(SUMMARIES.fullmatch(line) for line in more)
    assert sorted(p for p in tmp_path.rglob("*") if p.name != "manifest.csv") == [
        p for p in before if p.name != "manifest.csv"
    ]


def test_names_are_told_apart():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_there_are_enough_of_each():
    assert len(CASES) >= 150
