"""The whole pipeline on preset `smoke`, in a copy of the repository: what runs, what runs again, what survives a kill.

One copy is run once; each test takes a cheap copy of that and does something to it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks.faults.bars import missed
from benchmarks.faults.damage import damage
from benchmarks.faults.disks import disks
from benchmarks.faults.pipeline import STAGES
from benchmarks.faults.processes import kills
from tests.dag import (
    ENVIRONMENT,
    LANDMARKER,
    ROOT,
    call,
    copy_repository,
    damamba,
    elsewhere,
    linked_copy,
    ran,
    repro,
    set_param,
    times,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A repository in which the pipeline has run once, as in another place: the tests compare what is made here."""
    folder = tmp_path_factory.mktemp("dag") / "repo"
    copy_repository(folder)
    damamba(folder, "preset", "smoke")
    repro(folder, environment=elsewhere(tmp_path_factory.mktemp("elsewhere") / "locales"))
    changed = {line[3:].split("/")[0] for line in call(folder, "git", "status", "--porcelain").stdout.splitlines()}
    assert changed == {"params.yaml", "dvc.lock", "results"}  # nothing else that git should not see
    call(folder, "git", "add", "-A")
    call(folder, "git", "commit", "-qm", "smoke")
    return folder


@pytest.fixture
def repo(finished, tmp_path):
    """A copy of its own."""
    own = ("params.yaml", "dvc.lock", "results", ".git", ".dvc/tmp", "damamba", "stages")
    return linked_copy(finished, tmp_path / "repo", own)


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


@pytest.mark.parametrize("where", [(), ("--temp",)])
def test_an_experiment_with_another_loss_trains_again_and_nothing_before(repo, where):
    assert ran(call(repo, "dvc", "exp", "run", *where, *LOSS).stdout) == ["check", "train@da_mamba-0"]


def test_a_queued_experiment_runs(repo):
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
    assert repro(repo, "align") == ["check", "extract@flow", "align"]
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
    before = set(times(repo, "data/features/clip"))

    stages = repro(repo, "ablate")

    assert {"ingest", "extract@syllables", "align", "train@gated-0", "evaluate@gated-0", "ablate"} <= set(stages)
    added = {path.split("/")[0] for path in set(times(repo, "data/features/clip")) - before}
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
    before = set(times(repo, "data/features/clip"))
    set_param(repo, "jobs: 0", "jobs: 1")  # two participants are made before workers have started
    set_param(repo, "train: 2", "train: 3")
    told = call(repo, "dvc", "repro", "align").stdout
    # faces and five cues: the two new participants alone
    assert told.count(f"2 participants made, {len(before)} kept") == 6, told
    assert f"({len(before)} participants kept)" in told
    more = set(times(repo, "data/features/clip"))
    assert len(more - before) == 2
    assert before < more
    set_param(repo, "train: 3", "train: 1")
    told = call(repo, "dvc", "repro", "align").stdout
    assert told.count(f"{len(before) - 2} participants up to date") == 6, told
    fewer = set(times(repo, "data/features/clip"))
    assert len(fewer) == len(before) - 2
    assert fewer < before
    assert set(times(repo, "data/aligned")) == fewer


