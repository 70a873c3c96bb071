"""`damamba init` with names of any script, and the commands that it prints."""

import shlex
import shutil
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from damamba.cli import main
from damamba.console import InputError
from damamba.ingest.proposal import propose
from tests.commands.recordings import SECONDS, SERIES, init, rows
from tests.conftest import FROZEN_PARAMS


def test_names_become_what_the_manifest_allows(place):
    root = place("Sitzung 1/Jürgen Müller.mp4", "Sitzung 1/ben (2).mp4", labels=False)
    assert {(r.session, r.participant) for r in propose(root, "").rows} == {
        ("Sitzung-1", "Jurgen-Muller"),
        ("Sitzung-1", "ben-2"),
    }


SCRIPTS = {
    "Chinese": ("会议一", "会议二", "张伟", "王芳"),
    "Cyrillic": ("встреча", "разговор", "анна", "борис"),
    "Arabic": ("لقاء", "محادثة", "سارة", "أحمد"),
    "Latin beyond ASCII": ("Gespräch", "Gesprach", "Jürgen", "Jurgen"),
    "strokes": ("Ø", "Ł", "Søren", "Sren"),
    "capitals": ("S1", "s1", "Anna", "anna"),
    "blanks": ("a b", "a-b", "c (1)", "c-1"),
    "long names": ("x" * 70 + "1", "x" * 70 + "2", "y" * 70 + "1", "y" * 70 + "2"),
    "a name that ends like a label": ("s1", "s2", "expert", "expert.label"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_names_in_any_script_stay_apart(place, script):
    first, second, one, other = SCRIPTS[script]
    root = place(*(f"{session}/{name}.mp4" for session in (first, second) for name in (one, other)))
    for session in (first, second):
        for name, value in ((one, "0.25"), (other, "0.75")):
            (root / session / f"{name}.csv").write_text(f"{value}\n" * SECONDS * 25)
    manifest = init(root)
    assert len({p.session for p in manifest}) == 2
    assert len({p.key for p in manifest}) == 4
    assert len({p.person for p in manifest}) == (3 if one == "expert" else 2)  # expert is a seat
    assert len({p.name.lower() for p in manifest}) == 4
    assert not any(p.participant.endswith(".label") for p in manifest)
    for p in manifest:
        assert Path(p.label).with_suffix("") == Path(p.video).with_suffix("") == Path(p.audio).with_suffix("")
        assert p.label.removesuffix(".csv") == p.video.removesuffix(".mp4")


def test_composed_and_decomposed_names_are_the_same(place):
    root = place("s1/Jürgen.mp4", "s2/ben.mp4", labels=False)
    (root / "s1" / unicodedata.normalize("NFD", "Jürgen.csv")).write_text(SERIES)
    assert unicodedata.normalize("NFC", propose(root, "").rows[0].label) == "s1/Jürgen.csv"


def test_two_videos_of_one_participant_are_refused(place, media):
    root = place("s1/anna.mp4", "s2/ben.mp4")
    shutil.copy(media[0], root / "s1/anna.mkv")
    with pytest.raises(
        InputError, match=r"s1/anna\.mkv, .*s1/anna\.mp4: would be the same participant anna of session s1"
    ):
        init(root)
    assert not (root / "manifest.csv").exists()


def test_one_name_in_two_splits_is_two_sessions(place):
    root = place("train/001/left.mp4", "val/001/left.mp4", labels=False)
    (root / "val/001/left.csv").write_text(SERIES)
    assert [(r.session, r.split, r.label) for r in propose(root, "").rows] == [
        ("train-001", "train", ""),
        ("val-001", "val", "val/001/left.csv"),
    ]


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\nb", "a\u2028b", " a", "a\x9bb"])
def test_names_that_cannot_be_printed_are_refused_in_printed_letters(place, media, name):
    root = place("s1/anna.mp4")
    shutil.copy(media[0], root / f"{name}.mp4")
    with pytest.raises(InputError, match="cannot be printed; rename it") as raised:
        init(root)
    assert str(raised.value).isprintable()


def test_a_name_that_a_spreadsheet_would_run_is_written_as_a_path(place):
    root = place("=HYPERLINK(1)/@sum.mp4", "-x/+1.mp4")
    manifest = init(root)
    for row in rows(root):
        assert row["video"][0] == row["audio"][0] == row["label"][0] == "."
        assert not any(value.startswith(("=", "+", "-", "@")) for value in row.values())
    assert all(Path(p.video).is_file() and Path(p.label).is_file() for p in manifest)
    before = (root / "manifest.csv").read_text()
    init(root)
    assert (root / "manifest.csv").read_text() == before
    with pytest.raises(InputError, match=r"language is '=1\+1'"):
        init(root, language="=1+1")


@pytest.mark.parametrize(
    "folder", ["Gespräche 2026", "a(b), c=d", "it's #1 & [x", "2026", "会议;~x", "-x", "a$HOME`ls`"]
)
def test_every_command_that_is_printed_runs(place, capsys, monkeypatch, folder):
    root = place("s1/anna.mp4", "s2/ben.mp4", "s3/cleo.mp4").rename(folder)
    shutil.copy(FROZEN_PARAMS, "params.yaml")
    for name, labels in (("first", False), ("second", True)):
        if not labels:
            kept = {path: path.read_text() for path in root.rglob("*.csv")}
            for path in kept:
                path.unlink()
        else:
            for path, text in kept.items():
                path.write_text(text)
        capsys.readouterr()
        init(root)
        printed = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
        assert len(printed) == (1 if name == "first" else 2)
        for command in map(shlex.split, printed):
            if command[:2] == ["dvc", "exp"]:
                apply_overrides(Path("params.yaml"), [part for part in command[3:] if part != "-S"])
            else:
                monkeypatch.setattr(sys, "argv", command)
                main()
    corpus = yaml.safe_load(Path("params.yaml").read_text())["corpus"]
    assert (corpus["sources"], corpus["folder"]["root"]) == (["folder"], folder)
