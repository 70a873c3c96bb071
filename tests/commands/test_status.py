"""`damamba status` and `damamba failed` of a half-finished corpus whose files are made here."""

import fcntl
import json
import sys
from pathlib import Path

import pytest

from damamba import cli
from damamba.config import Params
from damamba.console import FAILED, LOCKS, InputError, note_of, noted, write_note
from damamba.corpus.manifest import Manifest, Participant
from damamba.files import only_one
from damamba.status import pipeline_status
from tests.conftest import FROZEN_PARAMS


@pytest.fixture
def people(tmp_path, monkeypatch):
    """The participants of three sessions of two; in the first, one has no video."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(FROZEN_PARAMS.read_text())
    rows = [
        Participant("own", f"s{k // 2}", f"p{k % 2}", "p", "test", "en", f"x{k}", "v.mp4" if k else "", "", "a.csv")
        for k in range(6)
    ]
    Manifest(tuple(rows)).write(tmp_path / "data/corpus/manifest.jsonl")
    return rows


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def ask(monkeypatch, capsys, *command):
    monkeypatch.setattr(sys, "argv", ["damamba", *command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, capsys.readouterr().out


def stages():
    return {stage.stage: stage for stage in pipeline_status(Path())}


def test_counts_are_those_of_the_files(people, tmp_path, monkeypatch, capsys):
    cue = tmp_path / "data/features/clip"
    for person in people[:3]:
        touch(person.shard(cue))
    write_note(note_of(people[3].shard(cue)), "v.mp4: no picture")
    touch(cue / "health.csv")
    part = touch(cue / "own/s2/.p0.parquet.7.part.parquet")
    touch(cue / "own/s2/.p1.parquet.7.part.parquet")  # of a process that has died
    with part.open() as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        clip = stages()["extract-clip"]
    assert (clip.total, clip.done, clip.writing, len(clip.failures), clip.left) == (6, 3, 1, 1, 2)
    assert clip.state == "failed"
    assert stages()["track_faces"].total == 5
    assert stages()["ingest"].state == "done"
    assert stages()["extract-flow"].state == "to do"

    code, text = ask(monkeypatch, capsys, "status")
    assert code == 3
    (row,) = [line.split() for line in text.splitlines() if line.startswith("extract-clip")]
    assert row == ["extract-clip", "failed", "6", "3", "0", "1", "2"]
    code, text = ask(monkeypatch, capsys, "status", "--json")
    read = json.loads(text)
    assert code == 3
    assert {one["stage"]: one["left"] for one in read["stages"]}["extract-clip"] == 2
    failure = {"stage": "extract-clip", "participant": "own/s1/p1", "error": "v.mp4: no picture"}
    assert read["failures"] == [failure]
    code, text = ask(monkeypatch, capsys, "failed")
    assert (code, text) == (3, "extract-clip own/s1/p1: v.mp4: no picture\n")
    assert json.loads(ask(monkeypatch, capsys, "failed", "--json")[1]) == [failure]


def test_a_stage_that_runs_is_shown_and_a_look_does_not_stop_one_that_starts(people, monkeypatch, capsys):
    with only_one(LOCKS / "report.lock", "report"):
        assert stages()["report"].state == "running"
    assert "report" not in stages()  # its lock file stays
    (LOCKS / "align.lock").write_text("1")
    looked = fcntl.flock

    def look_first(lock, how):
        """As if somebody looked at the lock when the stage wanted it."""
        monkeypatch.setattr(fcntl, "flock", looked)
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", look_first)
    with only_one(LOCKS / "align.lock", "align"):
        assert stages()["align"].state == "running"
    code, _ = ask(monkeypatch, capsys, "status")
    assert code == 4


def test_everything_done_is_zero(people, tmp_path, monkeypatch, capsys):
    params = Params.load()
    touch(tmp_path / "data/raw/manifest.csv")
    for person in people:
        touch(person.shard(tmp_path / "data/faces"))
        touch(person.shard(tmp_path / "data/aligned", ".arrow"))
        for cue in params.cues:
            touch(person.shard(tmp_path / "data/features" / cue))
        for run in params.runs:
            touch(person.shard(tmp_path / "data/predictions" / run))
    for run in params.runs:
        touch(tmp_path / "data/models" / run / "model.json")
    assert ask(monkeypatch, capsys, "status")[0] == 0
    assert ask(monkeypatch, capsys, "failed") == (0, "Nothing failed.\n")
    people[0].shard(tmp_path / "data/predictions" / params.runs[0]).unlink()
    assert ask(monkeypatch, capsys, "status")[0] == 4


def test_before_ingest_nothing_is_known_of_participants(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(FROZEN_PARAMS.read_text())
    clip = stages()["extract-clip"]
    assert (clip.total, clip.done, clip.left) == (None, 0, None)
    code, text = ask(monkeypatch, capsys, "status")
    assert code == 4
    assert "–" in text


def test_a_stage_that_fails_leaves_its_reason_until_it_succeeds(people):
    note = FAILED / "train-da_mamba-0.json"
    for error, reason in ((InputError("loss: not finite"), "loss: not finite"), (KeyError("x"), "KeyError: 'x'")):
        with pytest.raises(type(error)), noted(note):
            raise error
        (failure,) = stages()["train-da_mamba-0"].failures
        assert (failure.participant, failure.error) == ("", reason)
    note.write_text("{")
    assert "cannot be read" in stages()["train-da_mamba-0"].failures[0].error
    with noted(note):
        pass
    assert not stages()["train-da_mamba-0"].failures
