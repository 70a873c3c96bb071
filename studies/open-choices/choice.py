"""One row of the study: `da_mamba` of ../corpus with one choice made otherwise, trained and scored.

    python choice.py causal-0          # CHOICE-SEED; a killed run goes on where it was

Choices are those of choices.yaml; everything else is ../corpus/params.yaml, and its aligned cues.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from damamba.config import Params, split_run
from damamba.console import InputError, run_stage
from damamba.data.batch import WindowReader
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.inference import predict
from damamba.report.results import FULL_MODEL
from damamba.scoring import score_sessions, write_scores
from damamba.training import Run, fit, run_key

CORPUS, RESULTS = Path("../corpus"), Path("results")


def read_choices() -> dict[str, dict[str, Any]]:
    """Choice -> section -> what it changes there."""
    return yaml.safe_load(Path("choices.yaml").read_text(encoding="utf8"))["choices"]


def chosen(changes: dict[str, Any]) -> Params:
    """Parameters of the corpus study with these changes, validated."""
    held = Params.load(CORPUS / "params.yaml").model_dump()
    return Params.model_validate(held | {section: held[section] | new for section, new in changes.items()})


def main() -> str:
    """Train, predict, score; the summary line."""
    choices = read_choices()
    try:
        choice, seed = split_run(options.run, choices)
    except ValueError as error:
        raise InputError(f"choices.yaml: {error}") from None
    params, aligned = chosen(choices[choice]), Aligned.read(CORPUS / "data/aligned")
    torch.set_num_threads(params.train.threads or torch.get_num_threads())
    aligned.verify()
    run = Run(aligned, params, FULL_MODEL, seed)
    resume = Path("state") / f"{options.run}-{run_key(aligned, params, FULL_MODEL, seed, None)}.pt"
    model = fit(run, resume, label=f"train {options.run}")
    tell = partial(predict, model, WindowReader(aligned, WindowGrid.of(params.window)))
    scored = score_sessions(tell, aligned, params.evaluate.split, Path("data/predictions") / options.run)
    resume.unlink(missing_ok=True)
    return write_scores(scored, params.evaluate, options.run, RESULTS, params.simulated, aligned.protocol)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="CHOICE-SEED", help="choice: a key of `choices` in choices.yaml")
    options = parser.parse_args()
    run_stage(options.run, main)
