"""`main` of every extraction stage."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from damamba.config import Params, parse_section
from damamba.console import InputError, run_stage
from damamba.features.extract import add_loop_arguments, run_loop
from damamba.features.extractor import Extractor


def extract_cue(extractor: type[Extractor[Any]], argv: Sequence[str] | None = None) -> None:
    """`main` of every extraction stage: ``python stages/extract_<name>.py [CUE] [--session ID] [--jobs N]``."""
    name = extractor.__module__.rsplit(".", 1)[-1]
    parser = argparse.ArgumentParser(description=(extractor.__doc__ or "").splitlines()[0])
    parser.add_argument("cue", nargs="?", default=name, help="key under `cues` in params.yaml (default: %(default)s)")
    add_loop_arguments(parser)
    options = parser.parse_args(argv)

    def main() -> str:
        params = Params.load()
        cue = params.cues.get(options.cue)
        if cue is None or cue.extractor != name:
            fitting = [key for key, value in params.cues.items() if value.extractor == name]
            raise InputError(
                f"params.yaml: cues.{options.cue} is no cue of extractor {name}; "
                f"there are {', '.join(fitting) or 'none'}"
            )
        own = parse_section(extractor.Params, cue.settings(), f"params.yaml: cues.{options.cue}")
        faces = Path("data/faces") if cue.reads == "faces" else None
        return run_loop(extractor, own, Path("data/features") / options.cue, options, params, options.cue, faces)

    run_stage(f"extract-{options.cue}", main)
