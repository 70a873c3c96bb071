"""`damamba init` on directories as people have them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from damamba.console import InputError
from damamba.corpus.region import Region
from damamba.ingest.proposal import propose
from damamba_sim.faces.actor import Actor, Pose
from damamba_sim.faces.render import write_video
from tests.commands.recordings import SECONDS, init
from tests.conftest import FROZEN_PARAMS, make_video, make_wav, tone

ROOT = Path(__file__).parents[2]


def test_folders_are_sessions_and_files_are_people(place, capsys):
    root = place("s1/anna.mp4", "s1/ben.mp4", "s2/cleo.mp4", "s2/dan.mp4", "s3/eva.mp4", "s3/finn.mp4")
    manifest = init(root)
    assert [(p.session, p.participant, p.person) for p in manifest[:2]] == [
        ("s1", "anna", "anna"),
        ("s1", "ben", "ben"),
    ]
    assert {p.split for p in manifest} == {"train", "val", "test"}
    assert all(p.language == "de" and p.label and p.audio.endswith(".wav") for p in manifest)
    printed = capsys.readouterr().out
    assert "3 sessions, 6 participants (6 labelled), 6 persons, 12 s of video" in printed
    assert "dvc exp run -S 'corpus.sources=[folder]' -S corpus.folder.root=" in printed
    assert "PROBLEM" not in printed


def test_where_the_parameters_name_the_recordings_the_next_command_is_the_run(place, tmp_path, monkeypatch, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", "s3/cleo.mp4")
    text = FROZEN_PARAMS.read_text().replace("sources: [simulate]", "sources: [folder]")
    (tmp_path / "params.yaml").write_text(text.replace("root: data/recordings", f"root: {root}"))
    monkeypatch.chdir(tmp_path)
    init(root)
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "    dvc repro"  # no experiment, which needs a commit of git


def test_people_who_meet_again_stay_in_one_split(place):
    root = place("s1/anna.mp4", "s1/ben.mp4", "s2/ben.mp4", "s2/cleo.mp4", "s3/dan.mp4", "s4/eva.mp4")
    splits = {p.session: p.split for p in init(root)}
    assert splits["s1"] == splits["s2"]
    assert len({splits["s1"], splits["s3"], splits["s4"]}) == 3


def test_seats_are_other_people_in_every_session(place):
    root = place("s1/left.mp4", "s1/right.mp4", "s2/left.mp4", "s2/right.mp4")
    assert {p.person for p in init(root)} == {"s1-left", "s1-right", "s2-left", "s2-right"}
    assert {p.role for p in init(root)} == {"left", "right"}


def test_files_side_by_side_are_joined_by_what_their_names_share(place):
    root = place("talk1_anna.mp4", "talk1_ben.mp4", "alone.mp4")
    keys = {(p.session, p.participant) for p in init(root)}
    assert keys == {("talk1", "anna"), ("talk1", "ben"), ("alone", "a")}


def test_the_releases_names_are_understood(place, media):
    root = place("noxi/train/001/expert.video.mp4", "noxi/val/007/expert.video.mp4", labels=False)
    for session, split in (("001", "train"), ("007", "val")):
        folder = root / f"noxi/{split}/{session}"
        (folder / "expert.video.wav").rename(folder / "expert.audio.wav")
        (folder / "expert.engagement.annotation.csv").write_text("0.4\n0.5\n" * SECONDS * 12 + "nan\n0.5\n")
    proposed = propose(root, "").rows
    assert [(r.session, r.participant, r.split) for r in proposed] == [
        ("noxi-001", "expert", "train"),
        ("noxi-007", "expert", "val"),
    ]
    assert proposed[0].audio.endswith("expert.audio.wav")
    assert proposed[0].label.endswith("expert.engagement.annotation.csv")


def test_splits_are_shared_out_over_the_sessions_with_labels(place, capsys):
    names = [f"s{k}/p-{k}x.mp4" for k in range(9)]
    root = place(*names, labels=False)
    for k in (2, 5, 8):
        (root / f"s{k}/p-{k}x.csv").write_text("0.4\n0.5\n" * SECONDS * 12 + "nan\n0.5\n")
    splits = {p.session: p.split for p in init(root)}
    assert {splits[f"s{k}"] for k in (2, 5, 8)} == {"train", "val", "test"}
    assert {splits[f"s{k}"] for k in (0, 1, 3, 4, 6, 7)} == {"test"}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            lambda p: p.with_suffix(".csv").write_text("0.5\n" * 20),
            r"anna\.csv: 20 labels are 0\.80 s, .* lasts 2\.00 s",
        ),
        (lambda p: p.with_suffix(".csv").write_text("7\n" * 50), r"anna\.csv, line 1: 7 lies outside"),
        (lambda p: p.with_suffix(".wav").write_bytes(p.read_bytes()), r"anna\.wav: no audio in it, only video"),
        (lambda p: outside(p), r"anna\.mp4: leads out of .*recordings"),
        (lambda p: p.write_bytes(b""), r"anna\.mp4: the file is empty"),
    ],
)
def test_what_must_be_corrected_is_named_beside_the_table(place, capsys, spoil, expected):
    root = place("s1/anna.mp4", "s2/ben.mp4")
    spoil(root / "s1/anna.mp4")
    with pytest.raises(InputError, match=expected) as raised:
        init(root)
    assert "1 problem; correct it, then run again: damamba init" in str(raised.value)
    out = capsys.readouterr().out
    assert [line.split()[-1] for line in out.splitlines()[2:4]] == ["PROBLEM", "good"]


def test_a_broken_file_with_picture_and_sound_is_one_problem(place):
    root = place("s1/anna.mp4", "s2/ben.mp4")
    (root / "s1/anna.mp4").write_bytes(b"cut" * 1000)
    (root / "s1/anna.wav").unlink()
    with pytest.raises(InputError) as raised:
        init(root)
    assert str(raised.value).count("anna.mp4") == 1
    assert "1 problem;" in str(raised.value)


def outside(path: Path) -> None:
    """Put a file elsewhere, and a link in its place."""
    (path.parents[2] / "elsewhere").mkdir()
    path.symlink_to(path.rename(path.parents[2] / "elsewhere" / path.name))


def test_a_video_without_sound_is_accepted_and_told(place, capsys):
    root = place("s1/anna.mp4", "s2/ben.mp4", "s3/eva.mp4")
    (root / "s1/anna.wav").unlink()
    make_wav(root / "s2/ben.wav", np.zeros(SECONDS * 16_000))
    init(root)
    out = capsys.readouterr().out
    assert "note: s1/anna: no sound: the video has no sound track" in out
    assert "note: s2/ben: the sound is digital silence from beginning to end" in out
    assert [line.split()[-1] for line in out.splitlines()[2:5]] == ["look", "look", "good"]


def test_sound_and_picture_of_different_lengths_are_noted(place, media, capsys):
    root = place("s1/anna.mp4", "s1/ben.mp4", "s2/eva.mp4")
    make_wav(root / "s1/anna.wav", tone(SECONDS + 3))
    make_video(root / "s1/ben.mp4", np.arange((SECONDS + 2) * 25) / 25)
    (root / "s1/ben.csv").unlink()
    init(root)
    printed = capsys.readouterr().out
    assert "s1/anna: sound is 3.0 s longer than the picture" in printed
    assert "lengths differ: anna 2.0 s, ben 4.0 s" in printed


def test_without_labels_the_next_step_is_to_annotate(place, capsys):
    init(place("s1/anna.mp4", "s2/ben.mp4", labels=False))
    printed = capsys.readouterr().out
    assert "Labels are needed in the split train and test" in printed
    assert "dvc exp run" not in printed


def test_a_directory_without_videos_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"no video in it \(1 files\)"):
        init(tmp_path)
    with pytest.raises(InputError, match="no such directory"):
        init(tmp_path / "nowhere")


def test_a_video_of_two_people_gets_a_row_for_each_of_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(FROZEN_PARAMS, tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    actors = [Actor(seed, ROOT / "data/landmarker/face_landmarker.task", 320, 240) for seed in (0, 1)]
    pictures = (np.concatenate([actor.render(Pose(), k) for actor in actors], axis=1) for k in range(25))
    (tmp_path / "recordings").mkdir()
    write_video(tmp_path / "recordings/talk.mp4", pictures, (np.arange(25) / 25).tolist(), 25)
    make_wav(tmp_path / "recordings/talk.wav", tone(1))
    left, right = init(Path("recordings"), no_faces=False)
    assert [left.participant, right.participant] == ["a-1", "a-2"]
    assert left.video == right.video
    left, right = (Region.parse(one.region) for one in (left, right))
    assert left.left + left.width == pytest.approx(right.left, abs=0.002)
    assert 0.4 < right.left < 0.6
    printed = capsys.readouterr().out
    assert "talk/a: 2 people in talk.mp4: a-1, a-2, from left to right, each with a region" in printed
    assert "PROBLEM" not in printed
    assert len(init(Path("recordings"), no_faces=False)) == 2
    assert "nothing is new" in capsys.readouterr().out
