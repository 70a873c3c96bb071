"""The release of 2026, from files to manifest and labels."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from damamba.config import CorpusParams, LabelParams, LabelsParams
from damamba.console import InputError
from damamba.corpus.agreement import read_label
from damamba.corpus.manifest import Manifest
from damamba.corpus.release import CLASSES
from damamba.corpus.ssi import write_stream
from damamba.ingest.run import ingest
from tests.conftest import FROZEN_PARAMS, serially
from tests.corpus import release, release_2026

TASK = LabelParams(kind="categorical", classes=CLASSES["task_engagement"])
SOCIAL = LabelParams(kind="categorical", classes=CLASSES["social_engagement"])
CCC_STREAMS = tuple(release_2026.WIDTHS)
PINSORO_STREAMS = (*release_2026.PINSORO_STREAMS, *release_2026.CONTEXT)


def run(root: Path, out: Path, streams=CCC_STREAMS, labels: LabelParams | None = None, **changes) -> Manifest:
    corpus = yaml.safe_load(FROZEN_PARAMS.read_text())["corpus"]
    corpus["sources"] = ["official"]
    corpus["official"] |= {"root": str(root), "layout": 2026, "streams": list(streams), **changes}
    ingest(CorpusParams.model_validate(corpus), out, serially, labels or LabelParams())
    return Manifest.read(out / "manifest.jsonl")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return release_2026.build(tmp_path_factory.mktemp("built") / "release")


@pytest.fixture
def fresh(tmp_path):
    """A release that the test may spoil."""
    return release_2026.build(tmp_path / "release")


@pytest.fixture(scope="module")
def engaged(built, tmp_path_factory):
    out = tmp_path_factory.mktemp("engaged") / "corpus"
    people = {p.name: p for p in run(built, out).participants}
    return people, json.loads((out / "defects.json").read_text()), out


@pytest.fixture(scope="module")
def played(built, tmp_path_factory):
    out = tmp_path_factory.mktemp("played") / "corpus"
    people = {p.name: p for p in run(built, out, PINSORO_STREAMS, TASK, annotation="task_engagement").participants}
    return people, json.loads((out / "defects.json").read_text()), out


def kinds(report, kind):
    return {f"{d['where']} {d['stream']}".strip() for d in report["defects"] if d["kind"] == kind}


def test_the_annotation_chooses_the_corpora(engaged, played):
    assert {p.corpus for p in engaged[0].values()} == {"noxi", "noxi_add", "mpiigi", "noxi_j"}
    assert {p.corpus for p in played[0].values()} == {"pinsoro_cc", "pinsoro_cr"}
    splits = {(p.corpus, p.session): p.split for p in (*engaged[0].values(), *played[0].values())}
    assert splits == {(corpus, s): split for (corpus, split), all_ in release_2026.SESSIONS.items() for s in all_}
    assert {p.language for p in engaged[0].values() if p.corpus == "noxi_j"} == {"ja", "zh"}


def test_text_of_two_rates_is_read_at_its_headers(engaged):
    people, report, _ = engaged
    rates = {p.name: p.stream("audio.xlm_roberta_embeddings").rate_hz for p in people.values()}
    assert rates["noxi/001/expert"] == pytest.approx(25 / 12)
    assert rates["noxi/002/expert"] == 25
    assert people["noxi/001/expert"].n_frames == release.n_frames("noxi", "001") + 2  # of clip, not of the text
    assert not {name for name in kinds(report, "header_rate") if "xlm" in name}
    assert "noxi_j/085/expert audio.w2vbert2_embeddings" in kinds(report, "header_rate")


def test_a_stream_of_another_width_is_masked_in_its_corpus_and_used_where_it_is_alone(engaged, built, tmp_path):
    people, report, _ = engaged
    dino = people["mpiigi/028/subjectPos2"].stream("dino")
    assert (dino.path, dino.width, dino.rows) == ("", 3, 0)
    assert "mpiigi/028/subjectPos2 dino" in kinds(report, "other_width")
    assert people["noxi/001/expert"].stream("dino").path
    alone = {"noxi": None, "noxi_add": None, "noxi_j": None}
    (seat, *_) = run(built, tmp_path / "corpus", ("dino", "clip"), features_at=alone).participants
    assert (seat.corpus, seat.stream("dino").width, bool(seat.stream("dino").path)) == ("mpiigi", 9, True)


def test_streams_of_30_hz_keep_their_rate_beside_labels_of_25(played):
    people, report, out = played
    purple = people["pinsoro_cc/1/purple"]
    assert {s.rate_hz for s in purple.streams} == {30.0}
    n = release.n_frames("pinsoro_cc", "1")
    assert (purple.n_frames, purple.duration_s) == (n, pytest.approx(n / 25, abs=0.04))
    assert not kinds(report, "header_rate")
    assert not kinds(report, "other_length")
    table = pq.read_table(out / "labels/pinsoro_cc/1/purple.parquet")
    expected = [TASK.classes.index(c) for c in release_2026.classes("pinsoro_cc", "1", "purple", "task_engagement")]
    value = table["value"].to_numpy()
    assert np.flatnonzero(np.isnan(value)).tolist() == [3, 4]
    np.testing.assert_array_equal(np.delete(value, [3, 4]), np.delete(expected, [3, 4]))


def test_everybody_has_the_streams_of_the_scene_and_a_robot_is_nobody(played):
    people, report, _ = played
    assert {p.stream("env.videomae").path for p in people.values() if p.session == "1"} == {
        people["pinsoro_cc/1/yellow"].stream("env.videomae").path
    }
    assert "pinsoro_cr/51/yellow" not in people
    assert "pinsoro_cr/51/yellow" in kinds(report, "empty_seat")
    assert "pinsoro_cc/1/purple videomae" in kinds(report, "surplus")
    assert "pinsoro_cc/2/purple openface2" in kinds(report, "not_finite")


def test_public_annotations_stand_in_and_coders_who_differ_make_no_label(played, built):
    out = played[2]
    value = pq.read_table(out / "labels/pinsoro_cc/3/yellow.parquet")["value"].to_numpy()
    names = release_2026.classes("pinsoro_cc", "3", "yellow", "task_engagement")
    expected = np.array([TASK.classes.index(name) for name in names], float)
    late = np.concatenate([np.full(5, expected[0]), expected[:-5]])
    both = expected == late
    assert not both.all()
    assert np.isnan(value[~both]).all()
    np.testing.assert_array_equal(value[both], expected[both])
    label = played[0]["pinsoro_cc/3/yellow"].label
    assert label.count(".yaml#yellow") == 2
    agreement = json.loads((out / "agreement.json").read_text())["pinsoro_cc"]
    of_roles = [release_2026.classes("pinsoro_cc", "3", role, "task_engagement") for role in ("purple", "yellow")]
    first = [name for names in of_roles for name in names]
    second = [name for names in of_roles for name in (*[names[0]] * 5, *names[:-5])]
    assert agreement["kappa"] == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)
    assert agreement["frames"] == len(first)
    social = read_label(label, None, 0.5, labels=SOCIAL).labels
    names = release_2026.classes("pinsoro_cc", "3", "yellow", "social_engagement")
    agreed = social.valid.nonzero()[0]
    assert [SOCIAL.classes[int(social.value[i])] for i in agreed] == [names[i] for i in agreed]


def test_times_since_1970_need_the_beginning_of_the_recording(tmp_path):
    path = tmp_path / "freeplay.annotations.ada.yaml"
    release_2026.write_coder(path, "pinsoro_cc", "3", ("purple",), 0)
    plain = read_label(f"{path}#purple", None, 0.5, labels=TASK).labels
    release_2026.write_coder(path, "pinsoro_cc", "3", ("purple",), 0, began_s=1496908905.5)
    with pytest.raises(
        InputError, match=r"ada\.yaml: its times count from 1970, and .*freeplay\.bag\.yaml has no number"
    ):
        read_label(f"{path}#purple", None, 0.5, labels=TASK)
    (tmp_path / "experiment.yaml").write_text("timestamp: 1496908900500000000\n")  # of another clock
    (tmp_path / "freeplay.bag.yaml").write_text("duration: 60.0\nstart: 1496908905.5\n")
    np.testing.assert_array_equal(read_label(f"{path}#purple", None, 0.5, labels=TASK).labels.value, plain.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("purple:\n- playing: [0, 1]\n", r"purple, entry 1: 'playing' is not in labels\.classes \(goaloriented"),
        ("purple:\n- aimless: [0]\n", r"purple, entry 1: .*expected \{role: \[\{class: \[start, end\]\}"),
        ("purple:\n- aimless: [0, 2]\n- noplay: [1, 3]\n", r"entry 2: begins at 1 s, before the one in front"),
        ("green:\n- aimless: [0, 1]\n", r"no 'purple' in it; there are 'green'"),
        ("purple: &a\n- aimless: [0, 1]\nyellow: *a\n", r"not plain YAML in UTF-8 \(an alias\)"),
        ("[1, 2]\n", r"not a mapping"),
    ],
)
def test_public_annotations_of_another_form_are_refused(tmp_path, text, message):
    path = tmp_path / "freeplay.annotations.ada.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_label(f"{path}#purple", None, 0.5, labels=TASK)


WORDS = [
    "purple",
    ":",
    "aimless",
    "-",
    "[",
    "]",
    "{",
    "}",
    ",",
    "0",
    "1.5",
    ".nan",
    ".inf",
    "&",
    "*",
    "!",
    "|",
    ">",
    "?",
    "9e999",
    "yellow",
    "'",
    '"',
]


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*WORDS, "\n"])))
def test_any_text_is_read_or_refused_in_a_line(tmp_path, words):
    path = tmp_path / "freeplay.annotations.ada.yaml"
    path.write_text("purple:\n- " + " ".join(words))
    refused = ""
    try:
        labels = read_label(f"{path}#purple", 10.0, 0.5, labels=TASK).labels
        assert np.isin(labels.value[labels.valid], range(4)).all()
    except InputError as error:
        refused = str(error)
    assert len(refused.splitlines()) <= 1


def test_classes_need_labels_of_their_kind(built, tmp_path):
    with pytest.raises(InputError, match=r"annotation: task_engagement has classes, but labels\.kind is continuous"):
        run(built, tmp_path / "corpus", PINSORO_STREAMS, annotation="task_engagement")
    with pytest.raises(InputError, match=r"no corpus of the layout 2025 has the annotation task_engagement"):
        run(built, tmp_path / "corpus", PINSORO_STREAMS, TASK, annotation="task_engagement", layout=2025)


def test_a_class_that_is_unknown_is_named_with_its_line(fresh, tmp_path):
    path = fresh / "pinsoro/train-cc/1/purple.task_engagement.annotation.csv"
    path.write_text(path.read_text().replace("aimless", "playing", 1))
    with pytest.raises(InputError, match=r"purple\.task_engagement\.annotation\.csv, line \d+: 'playing' is not in"):
        run(fresh, tmp_path / "corpus", PINSORO_STREAMS, TASK, annotation="task_engagement")


def test_streams_of_which_none_fits_the_others_are_refused(fresh, tmp_path):
    folder = fresh / "pinsoro/train-cr/51"
    for k, name in enumerate(("audio.egemapsv2", "openpose")):
        width = release_2026.PINSORO_STREAMS[name]
        write_stream(folder / f"purple.{name}.stream", np.zeros((300 + 200 * k, width), np.float32), 30.0)
    changes = {"annotation": "task_engagement", "features_at": {"pinsoro_cc": None}}
    with pytest.raises(
        InputError, match=r"pinsoro_cr/51/purple: its streams differ in length.*10\.00 s, openpose 16\.67"
    ):
        run(fresh, tmp_path / "corpus", ("audio.egemapsv2", "openpose"), TASK, **changes)


def test_more_sessions_than_the_challenge_has_are_refused(fresh, tmp_path):
    for number in range(200, 240):
        (fresh / f"noxi-j/train/{number}").mkdir()
    with pytest.raises(InputError, match=r"noxi-j/train: 42 folders, but NoXi-J train has 31 sessions"):
        run(fresh, tmp_path / "corpus")
    (fresh / "noxi-j/val/001").mkdir()
    with pytest.raises(InputError, match=r"session 001 is of NoXi train, but this is the folder of NoXi-J val"):
        run(fresh, tmp_path / "corpus")


def test_a_tree_of_an_earlier_year_is_recognised(tmp_path):
    root = release.build(tmp_path / "release", layout=2024)
    with pytest.raises(InputError, match=r"This is the tree of 2024: set corpus\.official\.layout to 2024"):
        run(root, tmp_path / "corpus", tuple(release.WIDTHS))


def test_two_annotations_are_two_labels_of_the_same_children(built, played, tmp_path):
    both = LabelsParams(kind="categorical", classes=TASK.classes, also={"social_engagement": SOCIAL})
    people = {p.name: p for p in run(built, tmp_path, PINSORO_STREAMS, both, annotation="task_engagement").participants}
    assert {name: p.label for name, p in people.items()} == {name: p.label for name, p in played[0].items()}
    for file in (played[2] / "labels").rglob("*.parquet"):
        assert file.read_bytes() == (tmp_path / file.relative_to(played[2])).read_bytes()
    value = pq.read_table(tmp_path / "also/social_engagement/pinsoro_cc/1/purple.parquet")["value"].to_numpy()
    expected = [SOCIAL.classes.index(c) for c in release_2026.classes("pinsoro_cc", "1", "purple", "social_engagement")]
    known = np.isfinite(value)
    assert known.sum() > len(expected) / 2
    np.testing.assert_array_equal(value[known], np.array(expected)[: len(value)][known])
    assert people["pinsoro_cc/3/yellow"].also["social_engagement"].count(".yaml#yellow") == 2
    kappas = [json.loads(p.read_text())["pinsoro_cc"]["kappa"] for p in sorted(tmp_path.rglob("agreement.json"))]
    assert len(set(kappas)) == 2
    with pytest.raises(InputError, match=r"labels\.also\.task_engagement: it is corpus\.official\.annotation"):
        run(
            built,
            tmp_path,
            labels=both.model_copy(update={"also": {"task_engagement": TASK}}),
            annotation="task_engagement",
        )
    with pytest.raises(InputError, match=r"labels\.also\.social_engagement: it has classes, but labels\.also\.social"):
        run(
            built,
            tmp_path,
            labels=both.model_copy(update={"also": {"social_engagement": LabelParams()}}),
            annotation="task_engagement",
        )
    with pytest.raises(
        InputError, match=r"labels\.also\.mood: no participant has this label; name its files in a column"
    ):
        run(built, tmp_path, labels=LabelsParams(also={"mood": LabelParams()}))
