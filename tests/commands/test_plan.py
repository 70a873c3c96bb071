"""`damamba plan` against what stages left: files with sizes and times, made here."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from damamba.commands.plan import make_plan, summary
from damamba.config import Params
from damamba.corpus.manifest import Manifest, Participant
from damamba.planning.costs import Past, at_once
from damamba.planning.readiness import missing
from damamba.planning.workload import Seat, Workload, planned
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream
from tests.conftest import make_video

ROOT = Path(__file__).parents[2]
ENDED = 1_700_000_000.0


@pytest.fixture
def params(tmp_path, monkeypatch):
    """The repository's parameters, in a folder that holds only the landmarker's model."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/landmarker").symlink_to(ROOT / "data/landmarker")
    return Params.load()


def people(n, seconds=600.0):
    return Workload(tuple(Seat("own", f"s{k // 2}", "train", seconds, 2**28) for k in range(n)))


def past_run(root, params, n, seconds, wall_s, wave=False):
    """As if the cue wav2vec2 had been extracted for `n` people of `seconds` each."""
    rows = [
        Participant("own", f"s{k // 2}", f"p{k}", "p", "train", "en", f"x{k}", "v.mp4", "v.mp4", "", duration_s=seconds)
        for k in range(n)
    ]
    Manifest(tuple(rows)).write(root / "data/corpus/manifest.jsonl")
    checkpoint = params.cues["wav2vec2"].settings()["checkpoint"]
    for k, row in enumerate(rows):
        m = round(seconds * 50)
        x = np.random.default_rng(k).standard_normal((m, 64)).astype(np.float32)
        ones = np.ones(m)
        channels = tuple(f"state_{i}" for i in range(64))
        made = FeatureStream(np.arange(m) / 50, x, ones > 0, ones.astype(np.float32), 50, channels, "w", checkpoint)
        path = row.shard(root / "data/features/wav2vec2")
        write_stream(path, made)
        os.utime(path, (ENDED - 1, ENDED - 1 - (wall_s + 100) * (wave and k > 0)))
    timing = root / "results/timing/extract-wav2vec2.json"
    timing.parent.mkdir(parents=True, exist_ok=True)
    timing.write_text(json.dumps({"seconds": wall_s}))
    os.utime(timing, (ENDED, ENDED))


def one_job(params):
    return params.model_copy(update={"extract": params.extract.model_copy(update={"jobs": 1})})


def test_the_plan_of_the_demo_names_every_stage_and_artefact(params, capsys):
    work = planned(params)
    plan = make_plan(params, work, Path())
    stages = {"simulate", "ingest", "track_faces", "align", "train", "evaluate", "ablate", "benchmark", "report"}
    assert set(plan["time"]) == stages | {f"extract-{cue}" for cue in params.cues}
    assert {f"data/{name}" for name in ("raw", "faces", "aligned", "models", "features/clip")} <= set(plan["disk"])
    asked = params.simulate
    assert work.sessions == sum(sum(split.values()) for split in asked.sessions.model_dump().values())
    assert work.hours == pytest.approx(len(work.seats) * asked.minutes / 60)
    assert plan["missing"] == []
    assert plan["time_s"] == pytest.approx(sum(cost["value"] for cost in plan["time"].values()))
    told = "\n".join(summary(plan))
    assert "to be made" in told
    assert "Nothing is missing" in told
    assert "Apache-2.0" in told
    json.dumps(plan, allow_nan=False)


def test_a_run_here_tells_time_and_size_of_a_larger_one(params, tmp_path):
    params = one_job(params)
    past_run(tmp_path, params, n=2, seconds=60, wall_s=43.5)
    plan = make_plan(params, people(8), Path())
    cost = plan["time"]["extract-wav2vec2"]
    start_s = 3.5
    assert cost["measured"]
    assert cost["value"] == pytest.approx(start_s + (43.5 - start_s) / 120 * 8 * 600)
    size = sum(path.stat().st_size for path in Path("data/features/wav2vec2").rglob("*.parquet"))
    assert plan["disk"]["data/features/wav2vec2"]["value"] == pytest.approx(size / 120 * 8 * 600)
    assert not plan["time"]["extract-clip"]["measured"]


