"""One row of the study: `da_mamba` of a corpus with one choice made otherwise, trained and scored.

    python choice.py brief causal-0          # CORPUS CHOICE-SEED; a killed run goes on where it was

Corpora and choices are those of choices.yaml; everything else is the params.yaml of the corpus, and its aligned cues.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml
from row import train_and_score

from damamba.config import Params, split_run
from damamba.console import InputError, item_argument, run_stage
from damamba.scoring.runs import FULL_MODEL

RESULTS = Path("results")


def read_study() -> dict[str, Any]:
    """choices.yaml."""
    return yaml.safe_load(Path("choices.yaml").read_text(encoding="utf8"))


def chosen(corpus: dict[str, Any], changes: dict[str, dict[str, Any]]) -> Params:
    """Parameters of the corpus with these changes, validated."""
    values = Params.load(Path(corpus["folder"]) / "params.yaml").model_dump()
    for changed in (corpus["changes"], changes):
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
    if options.corpus not in study["corpora"]:
        raise InputError(f"choices.yaml has no corpus {options.corpus}; it has {', '.join(study['corpora'])}")
    corpus, choices = study["corpora"][options.corpus], study[options.corpus]
    try:
        choice, seed = split_run(options.run, choices)
    except ValueError as error:
        raise InputError(f"choices.yaml: {error}") from None
    params = chosen(corpus, choices[choice])
    aligned = Path(corpus["folder"]) / "data/aligned"
    return train_and_score(params, params.variant(FULL_MODEL), params.train, seed, aligned, options.corpus, options.run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", metavar="CORPUS", help="a key of `corpora` in choices.yaml")
    parser.add_argument(
        "run", metavar="CHOICE-SEED", help="choice: a key of that corpus's section there", **item_argument()
    )
    options = parser.parse_args()
    run_stage(options.run, main, timed=False)
