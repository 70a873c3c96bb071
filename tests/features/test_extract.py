import json
from dataclasses import replace

import numpy as np
import pytest

from damamba.config import AlignParams, ExtractParams
from damamba.console import InputError, note_of, write_note
from damamba.corpus.manifest import Manifest, Participant
from damamba.data.stream_on_grid import StreamOnGrid
from damamba.executor import run_all
from damamba.features.extract import extract_all, extract_manifest
from damamba.features.health import longest_gap_s, write_health
from damamba.files import prune, sha256
from damamba.streams.reader import StoredStream, read_stream
from damamba.streams.store import describe
from tests.conftest import make_video, make_wav, tone
from tests.extractors_for_tests import Brightness, Loudness, Settings


def person(tmp_path, name, brightness=None):
    path = make_video(tmp_path / f"{name}.mp4", [i / 25 for i in range(10)], brightness)
    return Participant(
        "own", name, "p", "p", "train", "en", name, str(path), str(path), "", sha256(path), "", 0.4, 25.0, 10
    )


def serially(function, tasks):
    return run_all(function, tasks, 1, "serial", "test")


@pytest.fixture
def people(tmp_path):
    return [person(tmp_path, name) for name in "abc"]


def made(out):
    return {p.relative_to(out).as_posix(): p.stat().st_mtime_ns for p in out.rglob("*.parquet")}


def test_a_second_run_makes_nothing_and_a_new_session_costs_one(tmp_path, people):
    out = tmp_path / "out"
    assert "2 participants made, 0 kept" in extract_all(Brightness, Settings(), people[:2], out, serially)
    before = made(out)
    assert "2 participants up to date" in extract_all(Brightness, Settings(), people[:2], out, serially)
    assert "1 participants made, 2 kept" in extract_all(Brightness, Settings(), people, out, serially)
    assert {name: when for name, when in made(out).items() if name in before} == before


def test_changed_media_parameters_weights_or_code_make_a_shard_again(tmp_path, people, monkeypatch):
    out, weights = tmp_path / "out", tmp_path / "w.bin"
    weights.write_bytes(b"1")
    settings = Settings(weights=str(weights))
    extract_all(Brightness, settings, people, out, serially)
    weights.write_bytes(b"2")
    assert "3 participants made" in extract_all(Brightness, settings, people, out, serially)
    changed = Settings(weights=str(weights), gain=2.0)
    assert "3 participants made" in extract_all(Brightness, changed, people, out, serially)
    people[1] = person(tmp_path, "b", [0.9] * 10)
    assert "1 participants made, 2 kept" in extract_all(Brightness, changed, people, out, serially)
    people[2] = replace(people[2], rate_hz=30.0)  # a part of the stream's description
    assert "1 participants made, 2 kept" in extract_all(Brightness, changed, people, out, serially)
    monkeypatch.setattr("damamba.features.extract.source_digest", lambda *modules: "another")
    assert "3 participants made" in extract_all(Brightness, changed, people, out, serially)


def test_one_bad_participant_stops_no_other_and_is_named(tmp_path, people):
    out = tmp_path / "out"
    people[1] = person(tmp_path, "dark", [0.01] * 10)
    with pytest.raises(InputError, match=r"dark\.mp4: too dark\n.*1 of 3 failed, 2 are done and kept"):
        extract_all(Brightness, Settings(), people, out, serially)
    assert len(made(out)) == 2
    with pytest.raises(InputError, match="1 of 1 failed"):
        extract_all(Brightness, Settings(), people, out, serially)


def test_the_reason_of_a_failure_lies_beside_the_shard_until_it_is_made(tmp_path, people, monkeypatch):
    people[1] = person(tmp_path, "dark", [0.01] * 10)
    Manifest(tuple(people)).write(tmp_path / "corpus/manifest.jsonl")
    out = tmp_path / "out"
    notes = [note_of(each.shard(out)) for each in people]

    def extract(settings, what="a"):
        loop = ExtractParams(jobs=1, executor="processes" if what == "dies" else "serial")
        return extract_manifest(Brightness, settings, out, loop, what, corpus=tmp_path / "corpus")

    with pytest.raises(InputError, match="too dark"):
        extract(Settings())
    assert [note.exists() for note in notes] == [False, True, False]
    assert json.loads(notes[1].read_text())["error"].endswith("dark.mp4: too dark")
    write_note(notes[0], "of an earlier version, which the shard there has outlived")
    with pytest.raises(InputError, match="too dark"):
        extract(Settings())
    assert not notes[0].exists()
    monkeypatch.setattr("damamba.features.extract.ExtractionTask.limit_s", 0.0)
    with pytest.raises(InputError, match="the limit of a task"):
        extract(Settings(gain=2.0), "dies")
    assert all("the limit of a task" in json.loads(note.read_text())["error"] for note in notes)
    monkeypatch.undo()
    people[1] = person(tmp_path, "dark", [0.9] * 10)
    Manifest(tuple(people)).write(tmp_path / "corpus/manifest.jsonl")
    extract(Settings(gain=2.0))
    assert not any(note.exists() for note in notes)
    assert len(made(out)) == 3


