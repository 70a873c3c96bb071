"""`damamba submit` on a data folder as the stages leave it."""

import zipfile
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from damamba.commands.submit import run
from damamba.console import InputError
from damamba.corpus.manifest import Manifest, Participant
from damamba.corpus.release import CLASSES
from damamba.model import build_model
from damamba.model.heads import Classes, Several
from damamba.scoring.predictions import label_path, write_prediction
from tests.conftest import frozen_params
from tests.report.conftest import make_aligned

ROOT = Path(__file__).parents[2]
RUN = "da_mamba-0"


def person(corpus, session, role, seconds, label="", split="test"):
    return Participant(
        corpus,
        session,
        role,
        role,
        split,
        "en",
        f"{corpus}{session}{role}",
        "v.mp4",
        "v.mp4",
        label,
        duration_s=seconds,
    )


@pytest.fixture
def data(tmp_path):
    """Three test participants with predictions as long as the longest of their session, one of them with a label."""
    label = tmp_path / "expert.csv"
    label.write_text("0.5\n" * 98 + "\nnan\n")
    people = [
        person("noxi", "002", "expert", 4.0, str(label)),
        person("noxi", "002", "novice", 4.08),
        person("mpiigi", "001", "subjectPos2", 3.0),
        person("noxi", "001", "expert", 9.0, split="train"),
        person("own", "s1", "anna", 9.0),
    ]
    root = tmp_path / "data"
    Manifest(tuple(sorted(people, key=lambda p: p.key))).write(root / "corpus/manifest.jsonl")
    for k, p in enumerate(people[:3]):
        pred = np.random.default_rng(k).random(102 if p.corpus == "noxi" else 75).astype(np.float32)
        write_prediction(p.shard(root / "predictions" / RUN), pred, pred, np.ones(len(pred), bool))
    return root


def submit(data, edition=2026, out="out.zip", add=()):
    run(Namespace(name=RUN, out=data.parent / out, edition=edition, data=data, add=list(add)))
    return zipfile.ZipFile(data.parent / out)


def test_names_decimals_and_lengths_are_the_challenges(data, capsys):
    with submit(data) as archive:
        assert sorted(archive.namelist()) == [
            "mpiigroupinteraction/001/subjectPos2.engagement.prediction.csv",
            "noxi-base/002/expert.engagement.prediction.csv",
            "noxi-base/002/novice.engagement.prediction.csv",
        ]
        lines = archive.read("noxi-base/002/expert.engagement.prediction.csv").decode().splitlines()
        assert len(lines) == 100  # as the label, not as the longest of the session
        assert len(archive.read("noxi-base/002/novice.engagement.prediction.csv").splitlines()) == 102
        assert all(len(line) == 8 and line[1] == "." for line in lines)
        pred = np.random.default_rng(0).random(102).astype(np.float32)
        assert np.abs(np.array(lines, float) - pred[:100]).max() <= 5e-7
    printed = capsys.readouterr().out
    assert "1 sessions, the challenge's test split has 16" in printed
    assert "noxi-additional: no session" in printed


def test_the_2024_edition_has_its_own_names(data):
    with submit(data, 2024) as archive:
        assert "noxi-base/002/expert.engagement.annotation.csv" in archive.namelist()


def test_the_same_predictions_give_the_same_bytes(data):
    submit(data, out="a.zip").close()
    submit(data, out="b.zip").close()
    assert (data.parent / "a.zip").read_bytes() == (data.parent / "b.zip").read_bytes()


def test_a_submission_is_scored_as_its_run(data):
    from damamba.scoring.pairing import pair
    from damamba.scoring.truth import LabelledSeries
    from damamba.scoring.unpacking import opened

    submit(data).close()
    truth = [LabelledSeries("noxi", "002", "novice", "test", "novice", "en", "", np.random.default_rng(1).random(102))]
    with opened(data.parent / "out.zip") as folder:
        (one,), _ = pair(folder, truth)
    assert np.abs(one.pred - truth[0].value).max() < 1e-6


def test_a_label_that_outlasts_the_media_gets_the_last_prediction(data, capsys):
    (data.parent / "expert.csv").write_text("0.5\n" * 105)
    with submit(data) as archive:
        lines = archive.read("noxi-base/002/expert.engagement.prediction.csv").decode().splitlines()
    assert len(lines) == 105
    assert len(set(lines[101:])) == 1
    assert "noxi/002/expert (3)" in capsys.readouterr().out


def test_predictions_that_are_no_engagement_are_refused_and_nothing_is_written(data):
    pred = np.full(75, np.nan, np.float32)
    write_prediction(data / "predictions" / RUN / "mpiigi/001/subjectPos2.parquet", pred, pred, np.ones(75, bool))
    with pytest.raises(InputError, match=r"mpiigi/001/subjectPos2: 75 of 75 predictions"):
        submit(data)
    assert not (data.parent / "out.zip").exists()


def test_a_participant_without_prediction_needs_the_model(data):
    (data / "predictions" / RUN / "mpiigi/001/subjectPos2.parquet").unlink()
    with pytest.raises(InputError, match=r"models/da_mamba-0/model\.json: not found"):
        submit(data)


