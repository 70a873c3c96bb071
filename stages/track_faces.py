"""Stage track_faces: video -> data/faces, one row per decoded frame: box, head transform, landmarks."""

import _root

import argparse
from functools import partial
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.features.extract import extract_manifest
from damamba.features.faces import FaceTracker
from damamba.features.options import add_loop_arguments, workers

OUT = Path("data/faces")


def main(options: argparse.Namespace) -> str:
    params = Params.load()
    loop = workers(params.extract, options.jobs)
    return extract_manifest(FaceTracker, params.faces, OUT, loop, "track_faces", options.session, skip_missing=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_loop_arguments(parser)
    run_stage("track_faces", partial(main, parser.parse_args()))
