"""Stage check: params.yaml -> data/checked.txt: whether all of it can be used, before a name in it becomes a path."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import InputError, run_stage
from damamba.device import check_precision
from damamba.files import replace_file
from damamba_sim.corpora.checks import problems_of

CHECKED = Path("data/checked.txt")


def main() -> str:
    params = Params.load()
    if problems := list(problems_of(params.simulate)) if "simulate" in params.corpus.sources else []:
        raise InputError("\n".join(problems))
    check_precision(params.train.precision)
    replace_file(CHECKED, b"params.yaml can be used\n")  # always the same: what is made from params.yaml stays
    return f"{len(params.cues)} cues, {len(params.variants)} variants, {len(params.runs)} runs"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("check", main, timed=False)
