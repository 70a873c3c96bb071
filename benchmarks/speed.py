"""The scan and the block beside their peers, as in stage `benchmark`, at more lengths and with more repeats.

    python benchmarks/speed.py        # minutes; on an idle machine

Writes benchmarks/speed.json and speed.md.
"""

import argparse
import json
from pathlib import Path

from damamba.benchmark.peers import compare_with_peers
from damamba.benchmark.process import alone
from damamba.console import run_stage
from damamba.report.benchmark import peers_section

FOLDER = Path("benchmarks")


def main() -> str:
    """Measure and write; returns the summary line."""
    arguments = read_arguments()
    measured = alone(compare_with_peers, arguments.lengths, arguments.repeats)
    (FOLDER / "speed.json").write_text(json.dumps(measured, indent=1) + "\n")
    (FOLDER / "speed.md").write_text("\n".join(peers_section(measured)).removeprefix("#"))
    return f"{len(arguments.lengths)} lengths, {arguments.repeats} calls each"


def read_arguments() -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[96, 192, 384, 768, 1024, 1536, 3072, 6144])
    parser.add_argument("--repeats", type=int, default=15, help="timed calls, after one that does not count")
    return parser.parse_args()


if __name__ == "__main__":
    read_arguments()
    run_stage("speed", main, timed=False)
