"""Stage benchmark: parameters, peak memory and time of untrained models; needs no data."""

import _root

import argparse
import json
from pathlib import Path

from damamba.benchmark.run import run_benchmark
from damamba.config import Params, split_run
from damamba.console import run_stage
from damamba.files import replace_file
from damamba.report.benchmark import memory_figure, memory_table, speed_table

RESULTS = Path("results")


def main() -> str:
    params = Params.load()
    trained = {split_run(run, params.variants)[0] for run in params.runs}
    variants = {name: params.variant(name) for name in params.variants if name in trained}
    results, times = run_benchmark(params.benchmark, params.window, params.losses, variants)
    texts = {
        "benchmark.json": json.dumps(results, indent=1) + "\n",
        "memory.md": memory_table(results),
        "speed.json": json.dumps(times, indent=1) + "\n",
        "speed.md": speed_table(times),
    }
    for name, text in texts.items():
        replace_file(RESULTS / name, text.encode())
    memory_figure(results, RESULTS / "memory.svg")
    return f"{len(results['memory'])} configurations · a window is read in {times['window_read_ms']} ms"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("benchmark", main)
