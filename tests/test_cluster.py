"""Extraction on a Dask cluster: the same results, a worker that dies costs nothing, and what cannot work is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from damamba.corpus.manifest import Manifest
from tests.features.test_extract import person

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
START = """
import os, sys
from distributed import LocalCluster
from damamba.console import InputError
from damamba.executor import run_all
from tests.cluster_tasks import double, fails, dies_once

def refused(run):
    try:
        run()
    except InputError as error:
        return str(error)
    raise AssertionError("not refused")

if __name__ == "__main__":
    options = dict(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    options |= {OPTIONS}
    with LocalCluster(**options) as cluster:
        kind = f"dask:{cluster.scheduler_address}"
"""


@pytest.fixture
def script(tmp_path):
    """Runs a program with a cluster in a process of its own, since Dask warns about its own loops."""

    def run(body, options="{}"):
        lines = "\n".join(f"        {line}" for line in body.strip().split("\n"))
        (tmp_path / "script.py").write_text(START.replace("{OPTIONS}", options) + lines)
        done = subprocess.run(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_results_and_failures_are_those_of_one_process(script):
    out = script(
        """
print(run_all(double, range(20), 0, kind, "double") == run_all(double, range(20), 0, "serial", "double"))
print(refused(lambda: run_all(fails, range(4), 0, kind, "fails", name=str)))
print(refused(lambda: run_all(fails, range(4), 0, "serial", "fails", name=str)))
"""
    )
    assert out[0] == "True"
    half = len(out[1:]) // 2
    assert out[1 : 1 + half] == out[1 + half :]
    assert "2 of 4 failed, 2 are done and kept" in out[half]


def test_a_worker_that_dies_costs_nothing(script, tmp_path):
    (out,) = script("""print(run_all(dies_once, range(6), 0, kind, "dies"))""")
    assert out == str([10 * n for n in range(6)])
    assert (tmp_path / "died").is_file()


def test_shards_are_the_bytes_of_one_process_though_a_worker_is_killed(script, tmp_path):
    people = [person(tmp_path, f"p{number}") for number in range(8)]
    Manifest(tuple(people)).write(tmp_path / "corpus/manifest.jsonl")
    before, after, same = script(
        """
import signal, threading, time
from functools import partial
from pathlib import Path
from damamba.config import ExtractParams
from damamba.features.extract import extract_manifest
from damamba.files import sha256
from tests.extractors_for_tests import Brightness, Settings

def pids():
    return sorted(nanny.pid for nanny in cluster.workers.values())

def kill_one():
    while not list(Path("dask").rglob("p.parquet")):
        time.sleep(0.005)
    os.kill(first[0], signal.SIGKILL)

first = pids()
print(first)
killer = threading.Thread(target=kill_one)
killer.start()
for kind, out in ((kind, "dask"), ("serial", "one")):
    loop = ExtractParams(jobs=0, executor=kind)
    extract_manifest(Brightness, Settings(), Path(out), loop, "brightness", corpus=Path("corpus"))
killer.join()
print([pid for pid in first if Path(f"/proc/{pid}").exists()])
print(sha256(Path("dask")) == sha256(Path("one")))
"""
    )
    assert before.count(",") == 1
    assert "," not in after
    assert same == "True"


def test_what_cannot_work_is_refused(script):
    assert (
        "2 threads"
        in script("""print(refused(lambda: run_all(double, [1], 0, kind, "x")))""", "{'threads_per_worker': 2}")[0]
    )
    assert (
        "has no workers"
        in script("""print(refused(lambda: run_all(double, [1], 0, kind, "x")))""", "{'n_workers': 0}")[0]
    )
    nobody = """
import damamba.cluster
damamba.cluster.PATIENCE_S = 1
print(refused(lambda: run_all(double, [1], 0, "dask:tcp://127.0.0.1:9", "x")))
damamba.cluster.package_digest = lambda: "other"
print(refused(lambda: run_all(double, [1], 0, kind, "x")))
"""
    first, second = script(nobody)
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in first
    assert "another version of damamba" in second
