import csv
import wave
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from damamba.config import Params, SimulateParams, parse_section
from damamba.console import InputError
from damamba.corpus.annotation_csv import read_labels
from damamba.executor import run_all
from damamba_sim.corpora.manifest import write_manifest
from damamba_sim.corpora.persons import ENCODER_SEEDS
from damamba_sim.corpora.sessions import plan_corpora
from damamba_sim.faces.filming import filming_of
from damamba_sim.recording.equipment import check_equipment
from damamba_sim.recording.session import SessionRecording, film, record
from damamba_sim.recording.truth import read_truth
from tests.conftest import frozen_params

ROOT = Path(__file__).parents[2]
FACE_MODEL = ROOT / "data/landmarker/face_landmarker.task"
NONE = {"train": 0, "val": 0, "test": 0}
needs_face_model = pytest.mark.skipif(not FACE_MODEL.exists(), reason="dvc repro landmarker fetches the face model")


def make_params(**changes) -> SimulateParams:
    values = frozen_params().simulate.model_dump()
    return SimulateParams.model_validate({**values, "minutes": 0.1, "resolution": [64, 64], "flaws": 0, **changes})


def sessions(**counts) -> dict:
    return {name: {**NONE, **counts.get(name, {})} for name in ("noxi", "noxi_add", "mpiigi")}


def plans_of(**counts):
    return plan_corpora(make_params(sessions=sessions(**counts)))


MANY = {"noxi": {"train": 60, "val": 20, "test": 30}, "noxi_add": {"test": 20}, "mpiigi": {"val": 12, "test": 15}}


def test_official_numbers_come_first_and_no_number_twice():
    plans = plans_of(**MANY)
    assert [p.session for p in plans[:3]] == ["001", "003", "013"]
    assert {p.folder.rsplit("/", 1)[0] for p in plans} == {
        "noxi/train",
        "noxi/val",
        "noxi/test-base",
        "noxi/test-additional",
        "mpiigroupinteraction/val",
        "mpiigroupinteraction/test",
    }
    for corpora in (("noxi", "noxi_add"), ("mpiigi",)):
        numbers = [p.session for p in plans if p.corpus in corpora]
        assert len(set(numbers)) == len(numbers)


def test_persons_appear_once_and_never_in_the_training_of_encoders():
    for seed in (0, 7):
        plans = plan_corpora(make_params(seed=seed, sessions=sessions(**MANY)))
        members = [(p.corpus, m) for p in plans for m in p.members]
        assert len({(corpus, m.person) for corpus, m in members}) == len({m.seed for _, m in members}) == len(members)
        assert not {m.seed for _, m in members} & set(ENCODER_SEEDS)


def test_an_additional_session_changes_no_other():
    few, more = (
        plans_of(noxi={"train": 3, "test": 2}),
        plans_of(noxi={"train": 5, "val": 1, "test": 2}, mpiigi={"val": 1}),
    )
    assert set(few) <= set(more)


def test_languages_roles_and_seats_are_those_of_the_release():
    plans = {p.name: p for p in plans_of(noxi={"train": 6}, noxi_add={"test": 4}, mpiigi={"val": 6, "test": 1})}
    assert {p.language for p in plans.values() if p.corpus == "noxi"} == {"en", "fr", "de"}
    assert {p.language for p in plans.values() if p.corpus == "noxi_add"} == {"ar", "it", "id", "es"}
    assert {p.language for p in plans.values() if p.corpus == "mpiigi"} == {"de"}
    assert [m.participant for m in plans["noxi/001"].members] == ["expert", "novice"]
    assert [m.participant for m in plans["mpiigi/008"].members] == [f"subjectPos{i}" for i in range(1, 5)]
    assert [m.participant for m in plans["mpiigi/026"].members] == [f"subjectPos{i}" for i in range(2, 5)]
    assert [m.participant for m in plans["mpiigi/001"].members] == [f"subjectPos{i}" for i in range(1, 4)]
    assert [m.labelled for m in plans["mpiigi/028"].members] == [False, True, True, True]


