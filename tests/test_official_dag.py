"""A whole synthetic release through the whole pipeline: presets of the challenge, from streams to table and submission.

The corpora of engagement run through every stage; PInSoRo, whose labels are classes, as far as its submission.
"""

import csv
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from sklearn.metrics import cohen_kappa_score

from damamba.corpus.defects import KINDS
from damamba.corpus.manifest import Manifest
from damamba.corpus.release import CLASSES
from damamba.data.shards import Aligned
from damamba.presets.apply import merged
from tests.corpus import release, release_2026
from tests.dag import ROOT, call, copy_repository, damamba, repro, set_param, times

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A repository in which the pipeline has run on a release, with the smallest training and benchmark."""
    folder = tmp_path_factory.mktemp("official") / "repo"
    copy_repository(folder)
    release.build(folder / "data/release", 2026, widths=release_2026.WIDTHS)
    release_2026.build(folder / "data/release", corpora=("noxi_j",))
    damamba(folder, "preset", "multimediate-2026", "smoke")
    set_param(folder, "balance_corpora: 0.0", "balance_corpora: 1.0")  # smoke has sizes of its own
    set_param(folder, "executor: processes", "executor: serial")  # there is less to do than workers take to start
    set_param(folder, "frames: [32, 64]", "frames: [32]")
    set_param(folder, "long_frames: [128]", "long_frames: []")
    repro(folder)
    return folder


def test_the_table_says_split_and_protocol_and_nothing_is_simulated(finished):
    table = (finished / "results/ccc.md").read_text()
    assert "validation split" in table
    assert "Splits: as given" in table
    assert "SIMULATED" not in table
    scores = json.loads((finished / "results/scores/da_mamba-0.json").read_text())
    assert (scores["split"], scores["protocol"]) == ("val", "as given")
    assert set(scores["frames"]) == {"noxi", "mpiigi", "noxi_j"}
    index = json.loads((finished / "data/aligned/index.json").read_text())
    assert index["rate_hz"] == 25
    assert index["protocol"] == "as given"
    assert {name: cue["width"] for name, cue in index["cues"].items()} == {
        "egemaps": 8,
        "w2vbert2": 16,
        "clip": 12,
        "openface": 8,
        "openpose": 9,
        "xlmr": 4,
        "openface3": 4,
        "dino": 3,
        "swin": 4,
        "videomae": 5,
    }


def test_every_defect_is_counted_and_ends_as_documented(finished):
    report = json.loads((finished / "data/corpus/defects.json").read_text())
    never = {"media_length", "media", "no_sound", "stream_end"}  # there are neither media nor streams of one's own
    assert set(report["counts"]) == set(KINDS) - never
    aligned = Aligned.read(finished / "data/aligned")
    sessions = {session.name: session for session in aligned.sessions}
    assert len(sessions) == 24

    def length(session):
        return release.n_frames(*session.split("/"))

    def invalid(seat, cue):
        session, _, role = seat.rpartition("/")
        valid = aligned.shard(sessions[session], role).read(cue, 0, length(session))[1]
        return np.flatnonzero(~valid).tolist()

    broken = list(range(10, 15))
    assert invalid("noxi/013/expert", "egemaps") == broken
    assert invalid("noxi/013/expert", "openface") == []  # where -1 may be a value
    assert invalid("noxi/013/expert", "clip") == []
    assert invalid("noxi/013/novice", "clip") == broken
    assert invalid("noxi/013/novice", "openpose") == broken
    assert invalid("noxi/022/expert", "w2vbert2") == broken
    n = length("noxi/002")
    assert invalid("noxi/002/novice", "w2vbert2") == list(range(int(0.82 * n), n))
    assert len(invalid("noxi/006/expert", "openpose")) == length("noxi/006")
    assert sessions["noxi/001"].n_labels == length("noxi/001") + 2  # the longest counts
    assert sessions["noxi/011"].n_labels < length("noxi/011") + 3  # unless it is far longer than the others
    assert invalid("noxi/011/novice", "openface") == []
    for whole, cue in (("020/novice", "openpose"), ("021/novice", "openpose"), ("009/expert", "clip")):
        assert invalid(f"noxi/{whole}", cue) == []  # backwards, as text, more than declared: every row is there
    seats = {seat.participant: seat.labelled for seat in sessions["mpiigi/028"].seats}
    assert seats == {"subjectPos1": False, "subjectPos2": True, "subjectPos3": True, "subjectPos4": True}
    assert len(sessions["mpiigi/026"].seats) == 3
    assert len(invalid("mpiigi/028/subjectPos2", "dino")) == length("mpiigi/028")  # of another width
    assert invalid("noxi/001/novice", "xlmr") == []  # at 2 Hz
    assert invalid("noxi_j/086/novice", "xlmr") == []  # at 25 Hz


def test_the_tree_of_the_other_generation_is_the_same_corpus(finished, tmp_path):
    release.build(tmp_path / "data/release", layout=2024, widths=release_2026.WIDTHS)
    text = (finished / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("layout: 2026", "layout: 2024"))
    call(tmp_path, sys.executable, str(finished / "stages/ingest.py"))

    def content(folder):
        rows = Manifest.read(folder / "data/corpus/manifest.jsonl").participants
        streams = {p.name: tuple(replace(stream, path="") for stream in p.streams) for p in rows}
        return [replace(p, label="", streams=streams[p.name]) for p in rows if p.corpus != "noxi_j"]

    assert content(tmp_path) == content(finished)


def test_seats_with_labels_are_scored_and_all_others_can_be_submitted(finished):
    with (finished / "results/sessions/da_mamba-0.csv").open() as stream:
        scored = {(row["corpus"], row["session"], row["participant"]) for row in csv.DictReader(stream)}
    assert ("mpiigi", "028", "subjectPos2") in scored
    assert ("mpiigi", "028", "subjectPos1") not in scored
    assert not {seat for seat in scored if seat[:2] == ("mpiigi", "026") and seat[2] == "subjectPos1"}
    damamba(finished, "submit", "no_fusion-0", "out.zip", "--edition", "2026")
    names = call(finished, sys.executable, "-m", "zipfile", "-l", "out.zip").stdout
    assert names.count("engagement.prediction.csv") == 4 + 4 + 3 + 4 + 4 + 2


def test_pinsoro_by_the_guide_joins_the_submission_and_the_weighted_score(finished, tmp_path):
    folder = tmp_path / "task"
    copy_repository(folder)
    children = ("pinsoro_cc", "pinsoro_cr")
    release_2026.build(folder / "data/release", corpora=children)
    damamba(folder, "preset", "multimediate-2026", "smoke")
    guide = re.search(r"^```yaml\n(corpus:.*?)^```$", (ROOT / "docs/noxi.md").read_text(), re.MULTILINE | re.DOTALL)
    params = merged(yaml.safe_load((folder / "params.yaml").read_text()), yaml.safe_load(guide[1]))
    params["extract"]["executor"] = "serial"
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    cues = [["extract", cue] for cue in params["cues"]]
    stages = [["ingest"], *cues, ["align"], ["train", "da_mamba-0"], ["evaluate", "da_mamba-0"]]
    call(folder, sys.executable, "-c", RUN_STAGES, json.dumps(stages))
    index = json.loads((folder / "data/aligned/index.json").read_text())
    assert index["cues"]["scene"]["width"] == release_2026.CONTEXT["env.videomae"]
    aligned = Aligned.read(folder / "data/aligned")
    session = next(s for s in aligned.sessions if s.name == "pinsoro_cc/1")
    n = release.n_frames("pinsoro_cc", "1")
    assert session.n_labels == n
    for cue in ("scene", "clip"):  # of 30 Hz, on the grid of 25
        assert aligned.shard(session, "purple").read(cue, 0, n)[1].all()
    scores = json.loads((folder / "results/scores/da_mamba-0.json").read_text())
    assert set(scores["frames"]) == set(children)
    damamba(folder, "submit", "da_mamba-0", "task.zip", "--edition", "2026")
    damamba(finished, "submit", "da_mamba-0", "all.zip", "--edition", "2026", "--add", str(folder / "task.zip"))
    labels = tmp_path / "labels"
    release_2026.build(labels, withheld=False, corpora=children)
    printed = damamba(finished, "score", str(labels), "all.zip", "--partial", "--json", str(tmp_path / "card.json"))
    assert "it lacks noxi, noxi_add, mpiigi, noxi_j, pinsoro_cc-social, pinsoro_cr-social" in printed
    card = json.loads((tmp_path / "card.json").read_text())
    seats = [("pinsoro-cc", "5", "purple"), ("pinsoro-cc", "5", "yellow")]
    read = [call(finished, sys.executable, "-c", UNZIPPED, "/".join(seat)).stdout.split() for seat in seats]
    truth = [release_2026.classes("pinsoro_cc", "5", role, "task_engagement") for *_, role in seats]
    valid = [i for i in range(release.n_frames("pinsoro_cc", "5")) if i not in (3, 4)]
    ours = [names[i] for names in read for i in valid]
    theirs = [names[i] for names in truth for i in valid]
    assert set(ours) <= set(CLASSES["task_engagement"])
    expected = cohen_kappa_score(theirs, ours)
    assert card["corpora"]["pinsoro_cc-task"]["kappa"] == pytest.approx(expected, abs=1e-12)


RUN_STAGES = """
import json, runpy, sys
sys.path.insert(0, "stages")
for stage, *arguments in json.loads(sys.argv[1]):  # in one process, because imports take longest
    sys.argv = [f"stages/{stage}.py", *arguments]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""
