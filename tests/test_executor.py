"""Worker processes: stopped from outside, killed, hanging; and what a task computes wherever it runs."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from damamba.console import InputError
from damamba.executor import _serve, run_all
from tests.tasks import act, threads, waits

SCRIPT = """
import sys
import time
from pathlib import Path

from damamba.console import run_stage
from damamba.executor import run_all
from tests.tasks import act, threads
from damamba.files import whole_file


def write(path: Path) -> None:
    with whole_file(path) as temporary:
        temporary.write_text("half")
        time.sleep(60)


def main() -> str:
    run_all(write, [Path("a"), Path("b")], 2, "processes", "write")
    return "done"


if __name__ == "__main__":
    run_stage("script", main)
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_leaves_no_file_half_written(tmp_path, signum, code):
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    end = time.monotonic() + 60
    while len(list(tmp_path.glob(".*.part"))) < 2:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signum)  # a terminal sends Ctrl-C to the whole group
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["script.py", "state"]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


HANGING = """
import signal
import sys
from pathlib import Path

from damamba.executor import run_all
from tests.tasks import act, threads


def hang(path: Path) -> None:
    import os
    path.write_text(str(os.getpid()))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # as deaf as a library that never returns
    while True:
        signal.sigtimedwait([signal.SIGUSR1], 60)


if __name__ == "__main__":
    run_all(hang, [Path("a"), Path("b")], 2, "processes", "hang")
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(tmp_path, signum):
    (tmp_path / "script.py").write_text(HANGING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, env=environment)
    end = time.monotonic() + 60
    while not all((tmp_path / name).is_file() and (tmp_path / name).read_text() for name in "ab"):
        assert time.monotonic() < end
        time.sleep(0.02)
    workers = [int((tmp_path / name).read_text()) for name in "ab"]
    assert all(map(alive, workers))
    process.send_signal(signum)
    process.wait(20)
    end = time.monotonic() + 5
    while any(map(alive, workers)):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_worker_whose_parent_has_closed_the_connection_ends_without_a_traceback():
    """Ctrl-C comes while a worker is about to answer."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=_serve, args=(theirs, waits, os.getpid()))
    worker.start()
    theirs.close()
    begin, begun = context.Pipe()
    ours.send(begun)
    assert begin.recv() == "begun"
    ours.close()
    begin.send("go on")
    worker.join()
    assert worker.exitcode == 0


def test_a_dead_and_an_overdue_worker_cost_one_task_each():
    with pytest.raises(InputError) as raised:
        run_all(
            act,
            ["a", "dies", "hangs", "bad", "b", "crashes"],
            2,
            "processes",
            "act",
            name=str.upper,
            limit_s=lambda task: 3.0 if task == "hangs" else 60.0,
        )
    lines = str(raised.value).splitlines()
    assert lines[0].startswith("DIES: its worker process was killed by SIGKILL (out of memory?); run again")
    assert lines[1].startswith("HANGS: stopped after 3 s, the limit of a task; run again")
    assert lines[2] == "bad.mp4: no picture"
    assert lines[3].startswith("CRASHES: its worker process crashed (SIGSEGV), in native code of a library; run again")
    assert lines[4:] == ["act: 4 of 6 failed, 2 are done and kept"]


def test_an_error_of_the_code_is_raised_with_the_traceback_of_the_worker():
    with pytest.raises(Exception, match="x") as raised:
        run_all(act, ["wrong"], 2, "processes", "act")
    assert "in act" in str(raised.value.__cause__)


@pytest.mark.parametrize(("tasks", "jobs", "kind"), [(1, 0, "processes"), (3, 0, "processes"), (2, 1, "serial")])
def test_a_task_has_one_thread_wherever_it_runs(tasks, jobs, kind):
    torch.set_num_threads(2)
    try:
        seen = run_all(threads, list(range(tasks)), jobs, kind, "threads", most=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert {one[1:] for one in seen} == {(1, "1 1")}
    assert len({one[0] for one in seen}) == 1  # `most` bounds the workers
    assert (seen[0][0] == os.getpid()) == (kind == "serial")


def test_workers_end_quietly_when_all_is_done(tmp_path):
    """Torch imports more packages at the exit; a signal then would print a traceback."""
    script = "from damamba.executor import run_all\nfrom tests.tasks import compiled\n"
    script += "if __name__ == '__main__':\n    print(run_all(compiled, [1, 2, 3], 2, 'processes', 'x'))\n"
    (tmp_path / "script.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "[1, 2, 3]\n"
    assert "Traceback" not in done.stderr, done.stderr
