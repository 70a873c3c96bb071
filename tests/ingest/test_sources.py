"""Corpus sources: found by name, with settings of their own; old places of inputs."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from damamba.config import CorpusParams, Params, SimulateParams, parse_section
from damamba.console import InputError
from damamba.corpus.manifest import Manifest
from damamba.corpus.manifest_csv import COLUMNS
from damamba.executor import run_all
from damamba.ingest.run import ingest
from damamba.ingest.sources.base import open_sources
from damamba.ingest.sources.simulate import SimulateSource, SimulateSourceParams
from damamba.planning.workload import planned
from damamba_sim.corpora.sessions import plan_corpora
from tests.conftest import frozen_values, make_video, make_wav, serially, tone
from tests.corpus import release

ROOT = Path(__file__).parents[2]
SECONDS = 2


def corpus_of(**changes) -> CorpusParams:
    values = frozen_values()["corpus"]
    return parse_section(CorpusParams, {**values, **changes}, "params.yaml: corpus")


def simulate_of(**changes) -> SimulateParams:
    values = frozen_values()["simulate"]
    return SimulateParams.model_validate({**values, **changes})


PLANTED = '''
"""A source of one's own: a video each in a folder, labels that follow from the settings."""

from pathlib import Path

import numpy as np

from damamba.config import Section
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Participant
from damamba.ingest.sources.base import Source, SourceListing


class PlantedParams(Section):
    root: str
    engagement: float
    session: str = "s"


class Planted(Source[PlantedParams]):
    Params = PlantedParams

    def listing(self):
        names = sorted(path.stem for path in Path(self.params.root).glob("*.mp4"))
        return SourceListing(
            [
                Participant(
                    "planted", self.params.session, name, "guest", "train", "en", name,
                    f"{self.params.root}/{name}.mp4", f"{self.params.root}/{name}.wav", "constant",
                )
                for name in names
            ]
        )

    def labels(self, participant, end_s):
        n = round(end_s * 25)
        return Labels(np.full(n, self.params.engagement, np.float32), np.ones(n, bool))
