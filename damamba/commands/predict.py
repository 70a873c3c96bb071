"""`damamba predict`: engagement of the people in videos, with a trained model."""

import argparse
import logging
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ, ExtractParams
from damamba.console import InputError, printable
from damamba.predictor import SHIPPED
from damamba.predictor.result import TOOLS
from damamba.predictor.videos import Conversation


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "predict",
        help="engagement of the people in videos, with a trained model",
        description="Takes one video a person. All VIDEOs belong to one conversation. A folder may hold several: "
        "SESSION/PERSON.mp4, or SESSION_PERSON.mp4 side by side. A sound file with the name of a video is used in "
        "place of its own sound. Writes a CSV and a Parquet file for each person, with 25 values a second, and "
        "report.html, in which curves follow the videos. A run that was stopped continues where it was.",
        epilog="example: damamba predict expert.mp4 novice.mp4 -o out",
    )
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="video of a person, or folder")
    parser.add_argument(
        "--partner", type=Path, nargs="+", default=[], metavar="VIDEO", help="of people who are not predicted"
    )
    parser.add_argument(
        "--people",
        type=number_of_people,
        metavar="N",
        help="people in the one VIDEO, or all: each becomes a participant, from left to right (1)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        default=SHIPPED,
        metavar="DIR",
        help="folder of a trained model (the shipped one)",
    )
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("engagement"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--for",
        dest="tools",
        action="append",
        choices=sorted(TOOLS),
        default=[],
        help="write a file for this tool too",
    )
    parser.add_argument("--jobs", type=workers, default=0, metavar="N", help="worker processes (0: one a core)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Predict, write, print.

    Raises:
        InputError: A video or the model cannot be used, or no video shows a face or holds a voice.
    """
    from damamba.predictor.page import write_page
    from damamba.predictor.run import SIMULATED, predict_videos  # loads torch

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    conversations = conversations_of(options.videos, options.partner)
    loop = ExtractParams(jobs=options.jobs, executor="processes")
    prediction = predict_videos(conversations, options.model, options.out, loop, options.people)
    prediction.write(options.out, tuple(options.tools))
    write_page(prediction, options.out / "report.html")
    if all(np.isnan(one.engagement).all() for one in prediction.participants):
        raise InputError("\n".join([*prediction.notes, "nobody was seen or heard, so there is no prediction"]))
    for note in prediction.notes:
        print(printable(f"note: {note}"))
    if prediction.model.get("simulated"):
        print(f"note: this model was trained on {SIMULATED}")
    seconds = sum(len(one.engagement) for one in prediction.participants) / LABEL_RATE_HZ
    people = len(prediction.participants)
    print(f"{options.out / 'report.html'}: {people} {'person' if people == 1 else 'people'}, {seconds / 60:.1f} min")


def conversations_of(videos: list[Path], partners: list[Path]) -> list[Conversation]:
    """Files are one conversation together; a folder has one or more.

    Raises:
        InputError: Files and folders are mixed, or partners are named beside folders.
    """
    folders = [path for path in videos if path.is_dir()]
    if not folders:
        return [Conversation.of_files(videos, partners)]
    if len(folders) < len(videos) or partners:
        raise InputError(f"{folders[0]}: is a folder; name either videos of one conversation, or folders of several")
    found = [one for folder in folders for one in Conversation.of_folder(folder)]
    names = [one.name for one in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two conversations are called {twice}; predict the folders one after the other")
    return found


def number_of_people(text: str) -> int | str:
    """A number of people, or all, for argparse."""
    from damamba.predictor.people import MOST_PEOPLE

    if text == "all":
        return text
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PEOPLE:
        raise argparse.ArgumentTypeError(f"{text}: expected 1 to {MOST_PEOPLE}, or all")
    return int(text)


def workers(text: str) -> int:
    """A number of worker processes, for argparse."""
    number = int(text)
    if not 0 <= number <= 1024:
        raise argparse.ArgumentTypeError(f"{text}: expected 0 (one a core) to 1024")
    return number
