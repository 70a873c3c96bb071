"""The scan and the block beside their peers, as stage `benchmark` times them, at more lengths and more often.

    python benchmarks/speed.py        # minutes; on an idle machine

Writes benchmarks/speed.json and speed.md.
"""

import argparse
import json
from pathlib import Path

from damamba.benchmark.process import alone
from damamba.benchmark.speed import speed
from damamba.console import run_stage
from damamba.report.benchmark import speed_section

FOLDER = Path("benchmarks")


def main() -> str:
    """Measure and write; returns the summary line."""
    arguments = read_arguments()
    measured = alone(speed, arguments.lengths, arguments.repeats)
    (FOLDER / "speed.json").write_text(json.dumps(measured, indent=1) + "\n")
    (FOLDER / "speed.md").write_text("\n".join(speed_section(measured)).removeprefix("#"))
    return f"{len(arguments.lengths)} lengths, {arguments.repeats} calls each"


def read_arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[96, 192, 384, 768, 1024, 1536, 3072, 6144])
    parser.add_argument("--repeats", type=int, default=15, help="calls that are timed, after one that is not")
    return parser.parse_args()


if __name__ == "__main__":
    read_arguments()
    run_stage("speed", main, timed=False)
