"""The ceiling: oracle.yaml and params.yaml -> results/oracle.json, scores of readers of the true channels."""

import json
import math
from pathlib import Path

import numpy as np

from damamba.config import Params, read_section
from damamba.console import run_stage
from damamba.executor import run_all
from damamba.metrics import ccc
from damamba_sim.oracle.results import OracleParams, oracle_results

OUT = Path("results/oracle.json")


def pooled_ccc(predicted: np.ndarray, labels: np.ndarray) -> float:
    """CCC of (n,) predictions; NaN where it is undefined."""
    value = ccc(predicted, labels, np.ones(len(labels), bool))
    return math.nan if value is None else value


def main() -> str:
    """Measure and write; returns the summary line."""
    params, oracle = Params.load(), read_section(OracleParams, Path("oracle.yaml"))
    jobs, kind = params.extract.jobs, params.extract.executor
    results = oracle_results(
        params.simulate, oracle, pooled_ccc, lambda work, tasks, title: run_all(work, tasks, jobs, kind, title)
    )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1) + "\n")
    return " · ".join(f"{name} {results[name]['ceiling']:.3f}" for name in results["sessions"])


if __name__ == "__main__":
    run_stage("oracle", main)
