from pathlib import Path

import numpy as np
import pytest
import yaml

from damamba.config import Params
from damamba.console import InputError
from damamba.corpus.manifest import COLUMNS, Manifest
from damamba.features.ingest import ingest
from tests.conftest import make_video, make_wav, tone

SECONDS = 4


@pytest.fixture
def folder(tmp_path):
    """Two good participants, and what `ingest` makes of a manifest."""
    root = tmp_path / "recordings"
    root.mkdir()
    for name in "ab":
        make_video(root / f"{name}.mp4", np.arange(SECONDS * 25) / 25)
        make_wav(root / f"{name}.wav", tone(SECONDS))
        (root / f"{name}.csv").write_text("0.5\n" * SECONDS * 25)
    return root


def run(root: Path, *rows: str) -> Manifest:
    (root / "manifest.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    held = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    held["corpus"] |= {"sources": ["folder"], "folder": {"root": str(root), "manifest": "manifest.csv"}}
    out = root.parent / "corpus"
    ingest(Params.model_validate(held), root.parent / "raw", out)
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
    ("spoil", "said"),
    [
        (lambda r: (r / "a.mp4").write_bytes(b""), r"a\.mp4: the file is empty"),
        (lambda r: (r / "a.mp4").write_text("hello\n" * 99), r"a\.mp4: not a readable media file"),
        (
            lambda r: (r / "a.mp4").write_bytes((r / "a.mp4").read_bytes()[:700]),
            r"a\.mp4: (not a readable media file|damaged|ends at)",
        ),
        (lambda r: (r / "a.wav").write_bytes((r / "a.mp4").read_bytes()), r"a\.wav: no audio in it"),
        (lambda r: (r / "a.mp4").write_bytes((r / "a.wav").read_bytes()), r"a\.mp4: no video in it, only audio"),
        (lambda r: (r / "a.csv").write_text("0.5\n" * 20), r"a\.csv: 20 labels are 0\.80 s .*lasts 4\.00 s"),
        (lambda r: (r / "a.csv").write_text("0.5\nhalf\n"), r"a\.csv, line 2: 'half' is no number"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_written(folder, spoil, said):
    spoil(folder)
    with pytest.raises(InputError, match=said) as told:
        run(folder, A, B)
    assert "1 of 2 participants" in str(told.value)
    assert not (folder.parent / "corpus").exists()


def test_labels_one_frame_short_are_taken_and_the_frame_is_not_valid(folder):
    import pyarrow.parquet as pq

    (folder / "a.csv").write_text("0.5\n" * 99)
    run(folder, A, B)
    table = pq.read_table(folder.parent / "corpus/labels/own/s/a.parquet")
    assert table["valid"].to_pylist() == [True] * 99 + [False]


def test_a_removed_row_takes_its_labels_along(folder):
    run(folder, A, B)
    run(folder, A)
    assert [p.stem for p in (folder.parent / "corpus/labels").rglob("*.parquet")] == ["a"]


def test_a_video_with_sound_needs_no_second_file(folder):
    with pytest.raises(InputError, match=r"a\.mp4: no audio in it"):
        run(folder, "s,a,host,train,en,pa,a.mp4,,a.csv")
