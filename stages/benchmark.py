"""Stage benchmark: parameters, peak memory and time of untrained models; needs no data."""

import _root

import argparse
import json
from pathlib import Path

from damamba.benchmark import run
from damamba.config import Params
from damamba.console import run_stage
from damamba.report.benchmark import memory_figure, memory_table

RESULTS = Path("results")


def main() -> str:
    params = Params.load()
    variants = {name: params.variant(name) for name in params.variants}
    measured = run(params.benchmark, params.window, variants, params.losses)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "benchmark.json").write_text(json.dumps(measured, indent=1) + "\n")
    (RESULTS / "memory.md").write_text(memory_table(measured))
    memory_figure(measured, RESULTS / "memory.svg")
    return f"{len(measured['memory'])} configurations · a window is read in {measured['window_read_ms']} ms"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("benchmark", main)
