"""Every reader of outside files, for 10 s.

Ten minutes of one: ``python tests/fuzz/fuzz_stream.py -max_total_time=600``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 10
TARGETS = sorted(Path(__file__).parent.glob("fuzz_*.py"))


@pytest.mark.slow
@pytest.mark.fuzz
@pytest.mark.parametrize("target", TARGETS, ids=lambda path: path.stem)
def test_reader_neither_crashes_nor_hangs_nor_allocates_without_bound(target, tmp_path):
    pytest.importorskip("atheris")
    command = [sys.executable, str(target), f"-max_total_time={SECONDS}"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10 * SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stat::number_of_executed_units" in done.stderr
