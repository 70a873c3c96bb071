"""Recordings as people have them, for tests of `damamba init`."""

import csv
from argparse import Namespace

from damamba.commands.init import run
from damamba.corpus.manifest_csv import read_csv

SECONDS = 2


def init(root, **changed):
    run(
        Namespace(
            **({"root": root, "force": False, "language": "de", "scheme": "engagement", "no_faces": True} | changed)
        )
    )
    return read_csv(root, "manifest.csv", "own")


def rows(root):
    with (root / "manifest.csv").open() as stream:
        return list(csv.DictReader(stream))


SERIES = "0.4\n0.5\n" * SECONDS * 12 + "nan\n0.5\n"
