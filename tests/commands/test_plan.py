"""`damamba plan` after runs whose files, sizes and times are made here."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from damamba.commands.plan import plan_of
from damamba.config import Params
from damamba.corpus.manifest import Manifest, Participant
from damamba.encoders import checkpoint
from damamba.ingest.sources.base import PlannedSeat
from damamba.planning.earlier_runs import EarlierRuns, busy_workers
from damamba.planning.plan import summary
from damamba.planning.readiness import missing
from damamba.planning.workload import Workload, planned
from damamba.presets.apply import merged, read_preset
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream
from tests.conftest import FROZEN_PARAMS, frozen_params, make_video

ROOT = Path(__file__).parents[2]
ENDED = 1_700_000_000.0


@pytest.fixture
def params(tmp_path, monkeypatch):
    """The repository's parameters, in a folder that holds only the landmarker's model."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(FROZEN_PARAMS, tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/landmarker").symlink_to(ROOT / "data/landmarker")
    return frozen_params()


def people(n, seconds=600.0):
    return Workload(tuple(PlannedSeat("own", f"s{k // 2}", "train", seconds, 2**28) for k in range(n)))


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


def lacks(params, work, more_bytes, free_bytes):
    return missing(params.cues, params.faces, params.evaluate, work, more_bytes, free_bytes)


def one_job(params):
    return params.model_copy(update={"extract": params.extract.model_copy(update={"jobs": 1})})


def test_the_plan_of_the_demo_lists_every_stage_and_artefact(params, capsys):
    work = planned(params.corpus, params.simulate)
    plan = plan_of(params, work, Path())
    stages = {"simulate", "ingest", "track_faces", "align", "train", "evaluate", "ablate", "benchmark", "report"}
    assert set(plan["time"]) == stages | {f"extract-{cue}" for cue in params.cues}
    assert {f"data/{name}" for name in ("raw", "faces", "aligned", "models", "features/clip")} <= set(plan["disk"])
    simulate = params.simulate
    assert work.sessions == sum(sum(split.values()) for split in simulate.sessions.model_dump().values())
    assert work.hours == pytest.approx(len(work.seats) * simulate.minutes / 60)
    assert plan["missing"] == []
    assert plan["time_s"] == pytest.approx(sum(cost["value"] for cost in plan["time"].values()))
    text = "\n".join(summary(plan))
    assert "to be simulated" in text
    assert "Nothing is missing" in text
    assert "Apache-2.0" in text
    json.dumps(plan, allow_nan=False)


def test_a_run_here_predicts_time_and_size_of_a_larger_one(params, tmp_path):
    params = one_job(params)
    past_run(tmp_path, params, n=2, seconds=60, wall_s=43.5)
    plan = plan_of(params, people(8), Path())
    cost = plan["time"]["extract-wav2vec2"]
    start_s = 3.5
    assert cost["measured"]
    assert cost["value"] == pytest.approx(start_s + (43.5 - start_s) / 120 * 8 * 600)
    size = sum(path.stat().st_size for path in Path("data/features/wav2vec2").rglob("*.parquet"))
    assert plan["disk"]["data/features/wav2vec2"]["value"] == pytest.approx(size / 120 * 8 * 600)
    assert not plan["time"]["extract-clip"]["measured"]


def test_a_run_that_was_mostly_start_up_gives_no_rate_but_bounds_it(params, tmp_path):
    params = one_job(params)
    hours, table = 8 / 6, 32
    past_run(tmp_path, params, n=2, seconds=60, wall_s=5.0)  # of which 3.5 s are start
    cost = plan_of(params, people(8), Path())["time"]["extract-wav2vec2"]
    assert not cost["measured"]
    assert cost["value"] == pytest.approx(3.5 + table * hours)
    assert "mostly start-up" in cost["remark"]
    past_run(tmp_path, params, n=2, seconds=600, wall_s=2.0)  # faster than the table, start and all
    cost = plan_of(params, people(8), Path())["time"]["extract-wav2vec2"]
    assert cost["value"] == pytest.approx(2.0 + 2.0 / 1200 * hours * 3600)


def test_shards_that_the_last_run_only_kept_do_not_count_as_its_work(params, tmp_path):
    params = one_job(params)
    past_run(tmp_path, params, n=2, seconds=60, wall_s=23.5, wave=True)
    cost = plan_of(params, people(8), Path())["time"]["extract-wav2vec2"]
    assert cost["value"] == pytest.approx(3.5 + 20 / 60 * 8 * 600)


