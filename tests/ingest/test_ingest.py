import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from damamba.config import CorpusParams
from damamba.console import InputError
from damamba.corpus.annotations import write_annotation
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Manifest
from damamba.corpus.manifest_csv import COLUMNS
from damamba.executor import run_all
from damamba.ingest.run import ingest
from tests.conftest import frozen_values, make_video, make_wav, serially, tone
from tests.media.specimens import write_clip

SECONDS = 4


@pytest.fixture
def folder(tmp_path):
    """Recordings of two good participants."""
    root = tmp_path / "recordings"
    root.mkdir()
    for name in "ab":
        make_video(root / f"{name}.mp4", np.arange(SECONDS * 25) / 25)
        make_wav(root / f"{name}.wav", tone(SECONDS))
        (root / f"{name}.csv").write_text("0.5\n" * SECONDS * 25)
    return root


def params_for(root: Path, **folder) -> CorpusParams:
    corpus = frozen_values()["corpus"]
    corpus |= {"sources": ["folder"], "folder": corpus["folder"] | {"root": str(root), **folder}}
    return CorpusParams.model_validate(corpus)


def run(root: Path, *rows: str, **folder) -> Manifest:
    (root / "manifest.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    out = root.parent / "corpus"
    ingest(params_for(root, **folder), out, serially)
    return Manifest.read(out / "manifest.jsonl")


A = "s,a,host,train,en,pa,a.mp4,a.wav,a.csv"
B = "s,b,guest,train,en,pb,b.mp4,b.wav,b.csv"


def test_good_recordings_are_taken_with_their_length_and_hash(folder):
    manifest = run(folder, A, B)
    a, b = manifest.participants
    assert (a.n_frames, a.duration_s, a.rate_hz) == (100, pytest.approx(4.0), 25.0)
    assert a.video_sha256 == b.video_sha256  # same content
    assert len(a.audio_sha256) == 64


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda r: (r / "a.mp4").write_bytes(b""), r"a\.mp4: the file is empty"),
        (lambda r: (r / "a.mp4").write_text("hello\n" * 99), r"a\.mp4: not a readable media file"),
        (lambda r: make_video(r / "a.mp4", [0.0]), r"a\.mp4: 1 picture at 0\.000 s, which is no recording"),
        (
            lambda r: (r / "a.mp4").write_bytes((r / "a.mp4").read_bytes()[:700]),
            r"a\.mp4: (not a readable media file|damaged|ends at)",
        ),
        (lambda r: (r / "a.wav").write_bytes((r / "a.mp4").read_bytes()), r"a\.wav: no audio in it"),
        (lambda r: (r / "a.mp4").write_bytes((r / "a.wav").read_bytes()), r"a\.mp4: no video in it, only audio"),
        (lambda r: (r / "a.csv").write_text("0.5\n" * 20), r"a\.csv: 20 labels are 0\.80 s, .*lasts 4\.00 s"),
        (
            lambda r: (
                make_video(r / "a.mp4", np.arange(SECONDS * 24) / 24),
                (r / "a.csv").write_text("0.5\n" * SECONDS * 24),
            ),
            r"a\.csv: 96 lines for the 96 frames of the video, but labels have 25 lines a second, so 100; convert it",
        ),
        (lambda r: (r / "a.csv").write_text("0.5\nhalf\n"), r"a\.csv, line 2: 'half' is not a number"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_written(folder, spoil, expected):
    spoil(folder)
    with pytest.raises(InputError, match=expected) as raised:
        run(folder, A, B)
    assert "1 of 2 participants" in str(raised.value)
    assert not (folder.parent / "corpus").exists()


def test_labels_one_frame_short_are_taken_and_the_frame_is_not_valid(folder):
    (folder / "a.csv").write_text("0.5\n" * 99)
    run(folder, A, B)
    table = pq.read_table(folder.parent / "corpus/labels/own/s/a.parquet")
    assert table["valid"].to_pylist() == [True] * 99 + [False]


def test_a_removed_row_takes_its_labels_along(folder):
    run(folder, A, B)
    run(folder, A)
    assert [p.stem for p in (folder.parent / "corpus/labels").rglob("*.parquet")] == ["a"]


def test_a_video_without_sound_is_taken_and_what_is_missing_is_a_defect(folder):
    make_wav(folder / "b.wav", np.zeros(SECONDS * 16_000))
    a, b = run(folder, A.replace("a.wav", ""), B).participants
    assert (a.audio, a.audio_sha256, b.audio, b.audio_sha256) == ("", "", "", "")
    report = json.loads((folder.parent / "corpus/defects.json").read_text())
    assert report["counts"] == {"no_sound": 2}
    assert [defect["where"] for defect in report["defects"]] == ["own/s/a", "own/s/b"]


def test_a_track_and_a_channel_of_the_manifest_are_read(folder):
    sounds = [np.zeros(SECONDS * 16_000), tone(SECONDS)]
    write_clip(folder / "a.mkv", SECONDS * 25, sounds=sounds, sound_rate=16_000)
    header = ",".join([*COLUMNS, "audio_track", "audio_channel"])
    for track, has_sound in (("1", False), ("2", True)):
        (folder / "manifest.csv").write_text(f"{header}\ns,a,host,train,en,pa,a.mkv,,a.csv,{track},1\n")
        ingest(params_for(folder), folder.parent / "corpus", serially)
        (a,) = Manifest.read(folder.parent / "corpus/manifest.jsonl").participants
        assert (bool(a.audio), a.audio_track, a.audio_channel) == (has_sound, track, "1")
    (folder / "manifest.csv").write_text(f"{header}\ns,a,host,train,en,pa,a.mkv,,a.csv,second,\n")
    with pytest.raises(InputError, match=r"line 2: audio_track is 'second'; use a number from 1 on"):
        ingest(params_for(folder), folder.parent / "corpus", serially)


def labels(root: Path) -> np.ndarray:
    return pq.read_table(root.parent / "corpus/labels/own/s/a.parquet")["value"].to_numpy()


RAMP = np.linspace(0, 1, SECONDS * 25, dtype=np.float32)


@pytest.mark.parametrize("name", ["a.annotation", "a.annotation~", "a.eaf", "a.eaf#engagement", "a.txt"])
def test_labels_are_read_as_other_tools_write_them(folder, name):
    path = folder / name.removesuffix("~").partition("#")[0]
    write_annotation(path, Labels(RAMP, np.isfinite(RAMP)), step_s=0.04)
    run(folder, f"s,a,host,train,en,pa,a.mp4,a.wav,{name}", B)
    np.testing.assert_allclose(labels(folder), RAMP, atol=1e-6)


def test_stretches_may_leave_gaps_and_an_end_and_may_not_outlast_the_video(folder):
    (folder / "a.csv").write_text("start;end;value\n1;2;0.25\n2.5;3;0.75\n")
    run(folder, A, B)
    expected = np.full(SECONDS * 25, np.nan)
    expected[25:50], expected[63:75] = 0.25, 0.75
    expected[62] = 0.75  # half of it is annotated
    np.testing.assert_array_equal(labels(folder), expected.astype(np.float32))
    (folder / "a.csv").write_text("start;end;value\n1;7;0.25\n")
    with pytest.raises(InputError, match=r"a\.csv: annotated up to 7\.00 s, but the recording lasts 4\.00 s"):
        run(folder, A, B)


def test_several_annotators_are_merged_and_moved_back_by_their_lag(folder):
    rng = np.random.default_rng(0)
    lag = 10
    truth = 0.5 + 0.4 * np.sin(np.arange(SECONDS * 25) / 9)
    late = np.concatenate([np.full(lag, truth[0]), truth[:-lag]])
    for name, values in (("a", late), ("good", late), ("random", rng.random(len(truth)))):
        (folder / f"{name}.csv").write_text("".join(f"{value:.6f}\n" for value in values))
    run(folder, "s,a,host,train,en,pa,a.mp4,a.wav,a.csv;good.csv;random.csv", B, merge="ewe", lag_s=lag / 25)
    moved = labels(folder)
    assert np.isnan(moved[-lag:]).all()
    weighted = np.abs(moved[:-lag] - truth[:-lag]).max()
    run(folder, "s,a,host,train,en,pa,a.mp4,a.wav,a.csv;good.csv;random.csv", B, merge="mean", lag_s=lag / 25)
    assert weighted < 0.1 < np.abs(labels(folder)[:-lag] - truth[:-lag]).max()


def test_workers_write_the_same_as_one_process(folder):
    alone = run(folder, A, B)
    out = folder.parent / "corpus"
    alone_files = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    params = params_for(folder)
    ingest(params, out, lambda f, tasks: run_all(f, tasks, 2, "processes", "ingest"))
    assert Manifest.read(out / "manifest.jsonl") == alone
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == alone_files


def test_counts_that_are_off_are_logged(folder, caplog):
    (folder / "a.csv").write_text("0\n" + "0.5\n" * SECONDS * 25)
    (folder / "b.csv").write_text("0.5\n" * (SECONDS * 25 - 7))
    with caplog.at_level("INFO"):
        run(folder, A, B)
    assert "own/s/a: " + str(folder / "a.csv") + ": its first line, 0, is the name of a column" in caplog.text
    assert "93 lines, where 100 are expected for 4.00 s; the last 7 are missing" in caplog.text
    value = pq.read_table(folder.parent / "corpus/labels/own/s/a.parquet")["value"].to_numpy()
    assert (value == 0.5).all()
    assert len(value) == 100
