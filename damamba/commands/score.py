"""`damamba score`: any folder of predictions against labels, as the challenge scores."""

import argparse
import json
import sys
from pathlib import Path

from damamba.config import MAIN
from damamba.console import printable
from damamba.files import replace_file
from damamba.report.scorecard import scorecard_lines, scorecard_warnings
from damamba.scoring.scorecard import score_folder


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "score",
        help="score predictions against labels as the challenge does",
        description="One CCC a corpus over all frames of all sessions and participants, paired by frame and then "
        "masked; Global is the mean over corpora. Classes have Cohen's kappa, and with the corpora of 2026 comes the "
        "challenge's weighted score. TRUTH: a release's tree, a folder with manifest.csv, data/corpus or "
        "data/aligned. PREDICTIONS: a folder or zip with [CORPUS/]SESSION/ROLE.engagement.prediction.csv (2026) or "
        "….engagement.annotation.csv (2023, 2024), or data/predictions/RUN.",
        epilog="example: damamba score data/recordings predictions/ --by gender",
    )
    parser.add_argument("truth", type=Path, metavar="TRUTH")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS")
    parser.add_argument("--split", choices=["train", "val", "test", "all"], default="test", help="default: %(default)s")
    parser.add_argument(
        "--label", default=MAIN, metavar="NAME", help="one of labels.also, predicted in data/predictions/RUN/also/NAME"
    )
    parser.add_argument(
        "--official",
        action="store_true",
        help="pair as the challenge's script does: remove invalid lines of either file first, then pair by index",
    )
    parser.add_argument("--partial", action="store_true", help="score the rest where predictions are missing or wrong")
    parser.add_argument("--resamples", type=int, default=1000, metavar="N", help="of sessions (default: %(default)s)")
    parser.add_argument("--confidence", type=float, default=0.95, metavar="SHARE", help="default: %(default)s")
    parser.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="COLUMN",
        help="scores by a column of the manifest too, or by group_size; repeatable",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Score, print, write; raises `InputError` where the result would not be the score of the whole corpus."""
    card, findings = score_folder(
        options.truth,
        options.predictions,
        split=options.split,
        label=options.label,
        official=options.official,
        partial=options.partial,
        resamples=options.resamples,
        confidence=options.confidence,
        by=options.by,
    )
    print(printable("\n".join(scorecard_lines(card))))
    for line in scorecard_warnings(card, findings):
        print(f"damamba: warning: {printable(line)}", file=sys.stderr)
    if options.json:
        replace_file(options.json, (json.dumps(card, indent=1, allow_nan=False) + "\n").encode())
