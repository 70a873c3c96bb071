"""Stage align: every cue and label of a session on one grid -> data/aligned."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.corpus.manifest import Manifest
from damamba.data.align import align_all
from damamba.executor import run_all

CORPUS, FEATURES, ALIGNED = Path("data/corpus"), Path("data/features"), Path("data/aligned")


def main() -> str:
    params = Params.load()
    return align_all(
        params.cues,
        params.align,
        params.corpus.protocol.name,
        Manifest.read(CORPUS / "manifest.jsonl"),
        FEATURES,
        CORPUS,
        ALIGNED,
        lambda function, tasks: run_all(function, tasks, params.extract.jobs, params.extract.executor, "align"),
        labels=params.labels,
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("align", main)
