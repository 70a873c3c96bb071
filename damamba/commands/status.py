"""`damamba status`: how far the pipeline is, stage by stage."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from damamba.text import MISSING, columns

if TYPE_CHECKING:
    from damamba.status import StageStatus

FAILED, UNFINISHED = 3, 4
"""Exit codes, beside 0: all is done."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "status",
        help="what is done, running, failed and left, by stage and cue",
        description="Counts the artefacts of every stage, also while a run is going on. A file that exists counts as "
        "done; whether it is up to date, dvc status finds out. Exit code: 0 all done, 3 something failed, 4 something "
        "is left.",
        epilog="example: damamba status",
    )
    parser.add_argument("--json", action="store_true", help="counts and failures as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print and exit; raises `InputError` where there is no pipeline or its manifest is damaged."""
    from damamba.status import pipeline_status

    stages = pipeline_status(Path())
    failures = [failure for stage in stages for failure in stage.failures]
    if options.json:
        content = {"stages": [stage.as_json() for stage in stages], "failures": [vars(each) for each in failures]}
        print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(_table(stages)))
        if failures:
            print(f"\n{len(failures)} failed: damamba failed")
    if failures:
        sys.exit(FAILED)
    sys.exit(0 if all(stage.state == "done" for stage in stages) else UNFINISHED)


def _table(stages: "Sequence[StageStatus]") -> list[str]:
    header = ["stage", "state", "of", "done", "writing", "failed", "left"]
    rows = []
    for stage in stages:
        counts = (stage.total, stage.done, stage.writing, len(stage.failures), stage.left)
        rows.append([stage.stage, stage.state, *(MISSING if count is None else str(count) for count in counts)])
    return columns(header, rows, left=2)
