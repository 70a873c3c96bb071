"""The ceiling: oracle.yaml and params.yaml -> results/oracle.json, scores of readers of the true channels."""

import json
from pathlib import Path

import numpy as np

from damamba.config import Params, read_section
from damamba.console import run_stage
from damamba.executor import run_all
from damamba.metrics import Metric, find_metrics
from damamba_sim.oracle.readers import Score
from damamba_sim.oracle.results import OracleParams, oracle_results

OUT = Path("results/oracle.json")


def pooled(metric: Metric) -> Score:
    """Score of (n,) predictions by a metric: moments of each participant-session, added up."""

    def score(predicted: np.ndarray, labels: np.ndarray, seat: np.ndarray) -> float:
        moments = [
            metric.of_series(predicted[rows], labels[rows], np.ones(int(rows.sum()), bool))
            for rows in (seat == number for number in np.unique(seat))
        ]
        return float(metric.of_moments(np.sum(moments, axis=0)))

    return score


def main() -> str:
    """Measure and write; returns the summary line."""
    params, oracle = Params.load(), read_section(OracleParams, Path("oracle.yaml"))
    jobs, kind = params.extract.jobs, params.extract.executor
    results = oracle_results(
        params.simulate,
        oracle,
        {name: pooled(metric) for name, metric in find_metrics(params.evaluate).items()},
        lambda work, tasks, title: run_all(work, tasks, jobs, kind, title),
    )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1) + "\n")
    return " · ".join(f"{name} {results[name]['ceiling']:.3f}" for name in results["sessions"])


if __name__ == "__main__":
    run_stage("oracle", main)
