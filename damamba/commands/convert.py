"""`damamba convert`: annotations and predictions from one tool's format into another's."""

import argparse
from pathlib import Path
from typing import get_args

from damamba.config import LABEL_RATE_HZ, MergeMethod
from damamba.console import InputError
from damamba.corpus.agreement import merge
from damamba.corpus.annotations import MAX_S, SUFFIXES, read_annotation, write_annotation

MAX_LAG_S = 60.0
"""Nobody answers later than that."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Hand the parser to the command."""
    parser = commands.add_parser(
        "convert",
        help="annotations from and to CSV, NOVA (.annotation) and ELAN (.eaf)",
        description=(
            "Read annotations of one person, by one or several annotators, and write labels of 25 Hz, or predictions "
            "for NOVA or ELAN. The names' endings say the formats: .csv is one value a line or start;end;value, "
            ".annotation is SSI or NOVA with the .annotation~ beside it, .eaf is ELAN."
        ),
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help=f"files in {', '.join(SUFFIXES)}")
    parser.add_argument("output", type=Path, metavar="OUT", help="file in one of them; an existing one is replaced")
    parser.add_argument("--tier", help="tier of ELAN files to read, and name of the tier to write")
    parser.add_argument("--merge", choices=get_args(MergeMethod), default="mean", help="several annotators (mean)")
    parser.add_argument("--min-annotators", type=int, default=1, help="fewer make a label invalid (1)")
    parser.add_argument("--lag-s", type=float, default=0.0, help="time by which annotators answer late, s (0)")
    parser.add_argument("--length-s", type=float, help="length of the recording, s (of the annotation)")
    parser.add_argument("--range", nargs=2, type=float, metavar=("MIN", "MAX"), help="values that become 0 and 1")
    parser.add_argument("--rate-hz", type=float, default=LABEL_RATE_HZ, help="of a CSV with one value a line (25)")
    parser.add_argument("--step-s", type=float, default=1.0, help="length of a step in ELAN, s (1)")
    parser.add_argument("--annotator", help="whose opinion is written (the annotator of IN)")
    parser.add_argument("--role", default="", help="role in the session, for NOVA")
    parser.add_argument("--media", action="append", default=[], help="video or sound beside OUT, for ELAN")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read, merge, write, and say what was done.

    Raises:
        InputError: As the readers and writers do, or OUT is one of the inputs.
    """
    inputs: list[Path] = options.inputs
    if options.output.resolve() in {path.resolve() for path in inputs}:
        raise InputError(f"{options.output}: is read and written; give OUT another name")
    if not (abs(options.lag_s) <= MAX_LAG_S and (options.length_s is None or 0 < options.length_s <= MAX_S)):
        raise InputError(
            f"--lag-s {options.lag_s:g}, --length-s {options.length_s}: expected s, a lag within {MAX_LAG_S:g} and a "
            f"length up to {MAX_S:g}"
        )
    value_range = tuple(options.range) if options.range else None
    read = [
        read_annotation(
            path,
            options.tier if path.suffix.lower() == ".eaf" else None,
            value_range=value_range,
            rate_hz=options.rate_hz,
        )
        for path in inputs
    ]
    length = None if options.length_s is None else round(options.length_s * LABEL_RATE_HZ)
    merged = merge(
        [annotation.labels(length, options.lag_s) for annotation in read], options.merge, options.min_annotators
    )
    annotator = options.annotator or "+".join(filter(None, (annotation.annotator for annotation in read)))
    write_annotation(
        options.output,
        merged.labels,
        tier=options.tier or "engagement",
        annotator=annotator,
        role=options.role,
        step_s=options.step_s,
        media=options.media,
    )
    if len(read) > 1:
        for path, weight in zip(inputs, merged.weights, strict=True):
            print(f"{path}: weight {weight:.3f}")
    n_labels, n_valid = len(merged.labels), int(merged.labels.valid.sum())
    print(f"{options.output}: {n_labels} labels of {LABEL_RATE_HZ} Hz, {n_labels - n_valid} not valid")
