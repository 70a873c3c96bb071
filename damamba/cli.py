"""The `damamba` command: what is not a stage of the pipeline."""

import argparse
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab

from damamba import __version__
from damamba.commands import (
    convert,
    export,
    extract,
    failed,
    import_,
    init,
    new,
    plan,
    predict,
    preset,
    score,
    status,
    stream,
    submit,
)
from damamba.console import one_line_errors, plain_terminal

COMMANDS = (new, predict, stream, extract, export, preset, convert, import_, init, plan, status, failed, score, submit)


def main() -> None:
    """Entry point."""
    plain_terminal()
    if Path("params.yaml").is_file():  # own parts in a project's extensions/ are found as its stages find them
        sys.path.append(str(Path.cwd()))
    options = make_parser().parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `damamba … | head` exits quietly
    with one_line_errors("damamba"):
        options.run(options)


def make_parser() -> argparse.ArgumentParser:
    """The command line, with completion of files where an argument is a path."""
    parser = argparse.ArgumentParser(
        prog="damamba", description="Engagement estimation from conversation video and audio."
    )
    parser.add_argument("--version", action="version", version=f"damamba {__version__}")
    shtab.add_argument_to(parser, help="completion for a shell: %(choices)s")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(subparsers)
    for action in _actions(parser):
        if action.type is Path:
            action.complete = shtab.FILE  # pyright: ignore[reportAttributeAccessIssue]
    return parser


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