@pytest.fixture
def playing(tmp_path):
    """A run on the task engagement of PInSoRo, in another folder: one child with a label and one without."""
    task = CLASSES["task_engagement"]
    (tmp_path / "purple.task_engagement.annotation.csv").write_text("aimless\n" * 48 + "\nnan\n")
    label = str(tmp_path / "purple.task_engagement.annotation.csv")
    people = [person("pinsoro_cc", "5", "purple", 2.0, label), person("pinsoro_cr", "7", "purple", 2.0)]
    root = tmp_path / "playing/data"
    root.parent.mkdir()
    Manifest(tuple(people)).write(root / "corpus/manifest.jsonl")
    for k, p in enumerate(people):
        pred = np.random.default_rng(k).dirichlet(np.ones(4), 52).astype(np.float32)
        write_prediction(p.shard(root / "predictions" / RUN), pred, np.zeros(52), np.ones(52, bool), task)
    return root


def test_classes_are_submitted_by_their_names_and_join_the_other_labels(data, playing, capsys):
    with submit(playing, out="task.zip") as archive:
        text = archive.read("pinsoro-cc/5/purple.task_engagement.engagement.prediction.csv").decode()
        expected = np.random.default_rng(0).dirichlet(np.ones(4), 52).astype(np.float32).argmax(1)[:50]
        assert text.split() == [CLASSES["task_engagement"][k] for k in expected]
    with submit(data, add=[playing.parent / "task.zip"]) as archive:
        assert len(archive.namelist()) == 5
        assert archive.read("pinsoro-cc/5/purple.task_engagement.engagement.prediction.csv").decode() == text
    printed = capsys.readouterr().out
    assert "pinsoro-cc task_engagement: 1 sessions, the challenge's test split has 6" in printed
    assert "pinsoro-cr social_engagement: no session" in printed
    assert "noxi-j: no session" in printed
    with pytest.raises(InputError, match=r"task\.zip: pinsoro-cc/5/.* is in the submission already"):
        submit(playing, add=[playing.parent / "task.zip"])


def test_a_run_on_both_annotations_submits_both(playing, tmp_path):
    social = CLASSES["social_engagement"]
    task, other = (Classes.alike("categorical", names) for names in (CLASSES["task_engagement"], social))
    start = Several(task, {"social_engagement": other})
    params = frozen_params()
    groups = {"visual": {"clip": 2}}
    model = build_model(groups, params.variant("mlp"), params.window.rate_hz, label_mean=start)
    model.save(playing / "models" / RUN, window=params.window.model_dump())
    path = playing / "corpus/manifest.jsonl"
    (tmp_path / "purple.social_engagement.annotation.csv").write_text("solitary\n" * 45)
    also = {"social_engagement": str(tmp_path / "purple.social_engagement.annotation.csv")}
    first, second = Manifest.read(path).participants
    Manifest((replace(first, also=also), second)).write(path)
    for k, p in enumerate((first, second)):
        pred = np.random.default_rng(k + 9).dirichlet(np.ones(5), 52).astype(np.float32)
        folder = label_path(playing / "predictions" / RUN, "social_engagement")
        write_prediction(p.shard(folder), pred, np.zeros(52), np.ones(52, bool), social)
    with submit(playing, out="both.zip") as archive:
        assert len(archive.namelist()) == 4
        text = archive.read("pinsoro-cc/5/purple.social_engagement.engagement.prediction.csv").decode().split()
        assert len(text) == 45  # as its own label, not as that of the first
        assert set(text) <= set(social)
        assert len(archive.read("pinsoro-cc/5/purple.task_engagement.engagement.prediction.csv").split()) == 50


def test_classes_in_a_corpus_of_numbers_are_refused(data):
    pred = np.full((75, 4), 0.25, np.float32)
    path = data / "predictions" / RUN / "mpiigi/001/subjectPos2.parquet"
    write_prediction(path, pred, np.zeros(75), np.ones(75, bool), CLASSES["task_engagement"])
    with pytest.raises(InputError, match=r"subjectPos2: the model predicts goaloriented, .* scores engagement"):
        submit(data)


def test_a_name_that_is_no_zip_is_refused(data):
    with pytest.raises(InputError, match=r"ends in \.zip"):
        submit(data, out="folder")


def test_a_corpus_of_ones_own_is_no_submission(data):
    Manifest((person("own", "s1", "anna", 9.0),)).write(data / "corpus/manifest.jsonl")
    with pytest.raises(InputError, match=r"the test split of .* is empty; there are own \(test\)"):
        submit(data)


def test_a_participant_without_labels_is_predicted_now(tmp_path, capsys):
    root = tmp_path / "data"
    aligned = make_aligned(root / "aligned", n_labels=60)
    params = frozen_params()
    build_model(aligned.groups(), params.variant("da_mamba"), params.window.rate_hz).save(
        root / "models" / RUN, window=params.window.model_dump()
    )
    people = [
        person(session.corpus, session.session, seat.participant, 60 / 25)
        for session in aligned.split("test")[:1]
        for seat in session.seats
    ]
    Manifest(tuple(people)).write(root / "corpus/manifest.jsonl")
    with submit(root) as archive:
        assert len(archive.namelist()) == len(people)
        values = [float(line) for line in archive.read(archive.namelist()[0]).decode().splitlines()]
    assert len(values) == 60
    assert all(0 < value < 1 for value in values)
    assert f"{len(people)} participants without labels were predicted now" in capsys.readouterr().out
