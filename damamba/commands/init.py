"""`damamba init`: from a folder of recordings to a checked manifest and the next command."""

import argparse
import shlex
from pathlib import Path

from damamba.config import Params
from damamba.console import InputError
from damamba.corpus.manifest_csv import read_csv, read_rows, write_rows
from damamba.ingest.health import examine
from damamba.ingest.health_report import cuts, next_steps, notes, table, totals
from damamba.ingest.proposal import propose

MANIFEST = "manifest.csv"
PARAMS = Path("params.yaml")
SLACK_S = 0.5
"""Of labels, outside a repository with params.yaml."""
KEPT = "exists and is kept; --force replaces it"
WRITTEN = "written; check it, above all split and person"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "init",
        help="inspect your own recordings and propose their manifest",
        description="Reads a directory with one video file a participant: SESSION/PARTICIPANT.mp4, or "
        "SESSION_PARTICIPANT.mp4 side by side; sound in the video or in a .wav beside it; labels in a .csv (25 a "
        "second, or start;end;value), .eaf or .annotation beside it. "
        f"Writes {MANIFEST} there, checks every file, and prints the next command. A video that shows "
        "several people must be cut into one file each; the commands that do so are printed.",
    )
    parser.add_argument("root", type=Path, metavar="DIR")
    parser.add_argument("--force", action="store_true", help=f"replace an existing {MANIFEST}")
    parser.add_argument("--language", default="", metavar="CODE", help="language of all sessions, such as de")
    parser.add_argument("--no-faces", action="store_true", help="do not look for faces")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Propose or read the manifest, check everything, print; raises `InputError` where something must be corrected."""
    root: Path = options.root
    path = root / MANIFEST
    kept = path.exists() and not options.force
    if kept:
        read_csv(root, MANIFEST)  # raises for rows that cannot be used
    rows = read_rows(path) if kept else propose(root, options.language)
    params = Params.load(PARAMS) if PARAMS.is_file() else None
    landmarker = Path(params.faces.model) if params and not options.no_faces else None
    if landmarker and not landmarker.is_file():
        landmarker = None
    healths = examine(root, rows, params.corpus.label_slack_s if params else SLACK_S, landmarker)
    if not kept:
        write_rows(path, rows)
    noted = notes(healths, no_landmarker=not landmarker and not options.no_faces)
    print("\n".join([*table(healths), "", *noted, totals(healths), f"{path}: {KEPT if kept else WRITTEN}", ""]))
    again = f"damamba init {shlex.quote(str(root))}"
    if commands := cuts(healths, root):
        again += " --force"
        print("\n".join(["Cut one file a person (needs ffmpeg), then remove the original:", *commands, ""]))
    if problems := [problem for health in healths for problem in health.problems]:
        raise InputError("\n".join([*problems, f"{len(problems)} problems; correct them, then run again: {again}"]))
    print("\n".join(next_steps(root, healths)))
