"""Two processes never share a cache of compiled functions: mixed up, it crashes every later run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLAIM = "from damamba_sim.compiled import own_cache; print(own_cache(), flush=True); input()"
CHILD = (
    "import subprocess, sys; from damamba_sim.compiled import own_cache; own_cache();"
    f"subprocess.run([sys.executable, '-c', {CLAIM!r}], check=True)"
)
COMPILED = (
    "from damamba_sim.faces import raster; import numpy as np; import glob, os;"
    "raster.vertex_normals(np.eye(3), np.array([[0, 1, 2]]), np.zeros((3, 3)));"
    "print(*glob.glob(os.environ['NUMBA_CACHE_DIR'] + '/**/*.nbc', recursive=True), sep='\\n')"
)


def start(code: str, cache: Path | str | None, home: Path) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    environment |= {"HOME": str(home)} | ({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def folder(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.communicate("\n", timeout=60)
        assert process.returncode == 0


@pytest.mark.parametrize("given", [False, True])
def test_processes_at_once_have_a_folder_each_and_the_next_takes_over_theirs(tmp_path, given):
    base = tmp_path / "given" if given else tmp_path / ".cache/damamba/numba"
    cache = base if given else None
    both = [start(CLAIM, cache, tmp_path) for _ in range(2)]
    assert {folder(process) for process in both} == {base / "process-0", base / "process-1"}
    end(*both)
    last = start(CLAIM, cache, tmp_path)
    assert folder(last) == base / "process-0"
    end(last)


def test_a_child_has_a_folder_beside_its_parents(tmp_path):
    parent = start(CHILD, tmp_path / "numba", tmp_path)
    assert folder(parent) == tmp_path / "numba/process-1"
    end(parent)


def test_where_no_cache_can_be_written_a_temporary_folder_serves(tmp_path):
    (tmp_path / "file").touch()
    process = start(CLAIM, tmp_path / "file/numba", tmp_path)
    assert folder(process).is_dir()
    end(process)


def test_kernels_are_kept_in_the_folder(tmp_path):
    out, _ = start(COMPILED, tmp_path / "numba", tmp_path).communicate(timeout=120)
    assert all(str(tmp_path / "numba/process-0") in line for line in out.split())
    assert "raster.vertex_normals" in out