def kill_when(folder: Path, condition, *command: str) -> None:
    """Start a command, SIGKILL its whole group once `condition` holds."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 240
    try:
        while not condition():
            assert process.poll() is None, "ended before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_kills_in_extraction_and_in_training_change_no_score(repo, finished):
    expected = json.loads((finished / "results/scores/da_mamba-0.json").read_text())
    shutil.rmtree(repo / "data/features/clip")
    kill_when(repo, lambda: len(times(repo, "data/features/clip")) >= 3, "dvc", "repro", "extract@clip")
    kept = times(repo, "data/features/clip")
    (repo / ".dvc/tmp/rwlock").unlink(missing_ok=True)
    shutil.rmtree(repo / "data/models/da_mamba-0")
    repro(repo, "align")
    assert {name: when for name, when in times(repo, "data/features/clip").items() if name in kept} == kept
    states = repo / "state/train"
    kill_when(repo, lambda: any(states.glob("da_mamba-0-*.pt")), "dvc", "repro", "train@da_mamba-0")
    (repo / ".dvc/tmp/rwlock").unlink(missing_ok=True)
    done = call(repo, "dvc", "repro", "evaluate@da_mamba-0")
    assert "resumed at step" in done.stdout + done.stderr
    assert json.loads((repo / "results/scores/da_mamba-0.json").read_text()) == expected
    for where in ("data/features/clip", "data/aligned", "data/models/da_mamba-0", "data/predictions/da_mamba-0"):
        files = {path.relative_to(repo) for path in (repo / where).rglob("*") if path.is_file()}
        assert files
        assert [name for name in sorted(files) if (repo / name).read_bytes() != (finished / name).read_bytes()] == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_stop_leaves_nothing_half_written(repo, signum):
    shutil.rmtree(repo / "data/features/flow")
    process = subprocess.Popen(
        [sys.executable, "stages/extract.py", "flow"],
        cwd=repo,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    end = time.monotonic() + 120
    while not times(repo, "data/features/flow") and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, signum)  # a terminal sends Ctrl-C to the whole group
    _, told = process.communicate(timeout=60)
    assert process.returncode == (130 if signum == signal.SIGINT else 143), told
    assert "Traceback" not in told
    left = [p.name for p in (repo / "data/features/flow").rglob("*") if p.is_file() and p.name.startswith(".")]
    assert left == []


def test_a_full_disk_is_one_clear_line_and_finished_participants_stay(repo):
    kept = len(times(repo, "data/features/clip"))
    victim = next((repo / "data/features/clip").rglob("*.parquet"))
    victim.unlink()
    limited = "ulimit -f 2; python stages/extract.py clip --jobs 1"  # 2 KiB a file
    done = call(repo, "bash", "-c", limited, check=False)
    assert done.returncode == 1
    assert "cannot be written (File too large, after 2048 bytes)" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(times(repo, "data/features/clip")) == kept - 1
    assert not [p for p in (repo / "data/features/clip").rglob("*") if ".part" in p.name]


def test_a_missing_checkpoint_and_a_missing_landmarker_name_the_command(repo):
    shutil.rmtree(repo / "damamba/extractors/checkpoints/compact-clip")
    shutil.rmtree(repo / "data/features/clip")
    done = call(repo, "python", "stages/extract.py", "clip", check=False)
    assert done.returncode == 1
    assert "compact-clip" in done.stderr
    (repo / LANDMARKER).unlink()
    shutil.rmtree(repo / "data/faces")
    done = call(repo, "python", "stages/track_faces.py", check=False)
    assert done.returncode == 1
    assert "dvc repro landmarker" in done.stderr
    call(repo, "dvc", "checkout", "landmarker")
    assert (repo / LANDMARKER).is_file()


def test_predict_scores_videos_as_the_pipeline_does(finished, tmp_path):
    """From the files alone, in a folder of its own; and without sound or partner."""
    raw = finished / "data/raw/noxi/test-base"
    session = next(path for path in sorted(raw.iterdir()) if path.is_dir())
    model, out = finished / "data/models/da_mamba-0", tmp_path / "out"
    videos = [session / f"{role}.video.mp4" for role in ("expert", "novice")]
    said = predict(tmp_path, *map(str, videos), "--model", str(model), "-o", str(out), "--for", "elan")
    assert "trained on simulated people" in said
    for role in ("expert", "novice"):
        table = pq.read_table(out / f"conversation/{role}.parquet")
        path = finished / f"data/predictions/da_mamba-0/noxi/{session.name}/{role}.parquet"
        expected = pq.read_table(path)["prediction"].to_numpy()
        np.testing.assert_allclose(table["engagement"].to_numpy(), expected, atol=1e-6)
        written = np.genfromtxt(out / f"conversation/{role}.csv", delimiter=",", names=True)
        np.testing.assert_allclose(written["engagement"], expected, atol=1e-4)
        assert (out / f"conversation/{role}.eaf").is_file()
    page = (out / "report.html").read_text()
    assert "Trained on simulated people" in page
    assert re.search(r'"video":"[^"]*expert\.video\.mp4"', page)
    shutil.copy(videos[0], tmp_path / "silent.mp4")
    said = predict(tmp_path, "silent.mp4", "--model", str(model), "-o", "alone")
    assert "silent/silent: wav2vec2 is missing throughout" in said
    assert "silent: no partner" in said
    alone = pq.read_table(tmp_path / "alone/silent/silent.parquet")
    assert not alone["wav2vec2"].to_numpy(zero_copy_only=False).any()
    assert alone["engagement"].null_count < alone.num_rows


def predict(folder, *arguments):
    """What `damamba predict` prints, run in `folder`."""
    command = [sys.executable, "-c", "from damamba.cli import main; main()", "predict", *arguments]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_campaign_of_faults_in_short(finished, tmp_path):
    """`python -m benchmarks.faults` takes an hour and more."""
    seen = {"damage": damage(finished, tmp_path, 6, 1)}
    assert len(seen["damage"]["artefacts"]) == 16
    some = [stage for stage in STAGES if stage.name in ("extract@flow", "ablate")]
    assert [stage.name for stage in some] == ["extract@flow", "ablate"]
    seen["kills"] = kills(finished, tmp_path, 2, 1, stages=some[:1])
    seen["disks"] = disks(finished, tmp_path, some[1:])
    assert missed(seen) == []
    assert seen["kills"]["identical"] == 2
    assert seen["disks"]["kinds"]["limited"]["one_line"] == 1
