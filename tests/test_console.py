"""What a stage prints, and where."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from damamba import console
from damamba.predictor.progress import Passes

ROOT = Path(__file__).parent.parent
SCRIPT = """
from damamba.console import InputError, run_stage
def main():
    if {fails}:
        raise InputError("a − b · ş")
    return "a − b · ş"
run_stage("stage", main)
"""


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf8"])
def test_a_terminal_that_lacks_a_character_shows_a_question_mark(tmp_path, encoding, fails):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(fails=fails)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert done.returncode == int(fails)
    shown = (done.stderr if fails else done.stdout).decode(encoding)
    expected = {"ascii": "a ? b ? ?", "iso-8859-1": "a ? b · ?", "utf8": "a − b · ş"}[encoding]
    assert expected in shown
    assert "Traceback" not in done.stderr.decode(encoding)
    assert (tmp_path / "results/timing/stage.json").is_file() != fails


def test_a_stage_that_runs_already_is_refused_in_one_line(tmp_path):
    slow = "import time\nfrom damamba.console import run_stage\n"
    slow += "def main():\n    print('ready', flush=True)\n    time.sleep(60)\n    return ''\nrun_stage('stage', main)\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen([sys.executable, "-c", slow], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    assert first.stdout is not None
    first.stdout.readline()
    second = [sys.executable, "-c", SCRIPT.format(fails=False)]
    done = subprocess.run(second, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    line = f"stage: error: stage: runs already in this folder, as process {first.pid}; wait until it ends\n"
    assert done.stderr == line
    first.kill()
    first.wait()
    first.stdout.close()
    assert subprocess.run(second, cwd=tmp_path, env=environment, capture_output=True).returncode == 0


def test_a_stage_ends_with_dvc(tmp_path):
    """DVC starts a stage through a shell; `kill -9` of DVC must not leave the stage behind."""
    slow = "import os, time\nfrom damamba.console import run_stage\n"
    slow += (
        "def main():\n    print(os.getpid(), flush=True)\n    time.sleep(60)\n    return ''\nrun_stage('stage', main)\n"
    )
    (tmp_path / "stage.py").write_text(slow)
    dvc = "import subprocess, sys\nsubprocess.run(f'env A=1 {sys.executable} stage.py', shell=True)\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "stage"}
    process = subprocess.Popen([sys.executable, "-c", dvc], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert int(process.stdout.readline())
    process.kill()
    process.wait()
    assert process.stdout.read() == b""  # ends when the last holder of the pipe ends
    process.stdout.close()


@pytest.mark.parametrize("shell", [True, False])
def test_a_stage_ends_when_dvc_ended_before_it_could_look(tmp_path, shell):
    """Half of a stage's start is imports; DVC was killed among these, and the stage went on for minutes."""
    late = "import sys, time\nfrom damamba.console import run_stage\nprint('up', flush=True)\nsys.stdin.read()\n"
    late += "def main():\n    open('made', 'w')\n    time.sleep(60)\n    return ''\nrun_stage('stage', main)\n"
    (tmp_path / "stage.py").write_text(late)
    command = f"'{sys.executable} stage.py; true', shell=True" if shell else "[sys.executable, 'stage.py']"
    dvc = f"import subprocess, sys\nsubprocess.run({command})\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "stage"}
    process = subprocess.Popen(
        [sys.executable, "-c", dvc],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a terminal gives one too
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.kill()
    process.wait()
    process.stdin.close()
    assert process.stdout.read() == b""  # ends when the last holder of the pipe ends
    process.stdout.close()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("error", "shown"), [("28", "cannot be read or written (No space left on device)"), ("2", "")])
def test_a_full_disk_without_a_name_is_one_line_and_other_errors_keep_their_traceback(tmp_path, error, shown):
    script = (
        "from damamba.console import run_stage\ndef main():\n    raise OSError({0}, 'x')\nrun_stage('stage', main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script.format(error)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert shown in done.stderr
    assert ("Traceback" in done.stderr) == (not shown)


def test_in_a_log_each_state_of_a_progress_bar_is_a_line(monkeypatch, capsys):
    bar = console.tqdm
    monkeypatch.setattr(
        console, "tqdm", lambda items, **options: bar(items, **{**options, "mininterval": 0, "delay": 0})
    )
    assert list(console.progress(range(3), "videos")) == [0, 1, 2]
    shown = capsys.readouterr().err
    assert "\r" not in shown
    assert shown.endswith("\n")
    assert [line.split(":")[0] for line in shown.splitlines()] == ["videos"] * len(shown.splitlines())
    assert "3/3" in shown.splitlines()[-1]


@pytest.mark.parametrize(("check_s", "faces_s"), [(0.1, 100.0), (25.0, 76.0)])
def test_passes_tell_the_time_left_by_those_that_had_work(capsys, monkeypatch, check_s, faces_s):
    clock = iter([0.0, check_s, check_s + faces_s, check_s + faces_s + 20])
    monkeypatch.setattr("damamba.predictor.progress.time.monotonic", lambda: next(clock))
    passes = Passes({"check": 10, "faces": 1000, "clip": 200, "predict": 200})
    for name in ("check", "faces", "clip", "predict"):
        passes.begin(name)
    assert capsys.readouterr().err.splitlines() == [
        "pass 1 of 4: check",
        "pass 2 of 4: faces",  # 25 s for a hundredth of the work are a start, and no sign of the rest
        "pass 3 of 4: clip, about 40 s left in all",
        "pass 4 of 4: predict, about 20 s left in all",
    ]