def test_a_run_that_was_mostly_start_tells_no_speed_but_sets_a_limit(params, tmp_path):
    params = one_job(params)
    hours, table = 8 / 6, 32
    past_run(tmp_path, params, n=2, seconds=60, wall_s=5.0)  # of which 3.5 s are start
    cost = make_plan(params, people(8), Path())["time"]["extract-wav2vec2"]
    assert not cost["measured"]
    assert cost["value"] == pytest.approx(3.5 + table * hours)
    assert "mostly start" in cost["remark"]
    past_run(tmp_path, params, n=2, seconds=600, wall_s=2.0)  # faster than the table, start and all
    cost = make_plan(params, people(8), Path())["time"]["extract-wav2vec2"]
    assert cost["value"] == pytest.approx(2.0 + 2.0 / 1200 * hours * 3600)


def test_shards_that_the_last_run_only_kept_do_not_make_it_look_fast(params, tmp_path):
    params = one_job(params)
    past_run(tmp_path, params, n=2, seconds=60, wall_s=23.5, wave=True)
    cost = make_plan(params, people(8), Path())["time"]["extract-wav2vec2"]
    assert cost["value"] == pytest.approx(3.5 + 20 / 60 * 8 * 600)


def test_a_run_that_made_nothing_tells_nothing(params, tmp_path):
    past_run(tmp_path, params, n=2, seconds=60, wall_s=23.5)
    os.utime("results/timing/extract-wav2vec2.json", (ENDED + 900, ENDED + 900))
    assert not make_plan(params, people(8), Path())["time"]["extract-wav2vec2"]["measured"]


def test_another_checkpoint_is_another_speed(params, tmp_path):
    past_run(tmp_path, params, n=2, seconds=60, wall_s=23.5)
    held = params.model_dump()
    held["cues"]["wav2vec2"]["checkpoint"] = "facebook/wav2vec2-base"
    upstream = Params.model_validate(held)
    plan = make_plan(upstream, people(8), Path())
    assert not plan["time"]["extract-wav2vec2"]["measured"]
    hours, core_s_per_hour = 8 / 6, 430
    workers = at_once(8, plan["jobs"])
    assert plan["time"]["extract-wav2vec2"]["value"] == pytest.approx(hours * core_s_per_hour / workers, abs=10)
    assert any("hf download facebook/wav2vec2-base" in line for line in plan["missing"])
    licence = {row["checkpoint"]: row["licence"] for row in plan["licences"]}
    assert licence["facebook/wav2vec2-base"] == "Apache-2.0"


def test_a_checkpoint_that_nobody_measured_is_planned_as_the_slowest_and_said_so(params):
    held = params.model_dump()
    held["cues"]["clip"]["checkpoint"] = "someone/else"
    row, remark = Past(Path(), Params.model_validate(held)).extractor_row(Params.model_validate(held).cues["clip"])
    assert row["width"] == 512
    assert "as ViT-B-32" in remark


def test_media_are_measured_by_their_headers(params, tmp_path):
    root = tmp_path / params.corpus.settings("folder")["root"]
    root.mkdir(parents=True)
    make_video(root / "v.mp4", np.arange(100) / 25)
    (root / "manifest.csv").write_text(
        "session,participant,role,split,language,person,video,audio,label\ns,a,a,train,en,a,v.mp4,,\n"
    )
    held = params.model_dump()
    held["corpus"]["sources"] = ["folder"]
    work = planned(Params.model_validate(held))
    assert work.seats[0].seconds == pytest.approx(4, abs=0.05)
    assert work.seats[0].input_bytes == (root / "v.mp4").stat().st_size
    assert "simulate" not in make_plan(Params.model_validate(held), work, Path())["time"]


def test_what_is_missing_is_told_with_its_remedy(params, tmp_path):
    work = people(2)
    assert [line for line in missing(params, work, 10, 100) if "test" in line]  # nobody is tested
    assert any(line.startswith("disk: 100 GiB more") for line in missing(params, work, 100 * 2**30, 2**30))
    (tmp_path / "data/landmarker").unlink()
    assert any("dvc repro landmarker" in line for line in missing(params, work, 0, 1))
    unlabelled = Workload(tuple(replace(seat, labelled=False) for seat in work.seats))
    assert any("labels in the split train" in line for line in missing(params, unlabelled, 0, 1))


def test_tasks_that_do_not_fill_the_workers_wait_for_each_other():
    assert (at_once(4, 2), at_once(3, 2), at_once(1, 8), at_once(0, 2)) == (2, 1.5, 1, 1)
