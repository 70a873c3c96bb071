"""The pipeline under kills, full disks and missing files; and `predict` beside it. See `tests/test_dag.py`."""

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

from benchmarks.faults.bars import missed
from benchmarks.faults.damage import damage
from benchmarks.faults.disks import disks
from benchmarks.faults.pipeline import STAGES
from benchmarks.faults.processes import kills
from tests.dag import ENVIRONMENT, LANDMARKER, ROOT, call, repro, times

pytestmark = pytest.mark.slow


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


def test_ctrl_c_leaves_nothing_half_written(repo):
    """SIGTERM: see `tests/test_executor.py`."""
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
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends Ctrl-C to the whole group
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
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
