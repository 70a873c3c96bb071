import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from damamba.config import CorpusParams
from damamba.console import InputError
from damamba.corpus.defects import KINDS
from damamba.corpus.manifest import Manifest, Participant
from damamba.corpus.release import LABEL_FILE, SESSIONS
from damamba.ingest.run import ingest
from damamba.ingest.sources.official import OfficialSource, OfficialSourceParams
from tests.conftest import frozen_values, serially
from tests.corpus import release

ROOT = Path(__file__).parents[2]


def settings(root: Path, **changes) -> dict:
    own = frozen_values()["corpus"]["official"]
    return {**own, "root": str(root), **changes}


def listed(root: Path, **changes) -> list[Participant]:
    """Participants of a release, before its data are read."""
    params = OfficialSourceParams.model_validate(settings(root, **changes))
    return OfficialSource(params, label_slack_s=0.5).listing().participants


def run(root: Path, out: Path, protocol: dict | None = None, **changes) -> Manifest:
    corpus = frozen_values()["corpus"]
    corpus["sources"] = ["official"]
    corpus["official"] = settings(root, **changes)
    corpus["protocol"] |= protocol or {}
    ingest(CorpusParams.model_validate(corpus), out, serially)
    return Manifest.read(out / "manifest.jsonl")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A release of 2025 that no test changes."""
    return release.build(tmp_path_factory.mktemp("built") / "release")


@pytest.fixture
def root(built, tmp_path):
    """A copy that the test may spoil."""
    return Path(shutil.copytree(built, tmp_path / "release"))


@pytest.fixture(scope="module")
def ingested(built, tmp_path_factory):
    """Result of `ingest` for the whole release."""
    out = tmp_path_factory.mktemp("ingested") / "corpus"
    manifest = run(built, out)
    report = json.loads((out / "defects.json").read_text())
    return {p.name: p for p in manifest.participants}, report, out


def defects_of(report: dict, kind: str) -> dict[str, dict]:
    return {f"{d['where']} {d['stream']}".strip(): d for d in report["defects"] if d["kind"] == kind}


def labels(out: Path, name: str) -> np.ndarray:
    return np.array(pq.read_table(out / "labels" / f"{name}.parquet")["value"].to_numpy())


def test_splits_are_those_of_the_official_lists(ingested):
    people = ingested[0]
    splits = {(p.corpus, p.session): p.split for p in people.values()}
    assert len(splits) == 20
    for (corpus, session), split in splits.items():
        assert session in SESSIONS[corpus][split]
    assert {len(official_list) for official_list in SESSIONS["noxi"].values()} == {38, 10, 16}


def test_persons_languages_and_genders_are_known(ingested):
    people = ingested[0]
    expert = people["noxi/001/expert"]
    assert (expert.language, expert.gender, expert.age, expert.person) == ("en", "male", "3", "noxi-001-expert")
    assert people["noxi/001/novice"].gender == "female"
    assert {p.language for p in people.values() if p.corpus == "noxi_add"} == {"ar", "it"}
    assert len({(p.corpus, p.person) for p in people.values()}) == len(people)


def test_the_wrong_rate_of_w2vbert2_is_found_by_its_siblings(ingested):
    people, report, _ = ingested
    wrong = defects_of(report, "header_rate")
    assert "noxi/001/expert audio.w2vbert2_embeddings" in wrong
    assert "mpiigi/001/subjectPos1 audio.w2vbert2_embeddings" not in wrong  # whose header is right
    assert {stream.rate_hz for p in people.values() for stream in p.streams} == {25.0}
    assert people["noxi/023/expert"].duration_s == pytest.approx(77.0 / 25 + 0.04 * (23 % 3))


def test_lengths_off_by_a_few_rows_cut_nothing(ingested):
    people, report, out = ingested
    expert = people["noxi/001/expert"]
    n = release.n_frames("noxi", "001")
    assert expert.n_frames == n + 2  # clip is the longest
    assert "clip 208" in defects_of(report, "length")["noxi/001/expert"]["what"]
    values = labels(out, "noxi/001/expert")
    assert len(values) == n + 2
    assert np.isfinite(values[n])
    assert np.isnan(values[n + 1])


def test_invalid_label_tokens_are_counted_and_masked(ingested):
    _, report, out = ingested
    assert defects_of(report, "invalid_labels")["noxi/003/expert"]["count"] == 4
    values = labels(out, "noxi/003/expert")
    assert np.flatnonzero(np.isnan(values[:100])).tolist() == [3, 4, 9, 20]


def test_truncated_data_keep_their_declared_length(ingested):
    people, report, _ = ingested
    truncated = defects_of(report, "truncated")
    assert set(truncated) == {"noxi/002/novice audio.w2vbert2_embeddings"}
    stream = next(s for s in people["noxi/002/novice"].streams if s.name.startswith("audio.w2v"))
    assert stream.rows == release.n_frames("noxi", "002")
    assert truncated["noxi/002/novice audio.w2vbert2_embeddings"]["count"] == stream.rows - int(0.82 * stream.rows)


def test_values_that_stand_for_missing_are_counted(ingested):
    report = ingested[1]
    assert set(defects_of(report, "not_finite")) == {
        "noxi/013/expert audio.egemapsv2",
        "noxi/013/novice clip",
        "noxi/022/expert audio.w2vbert2_embeddings",
    }
    assert defects_of(report, "undetected")["noxi/013/novice openpose"]["count"] == 5
    assert defects_of(report, "undetected")["noxi/013/expert openface2"]["count"] == 5


def test_seats_absent_empty_and_unlabelled(ingested):
    people, report, _ = ingested
    assert set(defects_of(report, "empty_seat")) == {"mpiigi/026/subjectPos1", "mpiigi/001/subjectPos4"}
    assert "mpiigi/026/subjectPos1" not in people
    assert set(defects_of(report, "unlabelled")) == {"mpiigi/028/subjectPos1"}
    assert people["mpiigi/028/subjectPos1"].label == ""
    assert "engagement-annotations-val/028" in people["mpiigi/028/subjectPos2"].label
    assert set(defects_of(report, "absent_stream")) == {"noxi/006/expert openpose"}
    gone = next(s for s in people["noxi/006/expert"].streams if s.name == "openpose")
    assert (gone.path, gone.width, gone.rows) == ("", release.WIDTHS["openpose"], 0)


def test_splits_without_labels_scene_files_and_missing_sessions_are_reported(ingested):
    report = ingested[1]
    assert set(defects_of(report, "withheld_labels")) == {"noxi (test)", "noxi_add (test)", "mpiigi (test)"}
    assert {d["where"] for d in defects_of(report, "scene_view").values()} == {"mpiigi/002", "mpiigi/003"}
    assert defects_of(report, "missing_session")["noxi (train)"]["count"] == 38 - 7
    assert all(report["outcomes"][kind] == KINDS[kind] for kind in report["counts"])


def test_data_that_contradict_their_headers_are_reported(ingested):
    people, report, _ = ingested
    assert set(defects_of(report, "times")) == {"noxi/020/novice openpose"}
    assert set(defects_of(report, "surplus")) == {"noxi/009/expert clip"}
    assert set(defects_of(report, "other_length")) == {"noxi/011/novice openface2"}
    assert people["noxi/011/novice"].n_frames == release.n_frames("noxi", "011")
    assert {d["where"] for d in defects_of(report, "unlisted_session").values()} == {f"noxi/{release.UNLISTED}"}
    assert {d["where"] for d in defects_of(report, "unknown_language").values()} == {"noxi/022"}


def test_a_good_participant_beside_a_bad_one_is_untouched(ingested, built, tmp_path):
    shutil.copytree(built, tmp_path / "release")
    bad = tmp_path / "release/noxi/train/013/novice.clip.stream~"
    bad.write_bytes(bad.read_bytes()[:-100])
    people = {p.name: p for p in run(tmp_path / "release", tmp_path / "corpus").participants}

    def content(p):
        return [(s.name, s.sha256, s.rows, s.rate_hz) for s in p.streams], p.duration_s

    for name, p in ingested[0].items():
        assert (content(people[name]) == content(p)) == (name != "noxi/013/novice")


def test_the_layout_of_2024_with_its_names_is_read(tmp_path):
    root = release.build(tmp_path / "release", layout=2024)
    people = {p.name: p for p in run(root, tmp_path / "corpus", layout=2024).participants}
    assert len({(p.corpus, p.session) for p in people.values()}) == 20
    assert all(s.path.endswith(".video.clip.stream") for p in people.values() for s in p.streams if s.name == "clip")
    assert people["mpiigi/008/subjectPos1"].split == "val"
    assert people["mpiigi/001/subjectPos1"].split == "test"


def test_only_some_splits_and_streams(built, tmp_path):
    without = {"noxi": {"test": None}, "noxi_add": {"test": None}, "mpiigi": {"val": None, "test": None}}
    manifest = run(built, tmp_path / "corpus", features_at=without, streams=("clip",))
    assert {(p.corpus, p.split) for p in manifest.participants} == {("noxi", "train"), ("noxi", "val")}
    assert {s.name for p in manifest.participants for s in p.streams} == {"clip"}


def test_labels_and_features_at_other_places(root, tmp_path):
    (root / "noxi/val").rename(tmp_path / "elsewhere")
    apart = tmp_path / "labels"
    for path in sorted((tmp_path / "elsewhere").rglob(f"*.{LABEL_FILE}")):
        target = apart / path.relative_to(tmp_path / "elsewhere")
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    places = {"features_at": {"noxi": {"val": str(tmp_path / "elsewhere")}}}
    with pytest.raises(
        InputError, match=r"NoXi val has no labels; expected 007/expert\.engagement.*labels_at\.noxi\.val"
    ):
        listed(root, **places)
    people = listed(root, **places, labels_at={"noxi": {"val": str(apart)}})
    assert all(p.label.startswith(str(apart)) for p in people if (p.corpus, p.split) == ("noxi", "val"))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            lambda r: release.remove(r / "noxi/val"),
            r"noxi/val: no such folder; expected the sessions of NoXi val;.*null",
        ),
        (
            lambda r: (r / "noxi/train/001").rename(r / "noxi/val/001"),
            r"val/001: session 001 is of NoXi train, but this is the folder of NoXi val",
        ),
        (
            lambda r: (r / "noxi/train/001/expert.clip.stream").rename(r / "noxi/train/001/teacher.clip.stream"),
            r"teacher\.clip\.stream: NoXi has no role 'teacher'; expected expert, novice",
        ),
        (
            lambda r: (r / "noxi/train/001/expert.audio.gemaps.stream").write_text("x"),
            r"expert\.audio\.gemaps\.stream is of the release of 2023.*expected those of 2024 or later",
        ),
        (
            lambda r: (
                shutil.copy(r / "noxi/train/001/expert.clip.stream~", r / "noxi/train/001/expert.openpose.stream~")
                and shutil.copy(r / "noxi/train/001/expert.clip.stream", r / "noxi/train/001/expert.openpose.stream")
            ),
            r"expert\.openpose\.stream: 12 channels, but 9 in \d+ others",
        ),
        (
            lambda r: [path.unlink() for path in (r / "noxi/train/003").iterdir()],
            "train/003: no participant in it; expected streams",
        ),
        (
            lambda r: (r / "noxi/train/003/language.annotation.csv").write_text("German\n"),
            r"language\.annotation\.csv, line 1: 'German'; expected start;end;value",
        ),
        (
            lambda r: (
                shutil.copy(r / "noxi/train/003/novice.video.clip.stream", r / "noxi/train/003/novice.clip.stream")
                and shutil.copy(
                    r / "noxi/train/003/novice.video.clip.stream~", r / "noxi/train/003/novice.clip.stream~"
                )
            ),
            r"both novice\.clip\.stream and novice\.video\.clip\.stream",
        ),
    ],
)
def test_impossible_trees_are_refused(root, spoil, expected):
    spoil(root)
    with pytest.raises(InputError, match=expected):
        listed(root)


def test_a_tree_of_another_year_names_its_layout(tmp_path):
    root = release.build(tmp_path / "release", layout=2024)
    with pytest.raises(InputError, match=r"This is the tree of 2024: set corpus\.official\.layout to 2024"):
        listed(root)


def test_splits_that_a_corpus_lacks_are_refused(built):
    with pytest.raises(
        InputError, match=r"mpiigi\.train: MPIIGI has no such split, only val and test.*protocol\.adapt"
    ):
        listed(built, features_at={"mpiigi": {"train": "x"}})


def test_all_problems_of_a_release_are_reported_at_once(root):
    release.remove(root / "noxi/val")
    release.remove(root / "noxi/test-additional")
    with pytest.raises(InputError) as raised:
        listed(root)
    assert len(str(raised.value).splitlines()) == 2


def test_labels_a_minute_too_long_are_refused_and_nothing_is_written(root, tmp_path):
    path = root / "noxi/train/020/novice.engagement.annotation.csv"
    path.write_bytes(path.read_bytes() + b"0.5\n" * 1500)
    with pytest.raises(
        InputError, match=r"novice\.engagement.*: 1763 labels are 70\.52 s .*noxi/020/novice last 10\.5"
    ):
        run(root, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def test_a_stream_much_longer_than_the_others_does_not_set_the_length(root, tmp_path):
    from damamba.corpus.ssi import write_stream

    write_stream(root / "noxi/train/020/novice.openface2.stream", np.zeros((3000, 11), np.float32), 25.0)
    people = {p.name: p for p in run(root, tmp_path / "corpus").participants}
    assert people["noxi/020/novice"].duration_s < 12
    report = json.loads((tmp_path / "corpus/defects.json").read_text())
    assert "noxi/020/novice openface2" in defects_of(report, "other_length")


def test_persons_of_a_table_are_taken_and_may_not_be_in_two_splits(built, tmp_path):
    table = tmp_path / "persons.csv"
    table.write_text("corpus,session,participant,person\nnoxi,001,expert,anna\nnoxi,003,expert,anna\n")
    people = listed(built, persons=str(table))
    assert [p.name for p in people if p.person == "anna"] == ["noxi/001/expert", "noxi/003/expert"]
    table.write_text("corpus,session,participant,person\nnoxi,001,teacher,anna\n")
    with pytest.raises(
        InputError, match=r"persons\.csv, line 2: noxi/001/teacher: no such role; expected one of expert"
    ):
        listed(built, persons=str(table))
    table.write_text("corpus,session,participant,person\nnoxi,001,expert,anna\nnoxi,007,expert,anna\n")
    with pytest.raises(InputError, match="person anna of noxi is in the splits train and val"):
        run(built, tmp_path / "corpus", persons=str(table))


def test_no_release_at_all(tmp_path):
    with pytest.raises(InputError, match=r"no such folder; put or link .* or set corpus\.official\.root"):
        listed(tmp_path / "none")


def test_the_guide_has_the_outcome_of_every_kind_of_defect():
    guide = (ROOT / "docs/noxi.md").read_text()
    assert [kind for kind in KINDS if f"| `{kind}` |" not in guide] == []
