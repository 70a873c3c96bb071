"""`damamba extract`: cues of the people in videos, without a model."""

import argparse
import logging
from pathlib import Path

from damamba.commands.predict import conversations_of, workers
from damamba.config import ExtractParams
from damamba.console import printable
from damamba.predictor import PRESET


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "extract",
        help="cues of the people in videos: expression, flow, speech and others, a row at each of their times",
        description="Takes one video a person, or folders as `damamba predict` takes them. Writes a CSV and a Parquet "
        "file for each person and cue, at the cue's own rate. A run that was stopped continues where it was.",
        epilog="example: damamba extract anna.mp4 ben.mp4 --cue expression --cue flow -o cues",
    )
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="video of a person, or folder")
    parser.add_argument("--cue", action="append", metavar="NAME", dest="cues", help="only this one (all of the preset)")
    parser.add_argument("--preset", default=PRESET, help="whose cues and encoders (%(default)s)")
    parser.add_argument("-o", "--out", type=Path, default=Path("cues"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--jobs", type=workers, default=0, metavar="N", help="worker processes (0: one a core)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Compute, write, print; raises `InputError` where a video or an encoder cannot be used."""
    from damamba.predictor.cues import chosen_cues, extract_videos

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    cues = chosen_cues(options.preset, options.cues)
    conversations = conversations_of(options.videos, [])
    found = extract_videos(conversations, cues, options.out, ExtractParams(jobs=options.jobs, executor="processes"))
    for note in found.notes:
        print(printable(f"note: {note}"))
    files = 0
    for one in found.cues:  # one after the other, each freed before the next is read
        files += len(one.write(options.out))
        x, valid = one.stream.x, one.stream.valid
        seen = valid.mean() if len(valid) else 0.0
        print(f"{one.session}/{one.participant}.{one.cue}: {x.shape[0]} rows of {x.shape[1]}, {seen:.0%} valid")
        del one.stream
    print(f"{options.out}: {files} files")