'''


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A module in a folder on the import path, and two recordings; the section `corpus` that lists it."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "planted_sources").mkdir()
    (code / "planted_sources/mine.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(str(code))
    for name in [name for name in sys.modules if name.startswith("planted_sources")]:
        monkeypatch.delitem(sys.modules, name)
    root = tmp_path / "videos"
    root.mkdir()
    for name in "ab":
        make_video(root / f"{name}.mp4", np.arange(SECONDS * 25) / 25)
        make_wav(root / f"{name}.wav", tone(SECONDS))
    return {"sources": ["planted_sources.mine"], "mine": {"root": str(root), "engagement": 0.25}}


def test_a_source_of_ones_own_is_ingested(planted, tmp_path):
    ingest(corpus_of(**planted), tmp_path / "corpus", serially)
    manifest = Manifest.read(tmp_path / "corpus/manifest.jsonl")
    assert [(p.name, p.n_frames) for p in manifest.participants] == [("planted/s/a", 50), ("planted/s/b", 50)]
    values = pq.read_table(tmp_path / "corpus/labels/planted/s/a.parquet")["value"].to_numpy()
    np.testing.assert_array_equal(values, np.full(SECONDS * 25, 0.25, np.float32))


def test_a_source_of_ones_own_works_in_workers_and_beside_others(planted, tmp_path):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    make_video(recordings / "v.mp4", np.arange(SECONDS * 25) / 25)
    make_wav(recordings / "v.wav", tone(SECONDS))
    row = "s,v,host,train,en,v,v.mp4,v.wav,"
    (recordings / "manifest.csv").write_text("\n".join([",".join(COLUMNS), row]) + "\n")
    folder = {"root": str(recordings), "manifest": "manifest.csv", "merge": "mean", "lag_s": 0}
    corpus = corpus_of(**{**planted, "sources": ["folder", *planted["sources"]], "folder": folder})
    out = tmp_path / "corpus"
    ingest(corpus, out, lambda f, tasks: run_all(f, tasks, 2, "processes", "ingest"))
    names = [p.name for p in Manifest.read(out / "manifest.jsonl").participants]
    assert names == ["own/s/v", "planted/s/a", "planted/s/b"]


def test_a_source_of_ones_own_is_planned_by_headers(planted):
    values = frozen_values()
    values["corpus"] |= planted
    params = Params.model_validate(values)
    work = planned(params.corpus, params.simulate)
    assert [seat.seconds for seat in work.seats] == [pytest.approx(SECONDS, abs=0.05)] * 2
    assert all(seat.input_bytes and seat.filmed and seat.labelled and not seat.simulated for seat in work.seats)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mine": {"root": "x"}}, r"params\.yaml: corpus\.mine: engagement: Field required"),
        ({"mine": {"root": "x", "engagement": 1, "rot": 1}}, r"corpus\.mine: rot: .*known keys: root, engagement"),
        ({"mien": {}}, r"mien: no such key, and no source of this name; known keys: sources, .*official.*, mine"),
        ({"mine": 3}, "mine: expected the settings of a source, got 3"),
        ({"sources": ["planted_sources.mein"]}, "there is no module planted_sources.mein"),
        ({"sources": ["folders"]}, "'folders' is unknown; there are folder, official, simulate"),
        ({"sources": ["folder", "other.folder"]}, "every last part must differ"),
    ],
)
def test_sources_and_settings_that_do_not_exist_are_refused(planted, changes, expected):
    values = {key: value for key, value in {**planted, **changes}.items() if key != "mine" or "sources" not in changes}
    with pytest.raises(InputError, match=expected):
        open_sources(corpus_of(**values))


def test_names_that_no_corpus_may_have_are_refused_whatever_the_source(planted, tmp_path):
    planted["mine"]["session"] = "../s"
    with pytest.raises(InputError, match=r"corpus source planted_sources\.mine, planted/\.\./s/a: session is '\.\./s'"):
        ingest(corpus_of(**planted), tmp_path / "corpus", serially)
    assert not (tmp_path / "corpus").exists()


SESSIONS = [
    {"noxi": (10, 2, 4), "noxi_add": (0, 0, 3), "mpiigi": (0, 1, 3)},
    {"noxi": (60, 20, 30), "noxi_add": (0, 0, 20), "mpiigi": (0, 14, 19)},
    {"noxi": (0, 0, 0), "noxi_add": (0, 0, 0), "mpiigi": (0, 6, 0)},
]


@pytest.mark.parametrize("numbers", SESSIONS)
@pytest.mark.parametrize("features_only", [False, True])
def test_the_plan_counts_the_sessions_and_participants_that_the_simulator_makes(numbers, features_only):
    splits = ("train", "val", "test")
    sessions = {corpus: dict(zip(splits, counts, strict=True)) for corpus, counts in numbers.items()}
    params = simulate_of(sessions=sessions, features_only=features_only)
    plans = plan_corpora(params)
    seats = SimulateSource(SimulateSourceParams(), 0.5).planned(params)
    made = [(p.corpus, p.split, m.labelled) for p in plans for m in p.members]
    assert [(s.corpus, s.split, s.labelled) for s in seats] == made
    sizes = Counter((s.corpus, s.split, s.session) for s in seats)
    assert Counter((*key[:2], n) for key, n in sizes.items()) == Counter(
        (p.corpus, p.split, len(p.members)) for p in plans
    )
    assert {s.filmed for s in seats} == {not features_only}
    assert all(s.simulated and s.seconds == params.minutes * 60 for s in seats)


def test_a_plan_of_sessions_that_the_release_does_not_have_is_refused():
    sessions = {corpus: {"train": 1, "val": 0, "test": 0} for corpus in ("noxi", "noxi_add", "mpiigi")}
    with pytest.raises(InputError, match=r"simulate\.sessions\.noxi_add\.train: 1, but the release has only test"):
        SimulateSource(SimulateSourceParams(), 0.5).planned(simulate_of(sessions=sessions))


def test_a_built_in_corpus_that_is_not_made_yet_is_refused_with_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"data/raw/manifest\.csv: missing; make it: dvc repro simulate"):
        ingest(corpus_of(sources=["simulate"]), tmp_path / "corpus", serially)


@pytest.mark.parametrize(("source", "remedy"), [("folder", "put your recordings"), ("official", "put or link")])
def test_a_listed_source_without_its_folder_is_refused_with_a_remedy(tmp_path, monkeypatch, source, remedy):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"data/re\w+: no such folder; {remedy}.*corpus\.{source}\.root"):
        ingest(corpus_of(sources=[source]), tmp_path / "corpus", serially)


@pytest.mark.parametrize("new_place", ["absent", "empty"])
def test_recordings_and_release_are_read_from_their_old_places_with_a_note(tmp_path, monkeypatch, caplog, new_place):
    monkeypatch.chdir(tmp_path)
    if new_place == "empty":
        for name in ("recordings", "release"):
            (tmp_path / "data" / name).mkdir(parents=True)
            (tmp_path / "data" / name / ".gitkeep").touch()
    (tmp_path / "recordings").mkdir()
    make_video(tmp_path / "recordings/v.mp4", np.arange(SECONDS * 25) / 25)
    make_wav(tmp_path / "recordings/v.wav", tone(SECONDS))
    (tmp_path / "recordings/manifest.csv").write_text(",".join(COLUMNS) + "\ns,v,host,train,en,v,v.mp4,v.wav,\n")
    session = tmp_path / "release/noxi/train/001"
    release.build_session("noxi", "001", session, session)
    without = {"noxi": {"val": None, "test": None}, "noxi_add": {"test": None}, "mpiigi": {"val": None, "test": None}}
    official = corpus_of().settings("official") | {"features_at": without}
    ingest(corpus_of(sources=["folder", "official"], official=official), tmp_path / "corpus", serially)
    names = [p.name for p in Manifest.read(tmp_path / "corpus/manifest.jsonl").participants]
    assert names == ["noxi/001/expert", "noxi/001/novice", "own/s/v"]
    assert "recordings: read from this old place; move its content to data/recordings" in caplog.text
    assert "release: read from this old place; move its content to data/release" in caplog.text


def test_a_folder_of_ones_own_choice_is_never_replaced_by_the_old_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings/manifest.csv").write_text(",".join(COLUMNS) + "\n")
    elsewhere = corpus_of().settings("folder") | {"root": "elsewhere"}
    with pytest.raises(InputError, match=r"^elsewhere: no such folder"):
        ingest(corpus_of(sources=["folder"], folder=elsewhere), tmp_path / "corpus", serially)
