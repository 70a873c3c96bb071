"""`damamba preset`: write a set of parameters into params.yaml."""

import argparse
from pathlib import Path

from damamba.presets.apply import preset_names, write_presets

PARAMS = Path("params.yaml")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    names = preset_names()
    parser = commands.add_parser(
        "preset",
        help="write a set of parameters into params.yaml and show the difference",
        description="Sizes of model and training: smoke, demo, paper, paper-25; smoke and demo also set the size of "
        "the simulated corpus. Cues: compact and upstream encoders, or the released streams of multimediate, with the "
        "grid that they are aligned on. channels sets all of these. Presets are applied from left to right. Each sets "
        "every key of the parts that it changes, so only the last preset of a part counts and earlier ones leave no "
        "trace; roots of data and other parts stay as they are. Presets that do not fit together are refused.",
    )
    parser.add_argument("names", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write and print the changes; raises `InputError` where the result would not be valid."""
    print("\n".join(write_presets(options.names, PARAMS)))
