"""The known answer: oracle.yaml and params.yaml -> a file of what can be read at best.

python oracle.py ../../results/oracle.json
"""

import argparse
import json
from pathlib import Path

from damamba.config import Params, read_section
from damamba.console import run_stage
from damamba.executor import run_all
from damamba_sim.oracle.known import OracleParams, answer


def main() -> str:
    """Measure and write; the summary line."""
    params, oracle = Params.load(), read_section(OracleParams, Path("oracle.yaml"))
    jobs, kind = params.extract.jobs, params.extract.executor
    found = answer(params.simulate, oracle, lambda work, tasks, title: run_all(work, tasks, jobs, kind, title))
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    return " · ".join(f"{name} {found[name]['ceiling']:.3f}" for name in found["sessions"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    run_stage("oracle", main)
