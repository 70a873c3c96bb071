"""Stage ablate: scores of all runs of params.yaml -> the main table and the ablation."""

import _root

import argparse
from functools import partial
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.corpus.manifest import Manifest
from damamba.metrics import find_metrics
from damamba.report.tables import write_tables
from damamba.scoring.groups import groups_of
from damamba.scoring.runs import RunResult


def main(options: argparse.Namespace) -> str:
    params = Params.load()
    metrics = find_metrics(params.evaluate, params.labels)
    runs = [RunResult.read(options.results, name, params.variants, metrics) for name in params.runs]
    models = {run.variant: params.variant(run.variant) for run in runs}
    people = Manifest.read(options.data / "corpus/manifest.jsonl").participants
    groups = groups_of(people, [one.key for one in runs[0].participants], params.evaluate.by)
    return write_tables(runs, params.evaluate, metrics, models, params.simulated, options.results, groups)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    run_stage("ablate", partial(main, parser.parse_args()))
