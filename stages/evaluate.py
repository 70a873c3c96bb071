"""Stage evaluate: a trained model -> predictions of the split `evaluate.split`, its scores, one row a participant.

``python stages/evaluate.py NAME``, with NAME = VARIANT-SEED.
"""

import _root

import argparse
from functools import partial
from pathlib import Path

import torch

from damamba.config import Params
from damamba.console import InputError, item_argument, run_stage
from damamba.data.batch import WindowReader
from damamba.data.causality import require_causal
from damamba.data.shards import Aligned
from damamba.inference import load_trained, predict
from damamba.metrics import find_metrics
from damamba.scoring.evaluate import score_sessions, write_scores


def main(options: argparse.Namespace) -> str:
    params = Params.load()
    metrics = find_metrics(params.evaluate, params.labels)
    torch.set_num_threads(params.train.threads or torch.get_num_threads())
    model, grid = load_trained(options.models / options.name)
    aligned = Aligned.read(options.aligned)
    require_causal(aligned, model.causal)
    if aligned.annotated != params.labels:
        raise InputError(f"{options.aligned}: made with other labels than params.yaml: labels; run: dvc repro align")
    predictor = partial(predict, model, WindowReader(aligned, grid))
    scores = score_sessions(predictor, aligned, params.evaluate.split, metrics, options.predictions / options.name)
    return write_scores(
        scores, params.evaluate, metrics, options.name, options.results, params.simulated, aligned.protocol
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="VARIANT-SEED, as in data/models", **item_argument())
    parser.add_argument("--aligned", type=Path, default=Path("data/aligned"))
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--predictions", type=Path, default=Path("data/predictions"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parsed = parser.parse_args()
    run_stage(f"evaluate-{parsed.name}", partial(main, parsed))
