"""`damamba init`: from a folder of recordings to a checked manifest and the next command."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from damamba.config import Params
from damamba.console import InputError
from damamba.corpus.manifest import NAMED, TEXTS, name_problems
from damamba.corpus.manifest_csv import ManifestRow, add_rows, read_csv, read_rows, row_key, write_rows
from damamba.ingest.health import Health, examine, shared_out
from damamba.ingest.health_report import next_steps, notes, table, totals
from damamba.ingest.merging import Merged, merge_proposal
from damamba.ingest.proposal import propose, with_splits
from damamba.project import kept_results
from damamba.text import shell_path

MANIFEST = "manifest.csv"
PARAMS = Path("params.yaml")
SLACK_S = 0.5
"""Of labels, outside a repository with params.yaml."""
WRITTEN = "written; check it, above all split and person"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "init",
        help="inspect your own recordings and propose their manifest",
        description="Reads a directory with one video file a participant: SESSION/PARTICIPANT.mp4, or "
        "SESSION_PARTICIPANT.mp4 side by side; sound in the video or in a .wav beside it; labels in a .csv (25 a "
        "second, or start;end;value), .eaf or .annotation beside it. "
        f"Writes {MANIFEST} there or adds to it what is new, checks every file, and prints the next command. What was "
        "corrected in it by hand stays. A new video that shows several people gets a row for each of them, with "
        "the region of the picture in which they are. Feature streams of damamba import, "
        "SESSION/PARTICIPANT.NAME.parquet, stand beside a video or for it.",
        epilog="example: damamba init data/recordings --language de",
    )
    parser.add_argument("root", type=Path, metavar="DIR")
    parser.add_argument(
        "--force", action="store_true", help=f"propose everything anew; the old {MANIFEST} stays beside the new one"
    )
    parser.add_argument("--language", default="", metavar="CODE", help="language of all new sessions, such as de")
    parser.add_argument(
        "--scheme",
        default="engagement",
        metavar="NAME",
        help="what the labels rate, as file names, NOVA headers and ELAN tiers call it (%(default)s)",
    )
    parser.add_argument("--no-faces", action="store_true", help="do not look for faces")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Propose a manifest or complete the one that is there, check everything, print.

    Raises:
        InputError: Something must be corrected.
    """
    root: Path = options.root
    path = root / MANIFEST
    there = _there(root, options.force)
    if problems := name_problems(
        {**dict.fromkeys(NAMED, "own"), **dict.fromkeys(TEXTS, options.language)}, "--language"
    ):
        raise InputError(problems[0])
    proposal = propose(root, options.language, options.scheme)
    if there is None:
        if proposal.problems:
            raise InputError("\n".join(proposal.problems))
        rows, noted, merged = with_splits(proposal.rows), proposal.notes, None
    else:
        merged = merge_proposal(root, path, there, proposal.rows)
        rows = [*(replace(row, **merged.filled.get(row_key(row.video, row.streams), {})) for row in there), *merged.new]
        noted = [*proposal.problems, *merged.notes, *proposal.notes]
    params = Params.load(PARAMS) if PARAMS.is_file() else None
    landmarker = Path(params.faces.model) if params and not options.no_faces else None
    if landmarker and not landmarker.is_file():
        landmarker = None
    slack_s = params.corpus.label_slack_s if params else SLACK_S
    healths = examine(root, rows, slack_s, landmarker)
    rows, merged, shared = _shared_out(healths, merged)
    noted += shared
    known = {health.row: health for health in healths}
    known |= {health.row: health for health in examine(root, [r for r in rows if r not in known], slack_s, landmarker)}
    healths = [known[row] for row in rows]
    done = _write(path, rows, merged)
    noted = [f"note: {note}" for note in noted]
    noted += notes(healths, no_landmarker=not landmarker and not options.no_faces and any(row.video for row in rows))
    print("\n".join([*table(healths), "", *noted, totals(healths), f"{path}: {done}", ""]))
    again = f"damamba init {shell_path(str(root))}"
    if problems := [problem for health in healths for problem in health.problems]:
        count = "1 problem; correct it" if len(problems) == 1 else f"{len(problems)} problems; correct them"
        raise InputError("\n".join([*problems, f"{count}, then run again: {again}"]))
    read_csv(root, MANIFEST)  # raises for rows that do not fit together
    print("\n".join(next_steps(root, healths, bool(params) and _reads(params, root))))
    if line := kept_results(Path()):
        print(f"damamba: note: {line}", file=sys.stderr)


def _reads(params: Params, root: Path) -> bool:
    """Whether the pipeline reads these recordings and nothing else."""
    given = params.corpus.settings("folder").get("root", "")
    return params.corpus.sources == ("folder",) and Path(given).resolve() == root.resolve()


def _shared_out(healths: Sequence[Health], merged: Merged | None) -> tuple[list[ManifestRow], Merged | None, list[str]]:
    """The rows, and what is new in them, with a row for each person where a new video shows several; and notes."""
    rows: list[ManifestRow] = []
    new: list[ManifestRow] = []
    noted: list[str] = []
    for health in healths:
        is_new = merged is None or health.row in merged.new
        people = [health.row]
        if is_new and not health.row.region and health.faces and health.faces.regions and health.faces.are_apart:
            people, notes = shared_out(health.row, health.faces.regions)
            noted += notes
        rows += people
        new += people if is_new else []
    return rows, merged and replace(merged, new=new), noted


def _there(root: Path, anew: bool) -> list[ManifestRow] | None:
    """Rows of the manifest that is there; None where there is none, or `anew`, which moves it aside."""
    path = root / MANIFEST
    if not path.exists():
        return None
    if anew:
        aside = next(name for k in count(1) if not (name := root / f"{MANIFEST}.{k}").exists())
        try:
            path.rename(aside)
        except OSError as error:
            raise InputError(f"{path}: cannot be moved to {aside} ({error.strerror}); move it yourself") from None
        print(f"{path}: moved to {aside}")
        return None
    read_csv(root, MANIFEST)  # raises for rows that cannot be used
    return read_rows(path)


def _write(path: Path, rows: Sequence[ManifestRow], merged: Merged | None) -> str:
    """Write what is new, and say what was done."""
    if merged is None:
        write_rows(path, rows)
        return WRITTEN
    if not merged.new and not merged.filled:
        return "is as it was; nothing is new"
    add_rows(path, merged.new, merged.filled)
    n_filled = sum(map(len, merged.filled.values()))
    return f"{len(merged.new)} rows added, {n_filled} fields filled in; everything else is as it was"
