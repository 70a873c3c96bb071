"""One row of the study: a variant trained and scored on wide streams.

python wide.py 24-da_mamba-0             # TRACKS-VARIANT-SEED; a killed run goes on where it was
"""

import argparse
from pathlib import Path

from row import train_and_score

from damamba.config import Params, split_run
from damamba.console import InputError, item_argument, run_stage


def main() -> str:
    """Train, predict, score; the summary line."""
    params = Params.load()
    tracks, _, run = options.row.partition("-")
    try:
        variant, seed = split_run(run, params.variants)
    except ValueError as error:
        raise InputError(str(error)) from None
    aligned = Path("data") / tracks / "aligned"
    return train_and_score(params, params.variant(variant), params.training(variant), seed, aligned, tracks, run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", metavar="TRACKS-VARIANT-SEED", **item_argument())
    options = parser.parse_args()
    run_stage(options.row, main, timed=False)
