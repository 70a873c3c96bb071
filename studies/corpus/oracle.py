"""The known answer: oracle.yaml and params.yaml -> results/oracle.json, what can be read at best."""

import json
from pathlib import Path

from damamba.config import Params, read_section
from damamba.console import run_stage
from damamba.executor import run_all
from damamba_sim.oracle.known import OracleParams, answer

OUT = Path("results/oracle.json")


def main() -> str:
    """Measure and write; the summary line."""
    params, oracle = Params.load(), read_section(OracleParams, Path("oracle.yaml"))
    jobs, kind = params.extract.jobs, params.extract.executor
    found = answer(params.simulate, oracle, lambda work, tasks, title: run_all(work, tasks, jobs, kind, title))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    return " · ".join(f"{name} {found[name]['ceiling']:.3f}" for name in found["sessions"])


if __name__ == "__main__":
    run_stage("oracle", main)
