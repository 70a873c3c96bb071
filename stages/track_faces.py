"""Stage track_faces: video -> data/faces, one row a decoded frame: box, head transform, landmarks."""

import _root

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.features.extract import add_loop_arguments, run_loop
from damamba.features.faces import FaceTracker

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser)
    options = parser.parse_args()

    def main() -> str:
        params = Params.load()
        return run_loop(FaceTracker, params.faces, Path("data/faces"), options, params, "track_faces", everybody=False)

    run_stage("track_faces", main)
