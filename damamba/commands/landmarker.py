"""`damamba landmarker`: get the face landmarker's model file."""

import argparse
from pathlib import Path

from damamba.config import Params
from damamba.features.landmarker import fetch_model


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("landmarker", help="get the face landmarker's model file (make setup does this)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Fetch the file unless it is there; raises `InputError` where it cannot be had or is not the pinned one."""
    path = Path(Params.load().faces.model)
    if fetch_model(path):
        print(f"{path}: MediaPipe FaceLandmarker, Apache-2.0")
