"""Entry point of the extraction stages: any cue, by its name."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from damamba import plugins
from damamba.config import EXTRACTORS, Params, parse_section
from damamba.console import InputError, run_stage
from damamba.features.extract import extract_manifest
from damamba.features.extractor import Extractor
from damamba.features.options import add_loop_arguments, workers

FEATURES, FACES = Path("data/features"), Path("data/faces")


def extract_cue(extractor: str | None = None, argv: Sequence[str] | None = None) -> None:
    """Entry point of the extraction stages: ``python stages/extract.py CUE [--session ID] [--jobs N]``.

    Args:
        extractor: Name of an extractor, for ``python stages/extract_<extractor>.py [CUE]``: cues of other extractors
            are refused, and the default cue has the extractor's name. None: any cue, which must be named.
        argv: Arguments; None: of the command line.
    """
    kind = f" of extractor {extractor}" if extractor else ""
    parser = argparse.ArgumentParser(description=f"Make the feature stream of a cue{kind} for every participant.")
    about = "key under `cues` in params.yaml"
    if extractor:
        parser.add_argument("cue", nargs="?", default=extractor, help=f"{about} (default: %(default)s)")
    else:
        parser.add_argument("cue", metavar="CUE", help=about)
    add_loop_arguments(parser)
    options = parser.parse_args(argv)
    run_stage(f"extract-{options.cue}", partial(_extract, options, extractor))


def _extract(options: argparse.Namespace, extractor: str | None) -> str:
    params = Params.load()
    cue = params.cues.get(options.cue)
    if cue is None or extractor not in (None, cue.extractor):
        fitting = [name for name, entry in params.cues.items() if extractor in (None, entry.extractor)]
        raise InputError(
            f"params.yaml: no cue {options.cue!r}{f' of extractor {extractor}' if extractor else ''} under `cues`; "
            f"there are {', '.join(fitting) or 'none'}"
        )
    kind = plugins.find(EXTRACTORS, cue.extractor, Extractor)
    return extract_manifest(
        kind,
        parse_section(kind.Params, cue.settings(), f"params.yaml: cues.{options.cue}"),
        FEATURES / options.cue,
        workers(params.extract, options.jobs),
        options.cue,
        options.session,
        FACES if cue.reads == "faces" else None,
    )
