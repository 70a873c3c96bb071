"""Stage ablate: scores of all runs of params.yaml -> the main table and the ablation."""

import _root

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from damamba.config import MAIN, Params, heads_of
from damamba.console import run_stage
from damamba.corpus.manifest import Manifest
from damamba.metrics import find_each
from damamba.report.tables import write_tables
from damamba.scoring.groups import groups_of
from damamba.scoring.participants import Groups
from damamba.scoring.predictions import label_path
from damamba.scoring.runs import RunResult


def main(options: argparse.Namespace) -> str:
    params = Params.load()
    people = Manifest.read(options.data / "corpus/manifest.jsonl").participants

    def groups(own: Sequence[RunResult]) -> Groups:
        return groups_of(people, [one.key for one in own[0].participants], params.evaluate.by)

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
            also[label] = read, metrics[label], groups(read)
    models = {run.variant: params.variant(run.variant) for run in runs}
    return write_tables(
        runs, params.evaluate, metrics[MAIN], models, params.simulated, options.results, groups(runs), also
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=Path, default=Path("data/predictions"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    run_stage("ablate", partial(main, parser.parse_args()))
