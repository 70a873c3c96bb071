"""`damamba init`: a directory of recordings -> a checked manifest, and the next command."""

import argparse
import csv
import shlex
from collections import Counter
from pathlib import Path

from damamba.config import Params
from damamba.console import InputError
from damamba.corpus.manifest import COLUMNS, Row, read_csv, rows_of
from damamba.files import whole_file
from damamba.ingest.health import Health, cuts, examine, table
from damamba.ingest.proposal import propose
from damamba.text import duration, some

MANIFEST = "manifest.csv"
PARAMS = Path("params.yaml")
SLACK_S = 0.5
KEPT = "was there and stays; --force replaces it"
WRITTEN = "written; look through it, above all split and person"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "init",
        help="inspect your own recordings and propose their manifest",
        description="Reads a directory with one video file a participant: SESSION/PARTICIPANT.mp4, or "
        "SESSION_PARTICIPANT.mp4 side by side; sound in the video or in a .wav beside it; labels in a .csv (25 a "
        "second, or start;end;value), .eaf or .annotation beside it. "
        f"Writes {MANIFEST} there, checks every file, and says what to do next. A video that shows "
        "several people must be cut into one file each; the commands that do so are printed.",
    )
    parser.add_argument("root", type=Path, metavar="DIR")
    parser.add_argument("--force", action="store_true", help=f"replace a {MANIFEST} that is there")
    parser.add_argument("--language", default="", metavar="CODE", help="of all sessions, such as de")
    parser.add_argument("--no-faces", action="store_true", help="do not look for faces")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Propose or read the manifest, check everything, print; raises `InputError` where something must be mended."""
    root: Path = options.root
    path = root / MANIFEST
    kept = path.exists() and not options.force
    rows = read_rows(root) if kept else propose(root, options.language)
    params = Params.load(PARAMS) if PARAMS.is_file() else None
    landmarker = None
    if params and not options.no_faces and Path(params.faces.model).is_file():
        landmarker = Path(params.faces.model)
    found = examine(root, rows, params.corpus.label_slack_s if params else SLACK_S, landmarker)
    if not kept:
        write(path, rows)
    blind = not landmarker and not options.no_faces
    print(
        "\n".join(
            [*table(found), "", *remarks(found, blind), totals(found), f"{path}: {KEPT if kept else WRITTEN}", ""]
        )
    )
    problems = [problem for health in found for problem in health.problems]
    again = f"damamba init {shlex.quote(str(root))}"
    if cut := cuts(found, root):
        again += " --force"
        print("\n".join(["One file a person, by these commands (they need ffmpeg), then remove the whole:", *cut, ""]))
    if problems:
        raise InputError("\n".join([*problems, f"{len(problems)} problems; mend them, then run again: {again}"]))
    print("\n".join(next_steps(root, found)))


def read_rows(root: Path) -> list[Row]:
    """Rows of a manifest that is there; raises `InputError` as `read_csv`."""
    read_csv(root, MANIFEST, "own")
    return [Row(**{name: row[name] for name in COLUMNS}) for _, row in rows_of(root / MANIFEST)]


def write(path: Path, rows: list[Row]) -> None:
    """Write the manifest whole or not at all."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(row, name) for name in COLUMNS] for row in rows)


def remarks(found: list[Health], blind: bool) -> list[str]:
    """What is odd, a line each; ends with an empty line where there is any. `blind`: faces could not be looked for."""
    notes = [f"note: {health.row.name}: {note}" for health in found for note in health.notes]
    if blind:
        notes.append("note: faces were not looked for: the landmarker is missing (dvc repro landmarker)")
    sessions = Counter(health.row.session for health in found)
    alone = [session for session, n in sessions.items() if n == 1]
    if alone:
        notes.append(f"note: sessions with one participant, where the model sees no partner: {some(alone)}")
    splits = Counter(health.row.split for health in found)
    missing = [split for split in ("train", "val", "test") if not splits[split]]
    if missing:
        notes.append(
            f"note: nobody is in the split {' or '.join(missing)}; that needs sessions with other people, because no "
            "person may stand in two splits"
        )
    return [*notes, ""] if notes else []


def totals(found: list[Health]) -> str:
    """One line of numbers."""
    seconds = sum(health.video.end_s for health in found if health.video)
    sessions = len({health.row.session for health in found})
    persons = len({health.row.person for health in found})
    labelled = sum(health.labels is not None for health in found)
    return (
        f"{sessions} sessions, {len(found)} participants ({labelled} labelled), {persons} persons, "
        f"{duration(seconds)} of video"
    )


def next_steps(root: Path, found: list[Health]) -> list[str]:
    """The exact commands that follow."""
    labelled = {health.row.split for health in found if health.labels is not None}
    if not {"train", "test"} <= labelled:
        where = " and ".join(split for split in ("train", "test") if split not in labelled)
        return [
            f"Labels are needed in the split {where} before a model can be trained and scored: one number in [0, 1] a "
            "line, 25 a second, in a .csv named like the video (docs/your-data.md). Add them, then:",
            f"    damamba init {shlex.quote(str(root))} --force",
        ]
    return [
        "Next (published encoders, for real people; then the whole pipeline):",
        "    damamba preset upstream",
        f"    dvc exp run -S 'corpus.sources=[folder]' -S corpus.folder.root={shlex.quote(str(root))}",
    ]
