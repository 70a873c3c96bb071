"""The `damamba` command: what is not a stage of the pipeline."""

import argparse
import signal

from damamba import __version__
from damamba.commands import convert, export, extract, import_, init, new, plan, predict, preset, score, stream, submit
from damamba.console import one_line_errors, plain_terminal

COMMANDS = (new, predict, stream, extract, export, preset, convert, import_, init, plan, score, submit)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="damamba", description="Engagement estimation from conversation video and audio."
    )
    parser.add_argument("--version", action="version", version=f"damamba {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(subparsers)
    plain_terminal()
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `damamba … | head` exits quietly
    with one_line_errors("damamba"):
        options.run(options)
