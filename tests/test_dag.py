"""The whole pipeline on preset `smoke`, in a copy of the repository: what runs, what runs again, what experiments do.

One copy is run once; each test takes a cheap copy of that and does something to it.
"""

import json
import shutil
import time
from pathlib import Path

import pytest
import yaml

from tests.dag import ENVIRONMENT, ROOT, call, ran, repro, set_param, times

pytestmark = pytest.mark.slow


def test_every_result_is_there_and_speaks_of_simulated_people(finished):
    scores = json.loads((finished / "results/ccc.json").read_text())
    row = scores["da_mamba-0"]
    assert {"noxi", "noxi_add", "mpiigi", "global", "interval", "frames"} <= set(row)
    assert row["global"] == pytest.approx(sum(row[c] for c in ("noxi", "noxi_add", "mpiigi")) / 3, abs=2e-4)
    run = json.loads((finished / "results/run.json").read_text())
    assert run["simulated"] is True
    for name in ("ccc.md", "ccc.csv", "ablation.md", "memory.md", "memory.svg", "report.html"):
        assert (finished / "results" / name).stat().st_size > 200, name
    assert "SIMULATED" in (finished / "results/ccc.md").read_text()
    timing = json.loads((finished / "results/timing.json").read_text())
    assert {"simulate", "evaluate-da_mamba-0"} <= set(timing["stages"])


def test_nothing_runs_a_second_time_and_fast(repo):
    started = time.perf_counter()
    assert repro(repo) == []
    assert time.perf_counter() - started < 30  # generous: other work shares the machine


def test_a_second_clone_has_everything_by_pull(repo, tmp_path):
    call(repo, "dvc", "remote", "add", "--local", "--default", "folder", str(tmp_path / "remote"))
    call(repo, "dvc", "push")
    clone = tmp_path / "clone"
    call(tmp_path, "git", "clone", "-q", str(repo), str(clone))
    call(clone, "dvc", "remote", "add", "--local", "--default", "folder", str(tmp_path / "remote"))
    call(clone, "dvc", "pull")
    assert "up to date" in call(clone, "dvc", "status").stdout
    assert repro(clone) == []
    assert call(clone, "git", "status", "--porcelain").stdout == ""
    head, *rows = call(clone, "dvc", "metrics", "show").stdout.splitlines()
    assert head.split()[1] == "ccc"
    assert [Path(row.split()[0]).stem for row in rows] == ["da_mamba-0", "no_fusion-0"]
    assert max(map(len, rows)) < 120
    call(clone, "dvc", "plots", "show", "-o", "plots")


LOSS = ("-S", "model.lambda_align=0.2", "train@da_mamba-0")


def test_an_experiment_with_another_loss_trains_again_and_nothing_before(repo):
    assert ran(call(repo, "dvc", "exp", "run", *LOSS).stdout) == ["check", "train@da_mamba-0"]


def test_a_queued_experiment_runs(repo):
    """In a folder of its own, as `dvc exp run --temp` does."""
    call(repo, "dvc", "exp", "run", "--queue", "--name", "queued", *LOSS)
    call(repo, "dvc", "queue", "start")
    end = time.monotonic() + 120
    while "Success" not in call(repo, "dvc", "queue", "status").stdout:
        assert time.monotonic() < end, call(repo, "dvc", "queue", "logs", "queued").stdout
        time.sleep(1)
    assert ran(call(repo, "dvc", "queue", "logs", "queued").stdout) == ["check", "train@da_mamba-0"]
    call(repo, "dvc", "queue", "stop")


def test_a_mistyped_key_and_a_wrong_type_are_refused_before_any_work(repo):
    typo = call(repo, "dvc", "exp", "run", "-S", "model.lambda_aling=0.3", check=False)
    assert typo.returncode != 0
    wrong = call(repo, "dvc", "exp", "run", "-S", "model.lambda_align=hello", "train@da_mamba-0", check=False)
    assert wrong.returncode != 0
    assert "model.lambda_align" in wrong.stdout + wrong.stderr
    set_param(repo, "lambda_align: ", "lambda_algin: 1\n  lambda_align: ")
    alone = call(repo, "python", "stages/align.py", check=False)
    assert alone.returncode == 1
    assert "model.lambda_algin" in alone.stderr
    assert "known keys" in alone.stderr


