"""Stage evaluate: a trained model -> predictions of the split `evaluate.split`, its CCC by corpus, one row a session.

``python stages/evaluate.py NAME``, with NAME = VARIANT-SEED.
"""

import _root

import argparse
from functools import partial
from pathlib import Path

import torch

from damamba.config import Params, WindowParams, parse_section
from damamba.console import run_stage
from damamba.data.batch import WindowReader
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.inference import predict
from damamba.model import load_model
from damamba.model.checkpoint import read_description
from damamba.scoring.evaluate import score_sessions, write_scores


def main() -> str:
    params = Params.load()
    torch.set_num_threads(params.train.threads or torch.get_num_threads())
    checkpoint = options.models / options.name
    model = load_model(checkpoint)
    window = parse_section(WindowParams, read_description(checkpoint).extra["window"], f"{checkpoint}: window")
    aligned = Aligned.read(options.aligned)
    reader = WindowReader(aligned, WindowGrid.of(window))
    tell = partial(predict, model, reader)
    sessions = score_sessions(tell, aligned, params.evaluate.split, options.predictions / options.name)
    return write_scores(sessions, params.evaluate, options.name, options.results, params.simulated, aligned.protocol)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="VARIANT-SEED, as in data/models")
    parser.add_argument("--aligned", type=Path, default=Path("data/aligned"))
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--predictions", type=Path, default=Path("data/predictions"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    run_stage(f"evaluate-{options.name}", main)
