"""Stage ingest: sources of sessions -> data/corpus: one manifest over all of them, and their labels."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.executor import run_all
from damamba.ingest.run import ingest

CORPUS = Path("data/corpus")


def main() -> str:
    params = Params.load()
    jobs, kind = params.extract.jobs, params.extract.executor
    return ingest(
        params.corpus, CORPUS, lambda function, tasks: run_all(function, tasks, jobs, kind, "ingest"), params.labels
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("ingest", main)
