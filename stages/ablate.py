"""Stage ablate: scores of all runs of params.yaml -> the main table and the ablation."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.report.tables import write_tables
from damamba.scoring.results import RunResult

RESULTS = Path("results")


def main() -> str:
    params = Params.load()
    runs = [RunResult.read(RESULTS, name, params.variants) for name in params.runs]
    models = {run.variant: params.variant(run.variant) for run in runs}
    return write_tables(runs, params.evaluate, models, params.simulated, RESULTS)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("ablate", main)
