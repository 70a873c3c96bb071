"""The `damamba` command: what is not a stage of the pipeline."""

import argparse
import signal
import sys

from damamba.commands import convert, init, plan, preset, score, submit
from damamba.console import plain_terminal, printable
from damamba.files import FileError, disk_problem

COMMANDS = (preset, convert, init, plan, score, submit)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="damamba", description="Engagement estimation from conversation video and audio."
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(subparsers)
    plain_terminal()
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `damamba … | head` exits quietly
    try:
        options.run(options)
    except FileError as error:
        print(f"damamba: error: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if (line := disk_problem(error)) is None:
            raise
        print(f"damamba: error: {line}", file=sys.stderr)
        sys.exit(1)
