"""Worker processes that are stopped from outside."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

SCRIPT = """
import sys
import time
from pathlib import Path

from damamba.console import run_stage
from damamba.executor import run_all
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
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]
