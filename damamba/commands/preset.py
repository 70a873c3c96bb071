"""`damamba preset`: write a set of parameters into params.yaml."""

import argparse
import sys
from pathlib import Path

from damamba.presets.apply import preset_names, write_presets
from damamba.project import kept_results

PARAMS = Path("params.yaml")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    names = preset_names()
    parser = commands.add_parser(
        "preset",
        help="write a set of parameters into params.yaml and show the difference",
        description="demo, smoke, paper, paper-25 and long set the sizes of model and training; demo and smoke also "
        "the size of the simulated corpus. compact, real, upstream and foundation set the cues with their encoders, "
        "and the grid that they are aligned on. simulated sets the source; multimediate sets source, cues, grid and "
        "the sizes of long, channels all of these. A preset sets every key of its parts. Presets are written from left "
        "to right: where two set the same part, the last one counts, whatever stood there before. All other parameters "
        "stay as they are, such as the folders of your data. Presets that do not fit together are refused.",
        epilog="example: damamba preset real long",
    )
    parser.add_argument("names", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write and print the changes; raises `InputError` where the result would not be valid."""
    print("\n".join(write_presets(options.names, PARAMS)))
    if line := kept_results(Path(), PARAMS):
        print(f"damamba: note: {line}", file=sys.stderr)
