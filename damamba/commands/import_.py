"""`damamba import`: feature files of other programs become streams of the project, and cues of params.yaml."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from damamba.console import InputError, progress
from damamba.corpus.manifest import ReleasedStream
from damamba.importing.clock import Clock
from damamba.importing.feature_file import ReadOptions
from damamba.importing.places import DEFAULT, Place, place_of
from damamba.importing.read import read_file, suffixes
from damamba.importing.rows import FACES, Timing, on_clock, people
from damamba.ingest.own_streams import furthest_ends
from damamba.presets.apply import read_values, write_cues
from damamba.streams.store import write_stream
from damamba.text import MISSING, columns, duration, shell_path

PARAMS = Path("params.yaml")
ROOT = "data/recordings"
UNITS_S = {"s": 1.0, "ms": 1e-3}
SLACK_S = 0.5
"""How much the streams of a participant may differ at their ends, s, as in `corpus.label_slack_s`."""


@dataclass(frozen=True)
class Written:
    """One stream, and what was recognised."""

    path: Path
    """Of the source."""
    format: str
    group: str
    notes: tuple[str, ...]
    place: Place
    clock: Clock
    rows: int
    channels: int
    end_s: float
    valid: float
    """Share of the rows."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "import",
        help="feature files (OpenFace, py-feat, openSMILE, MediaPipe, SSI, NumPy, tables) as streams of the project",
        description="Recognises each file, reads rows, times, names of channels and confidence, and writes one stream "
        f"a participant into the folder of the recordings. Session, participant and stream follow from {DEFAULT}, or "
        "from --as. Rows without a detection are kept as missing. Where there is a params.yaml, the streams become its "
        "cues; then: damamba init. Guide: docs/import.md.",
        epilog="example: damamba import openface/*.csv --as {session}_{participant}.csv",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=f"files in {', '.join(suffixes())}")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder of the recordings (that of params.yaml, or {ROOT})"
    )
    parser.add_argument(
        "--as",
        dest="pattern",
        metavar="PATTERN",
        help="end of the paths, such as {stream}/{session}_{participant}.csv; * stands for anything",
    )
    for field in ("session", "participant", "stream"):
        parser.add_argument(f"--{field}", metavar="NAME", help=f"{field} of all files")
    parser.add_argument(
        "--rate-hz", type=_positive, metavar="HZ", help="rate of rows or video frames, instead of times"
    )
    parser.add_argument("--time", metavar="COLUMN", help="column with the times (time, timestamp, t, … )")
    parser.add_argument("--time-unit", choices=UNITS_S, help="unit of the times (by the column's name, or s)")
    parser.add_argument("--start-s", type=float, default=0.0, metavar="S", help="when a file begins in its session (0)")
    parser.add_argument("--length-s", type=_positive, metavar="S", help="length of the recording")
    parser.add_argument("--face", metavar="ID", help=f"of several faces, this one; {FACES}: a participant each")
    parser.add_argument("--min-confidence", type=float, default=0.5, metavar="C", help="rows below are missing (0.5)")
    parser.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="leave out a column; repeatable")
    parser.add_argument("--group", metavar="NAME", help="modality group of the cues (audio, visual, …; by the format)")
    parser.add_argument("--params", type=Path, metavar="FILE", help="file whose cues are written (params.yaml)")
    parser.add_argument("--no-params", action="store_true", help="print the cues instead")
    parser.set_defaults(run=run)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("expected a number above 0")
    return value


def run(options: argparse.Namespace) -> None:
    """Read all files, then write and print what was recognised; raises `InputError` where one cannot be used."""
    params: Path | None = options.params or (PARAMS if PARAMS.is_file() else None)
    out: Path = options.out or Path(_root(params) if params else ROOT)
    places: dict[Path, Path] = {}
    written: list[Written] = []
    problems = []
    for path in progress(options.files, "import", unit="file"):
        try:
            written += _import(path, out, options, places)
        except InputError as error:
            problems.append(str(error))
    if not problems:
        problems = _ends_that_differ(written, out)
    print("\n".join(_table(written)))
    for one in written:
        for note in one.notes:
            print(f"note: {one.path}: {note}")
    if problems:
        raise InputError("\n".join([*problems, f"{len(problems)} problems; correct them, then run the command again"]))
    cues = _cues(written, options.group)
    print()
    if params and not options.no_params:
        print("\n".join([*write_cues(cues, out.as_posix(), params), ""]))
    else:
        print("\n".join([*_yaml(cues), ""]))
    print(f"Next, for the manifest: damamba init {shell_path(str(out))}")