def test_a_damaged_shard_is_made_again(tmp_path, people):
    out = tmp_path / "out"
    extract_all(Brightness, Settings(), people, out, serially)
    shard = people[0].shard(out)
    shard.write_bytes(shard.read_bytes()[:-40])
    assert describe(shard) is None
    assert "1 participants made, 2 kept" in extract_all(Brightness, Settings(), people, out, serially)
    assert len(read_stream(shard, "").t_s) == 10


def test_processes_give_the_same_bytes_as_one(tmp_path, people):
    extract_all(Brightness, Settings(), people, tmp_path / "one", serially)
    extract_all(
        Brightness, Settings(), people, tmp_path / "two", lambda f, tasks: run_all(f, tasks, 2, "processes", "test")
    )
    for participant in people:
        assert participant.shard(tmp_path / "one").read_bytes() == participant.shard(tmp_path / "two").read_bytes()


def test_pruning_removes_what_is_no_longer_wanted_and_half_written_files(tmp_path, people):
    out = tmp_path / "out"
    extract_all(Brightness, Settings(), people, out, serially)
    (people[0].shard(out).parent / ".p.parquet.7.part.parquet").write_bytes(b"half")
    removed = prune(out, {p.shard(out) for p in people[:2]})
    assert [path.parent.name for path in removed] == ["c"]
    assert len(list(out.rglob("*.parquet"))) == 2
    assert not (out / "own" / "c").exists()


def test_media_that_changed_after_ingest_are_refused(tmp_path, people):
    """A halved file, extracted and put back, must not leave the shard of the half under the key of the whole."""
    out, video = tmp_path / "out", tmp_path / "b.mp4"
    whole = video.read_bytes()
    make_video(video, [i / 25 for i in range(5)])
    with pytest.raises(InputError, match=r"b\.mp4: changed or removed since .*dvc repro -f ingest"):
        extract_all(Brightness, Settings(), people, out, serially)
    video.write_bytes(whole)
    assert "1 participants made, 2 kept" in extract_all(Brightness, Settings(), people, out, serially)
    assert len(read_stream(people[1].shard(out), "").t_s) == 10


def test_shards_of_people_who_left_are_set_aside_and_come_back(tmp_path, people, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    extract_all(Brightness, Settings(), people, out, serially)
    before = made(out)
    gone = prune(out, {p.shard(out) for p in people[:2]}, aside=True)
    assert gone == [people[2].shard(out)]
    assert (tmp_path / "state/pruned/out/own/c/p.parquet").is_file()
    assert "3 participants up to date" in extract_all(Brightness, Settings(), people, out, serially)
    assert made(out) == before


def test_who_lacks_the_media_gets_a_stream_without_rows_and_stops_nobody(tmp_path, people):
    out = tmp_path / "out"
    people[1] = replace(people[1], video="", video_sha256="")
    summary = extract_all(Brightness, Settings(), people, out, serially)
    assert "2 participants made" in summary
    assert "1 without: no video" in summary
    with StoredStream(people[1].shard(out), "") as empty, StoredStream(people[0].shard(out), "") as whole:
        assert (len(empty.t_s), empty.width, empty.rate_hz) == (0, whole.width, whole.rate_hz)
        on_grid, valid = StreamOnGrid(empty, AlignParams(rate_hz=100, max_gap_s=0.2)).frames(0, 40)
        assert not valid.any()
        assert on_grid.shape == (40, whole.width)
        assert np.isnan(on_grid).all()
    before = made(out)
    assert "2 participants up to date · 1 without" in extract_all(Brightness, Settings(), people, out, serially)
    assert made(out) == before
    lines = write_health(people, out)
    assert lines == ["own/b/p: no video: the cue is not valid throughout"]
    table = (out / "health.csv").read_text().splitlines()
    assert table[1] == "own,a,p,10,10,0.04,"
    assert table[2] == "own,b,p,0,0,0.40,no video: the cue is not valid throughout"


def test_a_cue_that_nobody_can_have_is_refused(tmp_path, people):
    nobody = [replace(p, video="") for p in people]
    with pytest.raises(InputError, match=r"own/a/p: no video to compute this cue from, nor has any other"):
        extract_all(Brightness, Settings(), nobody, tmp_path / "out", serially)


def test_the_longest_gap_counts_from_the_beginning_to_the_end():
    t_s = np.arange(10) / 10
    assert longest_gap_s(t_s, (t_s > 0.35) & (t_s < 0.65), 2.0) == pytest.approx(1.4)
    assert longest_gap_s(t_s, np.zeros(10, bool), 2.0) == 2


def test_rows_of_sound_after_the_picture_are_left_out(tmp_path, people):
    sound = make_wav(tmp_path / "a.wav", tone(3.0))
    person = replace(people[0], audio=str(sound), audio_sha256=sha256(sound))
    extract_all(Loudness, Settings(), [person], tmp_path / "out", serially)
    stream = read_stream(person.shard(tmp_path / "out"), "")
    assert stream.t_s[-1] == pytest.approx(person.duration_s + 1, abs=0.006)
    assert "rows after the end of the picture are left out" in stream.note