UNZIPPED = """
import sys, zipfile
print(zipfile.ZipFile("all.zip").read(f"{sys.argv[1]}.task_engagement.engagement.prediction.csv").decode())
"""


def test_nothing_reads_media_and_nothing_runs_twice(finished):
    assert not times(finished, "data/faces")
    assert not times(finished, "data/raw")
    assert repro(finished) == []


def test_one_session_more_costs_one_session_and_an_adapted_one_none(finished):
    params = yaml.safe_load((finished / "params.yaml").read_text())
    params["cues"] = {name: params["cues"][name] for name in ("clip", "xlmr")}
    (finished / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    repro(finished, "align")
    features, aligned = times(finished, "data/features"), times(finished, "data/aligned")
    session = finished / "data/release/noxi/train/026"
    release.build_session("noxi", "026", session, session, widths=release_2026.WIDTHS)
    repro(finished, "align")
    assert len(times(finished, "data/features")) == len(features) + 2 * 2
    assert {name: when for name, when in times(finished, "data/aligned").items() if name in aligned} == aligned
    set_param(finished, "adapt: []", "adapt: [mpiigi/008]")
    aligned = times(finished, "data/aligned")
    repro(finished, "evaluate@no_fusion-0")
    assert times(finished, "data/aligned") == aligned
    scores = json.loads((finished / "results/scores/no_fusion-0.json").read_text())
    assert scores["protocol"] == "adapted on mpiigi/008"
