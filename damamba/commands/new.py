"""`damamba new`: a folder with the whole pipeline, for recordings of one's own."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "new",
        help="a folder with the whole pipeline, for your own recordings",
        description="Writes dvc.yaml, params.yaml, stages/ and places for recordings into FOLDER, a project of its own "
        "that uses the installed damamba. Run it again in a project after an upgrade, to renew stages/ and dvc.yaml; "
        "files of these that you changed are set aside.",
        epilog="example: damamba new study && cd study",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write and print what comes next; raises `InputError` where the folder holds something else."""
    from damamba.project import make

    print("\n".join(make(options.folder)))
