"""Stage evaluate: a trained model -> predictions of the split `evaluate.split`, its scores, one row a participant.

``python stages/evaluate.py NAME``, with NAME = VARIANT-SEED.
"""

import _root

import argparse
from functools import partial
from pathlib import Path

import torch

from damamba.config import MAIN, Params
from damamba.console import InputError, item_argument, run_stage
from damamba.data.batch import WindowReader
from damamba.data.causality import require_causal
from damamba.data.shards import Aligned
from damamba.inference import EachLabel, load_trained
from damamba.metrics import find_each
from damamba.scoring.evaluate import score_sessions, write_scores
from damamba.scoring.predictions import label_path


def main(options: argparse.Namespace) -> str:
    params = Params.load()
    metrics = find_each(params.evaluate, params.labels)
    torch.set_num_threads(params.train.threads or torch.get_num_threads())
    model, grid = load_trained(options.models / options.name)
    aligned = Aligned.read(options.aligned)
    require_causal(aligned, model.causal)
    if {MAIN: aligned.annotated, **aligned.also} != params.labels.every:
        raise InputError(f"{options.aligned}: made with other labels than params.yaml: labels; run: dvc repro align")
    predictor = EachLabel(model, WindowReader(aligned, grid))
    lines = []
    for label in model.labels:  # further ones lie beside their predictions, since dvc.yaml cannot list them
        out = label_path(options.predictions / options.name, label)
        what = aligned.of_label(label), params.evaluate.split, metrics[label], out
        scores = score_sessions(partial(predictor.predict, label), *what)
        place = options.name, out if label else options.results, params.simulated, aligned.protocol
        line = write_scores(scores, params.evaluate, metrics[label], *place)
        lines.append(f"{label}: {line}" if label else line)
    return " · ".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="VARIANT-SEED, as in data/models", **item_argument())
    parser.add_argument("--aligned", type=Path, default=Path("data/aligned"))
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--predictions", type=Path, default=Path("data/predictions"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parsed = parser.parse_args()
    run_stage(f"evaluate-{parsed.name}", partial(main, parsed))