def test_a_run_that_wrote_nothing_measures_nothing(params, tmp_path):
    past_run(tmp_path, params, n=2, seconds=60, wall_s=23.5)
    os.utime("results/timing/extract-wav2vec2.json", (ENDED + 900, ENDED + 900))
    assert not plan_of(params, people(8), Path())["time"]["extract-wav2vec2"]["measured"]


def test_another_checkpoint_has_another_speed(params, tmp_path):
    past_run(tmp_path, params, n=2, seconds=60, wall_s=23.5)
    values = params.model_dump()
    values["cues"]["wav2vec2"]["checkpoint"] = "facebook/wav2vec2-base"
    upstream = Params.model_validate(values)
    plan = plan_of(upstream, people(8), Path())
    assert not plan["time"]["extract-wav2vec2"]["measured"]
    hours, core_s_per_hour = 8 / 6, 430
    workers = busy_workers(8, plan["jobs"])
    assert plan["time"]["extract-wav2vec2"]["value"] == pytest.approx(hours * core_s_per_hour / workers, abs=10)
    assert any("hf download facebook/wav2vec2-base" in line for line in plan["missing"])
    licence = {row["checkpoint"]: row["licence"] for row in plan["licences"]}
    assert licence["facebook/wav2vec2-base"] == "Apache-2.0"


def test_an_unmeasured_checkpoint_is_planned_as_the_slowest_with_a_remark(params):
    values = params.model_dump()
    values["cues"]["clip"]["checkpoint"] = "someone/else"
    row, remark = EarlierRuns(Path(), 0).extractor_row(Params.model_validate(values).cues["clip"])
    assert row["width"] == 512
    assert "counted as hf-hub:laion/CLIP" in remark


def test_a_larger_model_takes_longer_and_more_disk(params):
    large = Params.model_validate(merged(params.model_dump(), read_preset("paper-25")))
    demo, paper = (plan_of(each, people(8), Path()) for each in (params, large))
    assert paper["disk"]["data/models"]["value"] > 50 * demo["disk"]["data/models"]["value"]
    steps = large.train.steps * large.train.batch_windows / (params.train.steps * params.train.batch_windows)
    assert paper["time"]["train"]["value"] > 50 * steps * 0.5 * demo["time"]["train"]["value"]


def test_media_are_measured_by_their_headers(params, tmp_path):
    root = tmp_path / params.corpus.settings("folder")["root"]
    root.mkdir(parents=True)
    make_video(root / "v.mp4", np.arange(100) / 25)
    (root / "manifest.csv").write_text(
        "session,participant,role,split,language,person,video,audio,label\ns,a,a,train,en,a,v.mp4,,\n"
    )
    values = params.model_dump()
    values["corpus"]["sources"] = ["folder"]
    folder = Params.model_validate(values)
    work = planned(folder.corpus, folder.simulate)
    assert work.seats[0].seconds == pytest.approx(4, abs=0.05)
    assert work.seats[0].input_bytes == (root / "v.mp4").stat().st_size
    assert "simulate" not in plan_of(folder, work, Path())["time"]


def test_what_is_missing_is_listed_with_its_remedy(params, tmp_path):
    work = people(2)
    assert [line for line in lacks(params, work, 10, 100) if "test" in line]  # no one is in the test split
    assert any(line.startswith("disk: 100 GiB more") for line in lacks(params, work, 100 * 2**30, 2**30))
    (tmp_path / "data/landmarker").unlink()
    assert any("dvc repro landmarker" in line for line in lacks(params, work, 0, 1))
    unlabelled = Workload(tuple(replace(seat, labelled=False) for seat in work.seats))
    assert any("labels in the split train" in line for line in lacks(params, unlabelled, 0, 1))


def test_a_preset_whose_speech_encoder_is_not_here_names_the_stage_that_fetches_it(params, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint, "CACHED", tmp_path / "none")
    real = Params.model_validate(params.model_dump() | {"cues": read_preset("real")["cues"]})
    (line,) = (line for line in lacks(real, people(2), 0, 1) if line.startswith("cue "))
    assert line.startswith("cue whisper: data/compact-whisper")
    assert line.endswith("dvc repro compact_whisper")
    (row,) = (row for row in plan_of(real, people(2), Path())["licences"] if row["cues"] == "whisper")
    assert row["licence"] == "MIT"
    assert not plan_of(real, people(2), Path())["time"]["extract-whisper"]["remark"]  # its speed is known


def test_tasks_that_do_not_fill_all_workers_leave_some_idle():
    assert (busy_workers(4, 2), busy_workers(3, 2), busy_workers(1, 8), busy_workers(0, 2)) == (2, 1.5, 1, 1)
