"""Stage ablate: scores of all runs of params.yaml -> the main table and the ablation."""

import _root

import argparse
from functools import partial
from pathlib import Path

from damamba.config import MAIN, Params, heads_of
from damamba.console import run_stage
from damamba.metrics import find_each
from damamba.report.tables import write_tables
from damamba.scoring.predictions import label_path
from damamba.scoring.runs import RunResult


def main(options: argparse.Namespace) -> str:
    params = Params.load()
    metrics = find_each(params.evaluate, params.labels)
    runs = [RunResult.read(options.results, name, params.variants, metrics[MAIN]) for name in params.runs]
    also = {}
    for label in params.labels.also:
        read = [
            RunResult.read(label_path(options.predictions / run.name, label), run.name, params.variants, metrics[label])
            for run in runs
            if label in heads_of(params.variant(run.variant).weights, params.losses)
        ]
        if read:
            also[label] = read, metrics[label]
    models = {run.variant: params.variant(run.variant) for run in runs}
    return write_tables(runs, params.evaluate, metrics[MAIN], models, params.simulated, options.results, also)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=Path, default=Path("data/predictions"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    run_stage("ablate", partial(main, parser.parse_args()))
