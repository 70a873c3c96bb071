"""Options of every stage that loops over participants."""

import argparse

from damamba.config import ExtractParams


def add_loop_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--session`` and ``--jobs``."""
    parser.add_argument("--session", metavar="ID", help="only this session: ID, or CORPUS/ID")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="worker processes (default: extract.jobs; 0 = one per core)"
    )


def workers(params: ExtractParams, jobs: int | None) -> ExtractParams:
    """Section `extract`, with the workers of the option ``--jobs`` if it was given."""
    return params if jobs is None else params.model_copy(update={"jobs": jobs})
