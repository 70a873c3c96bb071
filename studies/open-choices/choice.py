"""One row of the study: `da_mamba` with one choice made otherwise, trained and scored.

    python choice.py causal-0                # CHOICE-SEED; a killed run goes on where it was

Choices are those of choices.yaml; everything else is the params.yaml of the study `corpus`, and its aligned cues.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml
from row import train_and_score

from damamba.config import Params, split_run
from damamba.console import InputError, item_argument, run_stage
from damamba.scoring.runs import FULL_MODEL

CORPUS = Path("../corpus")


def read_study() -> dict[str, Any]:
    """choices.yaml."""
    return yaml.safe_load(Path("choices.yaml").read_text(encoding="utf8"))


def chosen(study: dict[str, Any], choice: str) -> Params:
    """Parameters with these changes, validated."""
    values = Params.load(CORPUS / "params.yaml").model_dump()
    for changed in (study["common"], study["choices"][choice]):
        values = merged(values, changed)
    params = Params.model_validate(values)
    params.check_settings()
    return params


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with the keys of `changes`, at any depth."""
    return values | {
        key: merged(values[key], new) if isinstance(new, dict) and isinstance(values.get(key), dict) else new
        for key, new in changes.items()
    }


def main() -> str:
    """Train, predict, score; the summary line."""
    study = read_study()
    try:
        choice, seed = split_run(options.run, study["choices"])
    except ValueError as error:
        raise InputError(f"choices.yaml: {error}") from None
    params = chosen(study, choice)
    aligned = CORPUS / "data/aligned"
    return train_and_score(params, params.variant(FULL_MODEL), params.train, seed, aligned, "", options.run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="CHOICE-SEED", help="choice: a key of `choices`", **item_argument())
    options = parser.parse_args()
    run_stage(options.run, main, timed=False)
