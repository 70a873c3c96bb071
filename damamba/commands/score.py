"""`damamba score`: predictions that anybody made, against labels, as the challenge scores."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from damamba.console import InputError
from damamba.files import whole_file
from damamba.scoring.pairing import Finding, opened, pair
from damamba.scoring.scorecard import scorecard
from damamba.scoring.truth import read_truth
from damamba.text import MISSING, columns, number, some

DIFFERS = 5e-4  # shows in the third decimal
SHOWN = 12


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "score",
        help="score predictions against labels as the challenge does",
        description="One CCC a corpus over all frames of all sessions and participants, paired by frame and then "
        "masked; Global is the mean over corpora. TRUTH: a release's tree, a folder with manifest.csv, data/corpus or "
        "data/aligned. PREDICTIONS: a folder or zip with [CORPUS/]SESSION/ROLE.engagement.prediction.csv (2026) or "
        "….engagement.annotation.csv (2023, 2024), or data/predictions/RUN.",
    )
    parser.add_argument("truth", type=Path, metavar="TRUTH")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS")
    parser.add_argument("--split", choices=["train", "val", "test", "all"], default="test", help="default: %(default)s")
    parser.add_argument(
        "--official",
        action="store_true",
        help="pair as the challenge's script does: remove invalid lines of either file first, then pair by index",
    )
    parser.add_argument(
        "--partial", action="store_true", help="score what there is, though predictions are missing or wrong"
    )
    parser.add_argument("--resamples", type=int, default=1000, metavar="N", help="of sessions (default: %(default)s)")
    parser.add_argument("--confidence", type=float, default=0.95, metavar="SHARE", help="default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Check, score, print; raises `InputError` where the score would not be that of the corpus."""
    if not 0 < options.confidence < 1 or options.resamples < 1:
        raise InputError("--confidence must lie between 0 and 1 and --resamples above 0")
    if options.truth.resolve() == options.predictions.resolve():
        raise InputError(f"{options.truth}: labels and predictions are the same folder; that scores 1 and says nothing")
    truth = read_truth(options.truth, options.split)
    with opened(options.predictions) as folder:
        pairs, findings = pair(folder, truth)
    if options.official:  # predictions for valid frames only are what this pairing is for
        findings = [f for f in findings if f.kind != "length" or "--official" not in f.text]
    wrong = [finding for finding in findings if finding.wrong]
    if wrong and not options.partial:
        raise InputError(
            "\n".join(
                [
                    *map(str, wrong),
                    f"{options.predictions}: {len(wrong)} of {len(truth)} participants cannot be scored, so this would "
                    "not be the score of the corpus; mend them, or score the rest with --partial",
                ]
            )
        )
    card = scorecard(
        pairs, findings, official=options.official, resamples=options.resamples, confidence=options.confidence
    )
    print("\n".join(summary(card)))
    for line in warnings(card, findings):
        print(f"damamba: warning: {line}", file=sys.stderr)
    if options.json:
        with whole_file(options.json) as temporary:
            temporary.write_text(json.dumps(card, indent=1, allow_nan=False) + "\n", encoding="utf8")


def summary(card: dict[str, Any]) -> list[str]:
    """What a person reads first: the scores, then where they come from."""
    counts = ("sessions", "participants", "frames", "invalid", "missing")
    rows = [
        [corpus, number(row["ccc"]), _span(row["interval"]), *(str(row[name]) for name in counts)]
        for corpus, row in card["corpora"].items()
    ]
    totals = [str(sum(row[name] for row in card["corpora"].values())) for name in counts]
    rows.append(["Global", number(card["global"]), _span(card["interval"]), *totals])
    lines = [f"CCC, paired {card['pairing']}; {card['confidence']:.0%} interval over two or more sessions", ""]
    lines += columns(["corpus", "CCC", "interval", *counts], rows)
    grouped = [
        [corpus, attribute, value, number(row["ccc"]), number(row["disparity"], signed=True), str(row["frames"])]
        for corpus, attributes in card["groups"].items()
        for attribute, values in attributes.items()
        for value, row in values.items()
    ]
    if grouped:
        lines += ["", "By group; disparity = prediction above that of everybody with the same label", ""]
        lines += columns(["corpus", "by", "group", "CCC", "disparity", "frames"], grouped, left=3)
        gaps = [
            [corpus, attribute, number(gap["ccc"]), number(gap["disparity"])]
            for corpus, attributes in card["gaps"].items()
            for attribute, gap in attributes.items()
        ]
        lines += ["", *columns(["corpus", "gap by", "CCC", "disparity"], gaps, left=2)]
    worst = sorted((row for row in card["sessions"] if row["ccc"] is not None), key=lambda row: row["ccc"])[:SHOWN]
    shown = [
        [f"{row['corpus']}/{row['session']}", row["language"], number(row["ccc"]), *(str(row[n]) for n in counts[2:])]
        for row in worst
    ]
    which = f"the {SHOWN} lowest of {len(card['sessions'])}" if len(card["sessions"]) > SHOWN else "lowest first"
    return [*lines, "", f"Sessions, {which}", "", *columns(["session", "language", "CCC", *counts[2:]], shown, left=2)]


def _span(ends: list[float | None]) -> str:
    return MISSING if None in ends else f"[{number(ends[0])}, {number(ends[1])}]"


def warnings(card: dict[str, Any], findings: list[Finding]) -> list[str]:
    """What a reader of the scores should know about the folder and the protocol."""
    lines = []
    for kind in dict.fromkeys(finding.kind for finding in findings):
        held = [str(finding) for finding in findings if finding.kind == kind]
        lines.append(f"{len(held)} × {kind}: {some(held, 3)}")
    other = card["other_pairing"]
    name = "by frame" if card["pairing"] == "official" else "official"
    for corpus, row in card["corpora"].items():
        ours, theirs = row["ccc"], other["corpora"][corpus]
        if (ours is None) != (theirs is None) or (ours is not None and abs(ours - theirs) > DIFFERS):
            lines.append(
                f"{corpus}: CCC {number(ours)} paired {card['pairing']}, {number(theirs)} paired {name}: labels with "
                "invalid lines before their end shift one against the other; say which you report"
            )
    undefined = [corpus for corpus, row in card["corpora"].items() if row["ccc"] is None]
    if undefined:
        lines.append(f"CCC undefined for {', '.join(undefined)}: no frame, or two equal constants; so is Global")
    return lines
