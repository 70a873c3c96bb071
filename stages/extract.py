"""Stage extract: media of every participant -> data/features/CUE, one feature stream per participant.

``python stages/extract.py CUE``, with CUE a key under `cues` in params.yaml.
"""

import _root

import argparse
from functools import partial
from pathlib import Path

from damamba import plugins
from damamba.config import EXTRACTORS, CueParams, Params, parse_section
from damamba.console import InputError, item_argument, run_stage
from damamba.features.extract import Cue, extract_manifest
from damamba.features.extractor import Extractor
from damamba.features.options import add_loop_arguments, workers

FEATURES, FACES = Path("data/features"), Path("data/faces")


def main(options: argparse.Namespace) -> str:
    params = Params.load()
    cue = params.cues.get(options.cue)
    if cue is None:
        raise InputError(f"params.yaml: no cue {options.cue!r} under `cues`; there are {', '.join(params.cues)}")
    found = find(options.cue, cue)
    faces = FACES if cue.reads == "faces" else None
    seeing = [find(name, other) for name, other in params.cues.items() if faces and other.reads == "faces"]
    loop = workers(params.extract, options.jobs)
    return extract_manifest(
        found.extractor, found.params, found.out, loop, options.cue, options.session, faces, beside=seeing
    )


def find(name: str, cue: CueParams) -> Cue:
    extractor = plugins.find(EXTRACTORS, cue.extractor, Extractor)
    return Cue(extractor, parse_section(extractor.Params, cue.settings(), f"params.yaml: cues.{name}"), FEATURES / name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cue", metavar="CUE", help="key under `cues` in params.yaml", **item_argument())
    add_loop_arguments(parser)
    options = parser.parse_args()
    run_stage(f"extract-{options.cue}", partial(main, options))