def test_a_stage_and_its_workers_run_the_code_of_their_checkout(repo):
    with (repo / "damamba/console.py").open("a") as module:  # every process imports it
        module.write('\nwith open("processes.txt", "a") as seen:\n    seen.write(f"{os.getpid()}\\n")\n')
    for shard in list((repo / "data/features/flow").rglob("*.parquet"))[:2]:
        shard.unlink()
    assert "2 participants made" in call(repo, "python", "stages/extract.py", "flow", "--jobs", "2").stdout
    assert len(set((repo / "processes.txt").read_text().split())) == 3


def test_one_stage_alone_then_a_changed_parameter(repo):
    alone = call(repo, "python", "stages/extract.py", "flow", "--jobs", "1", "--session", "002")
    assert "up to date" in alone.stdout
    set_param(repo, "cells: 6", "cells: 5")
    # compact_whisper looks at all cues: whether one reads its weights
    assert repro(repo, "align") == ["check", "compact_whisper", "extract@flow", "align"]
    after = call(repo, "dvc", "status", "--quiet", check=False)
    assert after.returncode != 0  # training is due


def test_one_part_of_each_kind_from_a_project_outside_goes_through_the_pipeline(repo, tmp_path, monkeypatch):
    lab = tmp_path / "project/lab"
    shutil.copytree(ROOT / "tests/own_parts", lab)
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", str(lab.parent))
    (tmp_path / "pairs").mkdir()
    for name, video in zip("ab", sorted((repo / "data/raw").rglob("*.video.mp4")), strict=False):
        shutil.copy2(video, tmp_path / f"pairs/{name}.mp4")
        shutil.copy2(video.with_name(video.name.replace("video.mp4", "audio.wav")), tmp_path / f"pairs/{name}.wav")
    params = yaml.safe_load((repo / "params.yaml").read_text())
    params["cues"] = {name: params["cues"][name] for name in ("emotion", "flow")}
    params["code"] = str(lab)
    params["cues"]["syllables"] = {"group": "text", "extractor": "lab.syllables", "reads": "corpus", "hop_s": 0.25}
    params["corpus"]["sources"].append("lab.pairs")
    params["corpus"]["pairs"] = {"root": str(tmp_path / "pairs"), "engagement": 0.25}
    params["architectures"]["gated"] = {"width": 8}
    params["variants"]["gated"] = {"architecture": "lab.gated"}
    params["losses"]["smooth"] = {"loss": "lab.smooth", "power": 1.0}
    params["model"]["lambda_smooth"] = 0.5
    params["evaluate"]["metrics"].append("lab.mae")
    params["runs"] = ["da_mamba-0", "gated-0"]
    (repo / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    before = set(times(repo, "data/features/flow"))

    stages = repro(repo, "ablate")

    assert {"ingest", "extract@syllables", "align", "train@gated-0", "evaluate@gated-0", "ablate"} <= set(stages)
    added = {path.split("/")[0] for path in set(times(repo, "data/features/flow")) - before}
    assert added == {"pairs"}
    groups = json.loads((repo / "data/models/da_mamba-0/model.json").read_text())["cues"]
    assert groups["text"] == {"syllables": 1}
    header = (repo / "results/curves/gated-0.csv").read_text().splitlines()[0].split(",")
    assert {"ccc", "align", "smooth"} <= set(header)
    scores = json.loads((repo / "results/scores/gated-0.json").read_text())
    assert 0 < scores["mae"]["global"] < 1
    assert "MAE" in (repo / "results/ccc.md").read_text()
    assert repro(repo, "ablate") == []
    smooth = lab / "smooth.py"
    smooth.write_text(smooth.read_text().replace("mean()", "sum()"))
    assert "train@gated-0" in call(repo, "dvc", "status").stdout


def test_one_session_added_and_one_removed(repo):
    params = yaml.safe_load((repo / "params.yaml").read_text())
    params["cues"] = {name: params["cues"][name] for name in ("emotion", "flow")}
    params["simulate"]["sessions"]["noxi"]["train"] += 1
    params["simulate"]["sessions"]["noxi_add"]["test"] -= 1
    (repo / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    before = set(times(repo, "data/features/flow"))
    told = call(repo, "dvc", "repro", "align").stdout
    after = set(times(repo, "data/features/flow"))
    assert {path.split("/")[0] for path in after - before} == {"noxi"}
    assert {path.split("/")[0] for path in before - after} == {"noxi_add"}
    assert len(after - before) == len(before - after) == 2
    # faces and both cues: the two new participants alone
    assert told.count(f"2 participants made, {len(before & after)} kept") == 3, told
    assert set(times(repo, "data/aligned")) == after
