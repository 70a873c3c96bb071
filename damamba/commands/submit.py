"""`damamba submit`: a run's predictions of the test split, packed as the challenge wants them."""

import argparse
from pathlib import Path

from damamba.console import InputError
from damamba.corpus.challenge import ENDINGS
from damamba.scoring.submission import collect, count_lines, read_added, shortcomings, write_submission
from damamba.text import columns


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "submit",
        help="pack a run's predictions for the challenge",
        description="Writes a zip with the challenge's folders and file names, six decimals, a line for every label "
        "frame of every participant of the test split, and reads it back. Participants without labels, whom the "
        "stage evaluate leaves out, are predicted now.",
        epilog="example: damamba submit da_mamba-0 out.zip --edition 2026",
    )
    parser.add_argument("name", metavar="RUN", help="VARIANT-SEED, as in data/models and data/predictions")
    parser.add_argument("out", type=Path, metavar="OUT.zip")
    parser.add_argument("--edition", type=int, choices=sorted(ENDINGS), required=True, help="decides the file names")
    parser.add_argument(
        "--add",
        type=Path,
        nargs="+",
        default=[],
        metavar="ZIP",
        help="submissions of runs on other labels, whose files are packed too",
    )
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Collect, pack, print; raises `InputError` where the result would not be a submission."""
    if options.out.suffix != ".zip":
        raise InputError(f"{options.out}: the challenge takes a zip; name a file that ends in .zip")
    files, predicted = collect(options.data, options.name, options.edition)
    added = read_added(options.add, files)
    write_submission(files, options.out, added)
    rows = ([folder, label, *map(str, counts)] for folder, label, *counts in count_lines(files, added))
    lines = [*columns(["folder", "label", "sessions", "files", "lines"], rows, left=2), ""]
    lines += [f"note: {note}" for note in shortcomings(files, predicted, options.edition, added)]
    print("\n".join([*lines, f"{options.out}: {len(files) + len(added)} files, read back and equal"]))
