"""`damamba failed`: what could not be made, and why."""

import argparse
import json
import sys
from pathlib import Path

from damamba.commands.status import FAILED
from damamba.console import printable


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "failed",
        help="participants and stages that failed, with the reason",
        description="Prints the reason of every failure that has not been mended since, a line each. Exit code: 0 "
        "nothing failed, 3 something did.",
        epilog="example: damamba failed",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print and exit; raises `InputError` where there is no pipeline or its manifest is damaged."""
    from damamba.status import pipeline_status

    failures = [failure for stage in pipeline_status(Path()) for failure in stage.failures]
    if options.json:
        print(json.dumps([vars(each) for each in failures], indent=1, ensure_ascii=False))
    else:
        for each in failures:
            who = f"{each.stage} {each.participant}".rstrip()
            print(printable(f"{who}: {each.error}"))
        if not failures:
            print("Nothing failed.")
    sys.exit(FAILED if failures else 0)