def test_a_few_sessions_already_cover_engagement():
    for seed in range(5):
        plans = plan_corpora(make_params(seed=seed, sessions=sessions(noxi={"test": 4}, noxi_add={"test": 3})))
        for corpus in ("noxi", "noxi_add"):
            quantiles = np.concatenate([p.quantiles.engagement for p in plans if p.corpus == corpus])
            assert np.ptp(quantiles) > 0.5
            assert 0.25 < quantiles.mean() < 0.75


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sessions": sessions()}, "simulate.sessions: none"),
        ({"minutes": 0.01}, "simulate.minutes: 0.01 is too short"),
        ({"sessions": sessions(noxi_add={"train": 1, "test": 1})}, "simulate.sessions.noxi_add.train: 1"),
        ({"sessions": sessions(mpiigi={"train": 2, "test": 1})}, "simulate.sessions.mpiigi.train: 2"),
        (
            {"sessions": sessions(noxi={"train": 5000, "test": 1})},
            "noxi.train: 5000 sessions, but there are only enough persons for",
        ),
        ({"languages": {"noxi": ["en", "xx"], "noxi_add": ["it"], "mpiigi": ["de"]}}, "noxi: unknown language 'xx'"),
        ({"languages": {"noxi": ["en"], "noxi_add": [], "mpiigi": ["de"]}}, "languages.noxi_add: none"),
    ],
)
def test_parameters_without_a_corpus_are_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=message) as error:
        plan_corpora(make_params(**changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": [32, 32]}, "simulate.resolution: 32 x 32"),
        ({"fps": 1000.0}, "simulate.fps: 1000"),
        ({}, "face_landmarker.task: not found"),
    ],
)
def test_media_that_cannot_be_made_fail_fast_in_one_line(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as error:
        check_equipment(make_params(**changes), tmp_path / "face_landmarker.task", {"en"})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": 0}, r"simulate\.minutes"),
        ({"resolution": [641, 480]}, r"simulate\.resolution\.0.*multiple of 4, got 641"),
        ({"resolution": [640]}, r"simulate\.resolution"),
        ({"flaws": 1.5}, r"simulate\.flaws"),
        ({"sessions": {"noxi": {"train": 1}}}, r"simulate\.sessions\.noxi\.val"),
    ],
)
def test_values_out_of_range_are_refused_with_their_path(changes, message):
    values = frozen_params().model_dump(mode="json")
    values["simulate"].update(changes)
    with pytest.raises(InputError, match=message):
        parse_section(Params, values, "params.yaml")


def test_languages_are_a_parameter():
    only = {"noxi": ["it"], "noxi_add": ["es"], "mpiigi": ["fr"]}
    plans = plan_corpora(make_params(sessions=sessions(noxi={"train": 3}, mpiigi={"test": 2}), languages=only))
    assert {(plan.corpus, plan.language) for plan in plans} == {("noxi", "it"), ("mpiigi", "fr")}