def _import(path: Path, out: Path, options: argparse.Namespace, places: dict[Path, Path]) -> list[Written]:
    """Read one file and write its streams."""
    unit_s = UNITS_S[options.time_unit] if options.time_unit else None
    choices = ReadOptions(options.min_confidence, tuple(options.drop), options.time, unit_s)
    file = read_file(path, choices)
    given = {field: getattr(options, field) for field in ("session", "participant", "stream")}
    place = place_of(path, options.pattern, given, file.name)
    timing = Timing(options.rate_hz, options.start_s, options.length_s)
    written = []
    for face, rows in people(file, options.face):
        whose = replace(place, participant=f"{place.participant}-{face}") if face else place
        target = whose.file(out)
        if target in places:
            raise InputError(f"{path}: would be {target}, as {places[target]} is; tell them apart: --as or --stream")
        if target.exists() and target.samefile(path):
            raise InputError(f"{path}: is a stream of the project already; name its source, or leave it out")
        imported = on_clock(rows, timing, face)
        places[target] = path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_stream(target, imported.stream)
        stream, clock = imported.stream, imported.clock
        end_s = float(stream.t_s[-1]) + (1 / stream.rate_hz if clock.regular else 0)
        size = (len(stream.t_s), stream.width, end_s, float(stream.valid.mean()))
        written.append(Written(path, file.format, file.group, file.notes, whose, clock, *size))
    return written


def _ends_that_differ(written: Sequence[Written], out: Path) -> list[str]:
    """Streams at one rate of the same participant that end at different times, also those that were there before."""
    problems = []
    for folder, participant in sorted({(one.place.file(out).parent, one.place.participant) for one in written}):
        streams = [ReleasedStream.own(path.stem, path) for path in sorted(folder.glob(f"{participant}.*.parquet"))]
        if apart := furthest_ends(streams, SLACK_S):
            first, last = apart
            problems.append(
                f"{first.path}: ends at {first.end_s:.2f} s, but {last.path} at {last.end_s:.2f} s; one has a wrong "
                "rate or is of another session: correct --rate-hz or the file. If it does end early, add "
                f"--length-s {last.end_s:g}"
            )
    return problems


def _table(written: Sequence[Written]) -> list[str]:
    """What was recognised, a line a stream."""
    rows = []
    for one in written:
        clock = one.clock
        rate = f"{clock.mean_hz:.5g} Hz" if clock.regular else f"~{clock.mean_hz:.3g} Hz, irregular"
        gaps = f"{clock.gaps} ({clock.gap_s:.1f} s)" if clock.gaps else MISSING
        place = f"{one.place.session}/{one.place.participant}.{one.place.stream}"
        sizes = [str(one.rows), str(one.channels), rate, duration(one.end_s), gaps, f"{one.valid:.0%}"]
        rows.append([str(one.path), place, one.format, *sizes])
    header = ["file", "stream", "format", "rows", "channels", "rate", "ends at", "gaps", "valid"]
    return columns(header, rows, left=3) if rows else []


def _cues(written: Sequence[Written], group: str | None) -> dict[str, dict[str, Any]]:
    """An entry of the section `cues` for each stream."""
    cues = {}
    for one in written:
        settings = {"stream": one.place.stream, "drop": [], "lookahead_s": None}
        name = one.place.stream.replace(".", "_").replace("-", "_")
        cues[name] = {"group": group or one.group, "extractor": "stream", "reads": "corpus", **settings}
    return cues


def _yaml(cues: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["cues:"]
    for name, entry in cues.items():
        lines.append(f"  {name}:")
        lines += [f"    {key}: {'null' if value is None else value}" for key, value in entry.items()]
    return lines


def _root(params: Path) -> str:
    """`corpus.folder.root` of a params.yaml."""
    try:
        return str(read_values(params)["corpus"]["folder"]["root"])
    except (KeyError, TypeError):
        return ROOT
