"""`damamba convert`: annotations and predictions from one tool's format into another's."""

import argparse
from pathlib import Path
from typing import get_args

from damamba.config import LABEL_RATE_HZ, MergeMethod
from damamba.corpus.annotations import SUFFIXES
from damamba.corpus.conversion import convert
from damamba.text import duration


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "convert",
        help="annotations from and to CSV, NOVA (.annotation) and ELAN (.eaf)",
        description=(
            "Reads annotations of one participant by one or several annotators, and writes labels of 25 Hz, or "
            "predictions for NOVA or ELAN. Formats follow from the files' endings: .csv has one value a line or "
            "start;end;value, .annotation is SSI or NOVA with the .annotation~ beside it, .eaf is ELAN."
        ),
        epilog="example: damamba convert anna.eaf anna.csv --tier engagement --length-s 300",
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help=f"files in {', '.join(SUFFIXES)}")
    parser.add_argument("output", type=Path, metavar="OUT", help="file in one of them; an existing one is replaced")
    parser.add_argument("--tier", help="tier of ELAN files to read, and name of the tier to write")
    parser.add_argument("--merge", choices=get_args(MergeMethod), default="mean", help="several annotators (mean)")
    parser.add_argument("--min-annotators", type=int, default=1, help="a label by fewer is not valid (1)")
    parser.add_argument("--lag-s", type=float, default=0.0, help="delay of the annotators, s (0)")
    parser.add_argument("--length-s", type=float, help="length of the recording, s (that of the annotation)")
    parser.add_argument("--range", nargs=2, type=float, metavar=("MIN", "MAX"), help="values that become 0 and 1")
    parser.add_argument("--rate-hz", type=float, default=LABEL_RATE_HZ, help="rate of a CSV with one value a line (25)")
    parser.add_argument("--step-s", type=float, default=1.0, help="length of a step in ELAN, s (1)")
    parser.add_argument("--annotator", help="name of the annotator to write (that of IN)")
    parser.add_argument("--role", default="", help="role in the session, for NOVA")
    parser.add_argument("--media", action="append", default=[], help="video or sound beside OUT, for ELAN")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Convert and print what was written; raises `InputError` as `convert`."""
    merged = convert(
        options.inputs,
        options.output,
        tier=options.tier,
        merge_method=options.merge,
        min_annotators=options.min_annotators,
        lag_s=options.lag_s,
        length_s=options.length_s,
        value_range=tuple(options.range) if options.range else None,
        rate_hz=options.rate_hz,
        step_s=options.step_s,
        annotator=options.annotator,
        role=options.role,
        media=options.media,
    )
    if len(options.inputs) > 1:
        for path, weight in zip(options.inputs, merged.weights, strict=True):
            print(f"{path}: weight {weight:.3f}")
    n_labels, n_valid = len(merged.labels), int(merged.labels.valid.sum())
    print(
        f"{options.output}: {n_labels} labels of {LABEL_RATE_HZ} Hz ({duration(n_labels / LABEL_RATE_HZ)}), "
        f"{n_labels - n_valid} not valid"
    )
