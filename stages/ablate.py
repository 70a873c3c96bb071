"""Stage ablate: scores of all runs of params.yaml -> the main table and the ablation."""

import _root

import argparse
from functools import partial
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.metrics import find_metrics
from damamba.report.tables import write_tables
from damamba.scoring.runs import RunResult


def main(options: argparse.Namespace) -> str:
    params = Params.load()
    metrics = find_metrics(params.evaluate, params.labels)
    runs = [RunResult.read(options.results, name, params.variants, metrics) for name in params.runs]
    models = {run.variant: params.variant(run.variant) for run in runs}
    return write_tables(runs, params.evaluate, metrics, models, params.simulated, options.results)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    run_stage("ablate", partial(main, parser.parse_args()))