def test_flaws_fall_on_their_share_of_every_corpus_and_nowhere_if_it_is_zero():
    plans = plans_of(**MANY)
    for corpus in ("noxi", "noxi_add", "mpiigi"):
        people = [m for plan in plans if plan.corpus == corpus for m in plan.members]
        films = [filming_of(corpus, m.number, m.seed, 0.1) for m in people]
        for has in ("start_s", "dropped", "object_side", "leaves"):
            share = np.mean([bool(getattr(f, has)) for f in films])
            assert 0.05 < share < 0.2, (corpus, has)
        clean = [filming_of(corpus, m.number, m.seed, 0) for m in people]
        assert not any(f.start_s or f.dropped or f.object_side or f.leaves for f in clean)
        assert len(set(clean)) == 1


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def active(samples: np.ndarray) -> np.ndarray:
    """(T,) level of each label frame, dB."""
    return 10 * np.log10((samples[: len(samples) // 640 * 640].reshape(-1, 640) ** 2).mean(1) + 1e-9)


@needs_face_model
def test_a_recorded_session_is_complete_repeatable_and_in_time(tmp_path):
    (plan,) = plans_of(noxi={"train": 1})
    params = make_params(minutes=0.3)
    one, two = (SessionRecording(plan, tmp_path / name, params, FACE_MODEL) for name in "ab")
    assert record(one)
    assert record(two)
    for path in one.files():
        if path.suffix != ".mp4":
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    folder = tmp_path / "a/noxi/train/001"
    assert (folder / "language.annotation.csv").read_text() == "0.00;18.00;" + {
        "en": "English",
        "fr": "French",
        "de": "German",
    }[plan.language] + ";1.0\n"
    for role, other in (("expert", "novice"), ("novice", "expert")):
        truth = read_truth(one.root / plan.truth_path(role), ("engagement", "speech", "mouth", "present"))
        assert len(truth["engagement"]) == len(read_labels(folder / f"{role}.engagement.annotation.csv")) == 450
        assert truth["present"].dtype == bool
        sound = read_wav(folder / f"{role}.audio.wav")
        assert len(sound) == 18 * 16_000
        level, spoken = active(sound), truth["speech"] > 0
        assert np.median(level[spoken]) > np.median(level[~spoken]) + 15
        assert truth["mouth"][spoken].mean() > truth["mouth"][~spoken].mean() + 0.15
        theirs = read_truth(one.root / plan.truth_path(other), ("speech",))["speech"] > 0
        crosstalk = level[theirs & ~spoken & ~np.roll(spoken, 3) & ~np.roll(spoken, 8)]
        assert np.median(crosstalk) < np.median(level[spoken]) - 15


@needs_face_model
def test_a_group_shares_one_microphone_and_some_have_no_label(tmp_path):
    plan = plans_of(mpiigi={"val": 6})[-1]
    assert plan.session == "028"
    record(SessionRecording(plan, tmp_path, make_params(), FACE_MODEL))
    folder = tmp_path / plan.folder
    sounds = {(folder / f"subjectPos{i}.audio.wav").read_bytes() for i in range(1, 5)}
    assert len(sounds) == 1
    assert not (folder / "subjectPos1.engagement.annotation.csv").exists()
    assert (folder / "subjectPos2.engagement.annotation.csv").exists()
    table = pq.read_table(tmp_path / "truth/mpiigi/028/subjectPos1.parquet")
    assert {"t_s", "engagement", "mouth", "loudness", "smile"} <= set(table.column_names)


@needs_face_model
def test_a_complete_session_is_kept_and_a_damaged_one_made_again(tmp_path):
    (plan,) = plans_of(noxi={"train": 1})
    recording = SessionRecording(plan, tmp_path, make_params(), FACE_MODEL)
    assert record(recording)
    assert not record(recording)
    sound = tmp_path / plan.path("expert", "audio.wav")
    complete = sound.read_bytes()
    sound.write_bytes(complete[:1000])
    video = recording.video(plan.members[0])
    video.write_bytes(b"of the damaged session")
    assert record(recording)
    assert sound.read_bytes() == complete
    assert not video.exists()
    assert record(SessionRecording(plan, tmp_path, make_params(minutes=0.12), FACE_MODEL))


@needs_face_model
def test_manifest_names_files_below_its_folder(tmp_path):
    plans = plans_of(noxi={"train": 1}, mpiigi={"val": 6})
    write_manifest(plans, tmp_path / "manifest.csv", features_only=False)
    with (tmp_path / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0] == {
        "corpus": "noxi",
        "session": "001",
        "participant": "expert",
        "role": "expert",
        "split": "train",
        "language": plans[0].language,
        "person": "noxi-p004",
        "video": "noxi/train/001/expert.video.mp4",
        "audio": "noxi/train/001/expert.audio.wav",
        "label": "noxi/train/001/expert.engagement.annotation.csv",
        "streams": "",
    }
    assert next(row["label"] for row in rows if row["session"] == "028") == ""
    assert len(rows) == 2 + sum(len(plan.members) for plan in plans[1:])


@needs_face_model
@pytest.mark.slow
def test_a_flawed_video_starts_late_and_lacks_pictures_and_people(tmp_path):
    (plan,) = plans_of(noxi={"train": 1})
    params = make_params(minutes=0.2, resolution=[160, 120], flaws=1)
    recording = SessionRecording(plan, tmp_path, params, FACE_MODEL)
    assert record(recording)
    assert all([film((recording, member)) for member in plan.members])
    for member in plan.members:
        filming = filming_of("noxi", member.number, member.seed, 1)
        truth = read_truth(tmp_path / plan.truth_path(member.participant), ("present", "visible", "hand"))
        assert 1 < (~truth["present"]).sum() / 25 < 10
        assert not (truth["visible"] & ~truth["present"]).any()
        assert not (truth["visible"] & (truth["hand"] > 0.2)).any()
        with av.open(str(tmp_path / plan.path(member.participant, "video.mp4"))) as container:
            frames = [(float(f.pts * f.time_base), f.to_ndarray(format="gray")) for f in container.decode(video=0)]
        times = np.array([t for t, _ in frames])
        assert times[0] == pytest.approx(filming.start_s, abs=1e-3)
        assert np.diff(times).max() > 0.07
        assert 0.8 * 300 < len(times) < 0.99 * 300
        assert times[-1] < 12.0
        gone = ~truth["present"][np.rint(times * 25).astype(int)]
        empty = np.median([image for (_, image), out in zip(frames, gone, strict=True) if out], axis=0)
        changed = [(np.abs(image - empty) > 20).mean() for _, image in frames]
        assert np.max(np.array(changed)[gone]) < 0.01
        assert np.median(np.array(changed)[~gone]) > 0.1
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    assert not record(recording)
    assert not any([film((recording, member)) for member in plan.members])
    assert written == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}


@needs_face_model
@pytest.mark.slow
def test_same_bytes_with_another_number_of_jobs(tmp_path):
    plans = plans_of(noxi={"train": 1}, mpiigi={"test": 1})
    trees = []
    for jobs, kind in ((1, "serial"), (2, "processes")):
        root = tmp_path / str(jobs)
        recordings = [SessionRecording(plan, root, make_params(minutes=0.05, flaws=0.5), FACE_MODEL) for plan in plans]
        run_all(record, recordings, jobs, kind, "speech")
        run_all(film, [(r, member) for r in recordings for member in r.plan.members], jobs, kind, "video")
        trees.append({path.relative_to(root): path.read_bytes() for path in root.rglob("*.*") if path.is_file()})
    assert trees[0] == trees[1]
    assert sum(path.suffix == ".mp4" for path in trees[0]) == 5
