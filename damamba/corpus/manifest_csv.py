"""A manifest as people write it: a CSV in the folder of the recordings, one row a participant."""

import codecs
import csv
import difflib
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, get_args

from damamba.config import Split
from damamba.console import InputError
from damamba.corpus.manifest import (
    NAMED,
    TEXTS,
    Participant,
    ReleasedStream,
    conflicts,
    label_below,
    label_files,
    name_problems,
)
from damamba.corpus.region import Region
from damamba.files import whole_file

OWN_CORPUS = "own"
"""Name of the corpus where the manifest has no such column."""
MAX_PROBLEMS = 50
"""Reading stops after so many."""
MAX_PATH = 1024
TRACK = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
SEPARATORS = (",", ";", "\t")
HEAD_BYTES = 1 << 12
"""From which encoding and separator follow."""
NEAR = 0.8
"""How alike an unknown column and a known one may be (difflib's ratio); 0.8: one letter of five."""
PATHS = ("video", "audio", "label", "streams", "reference")
STREAM_SUFFIXES = (".stream", ".parquet")
"""Of a stream in SSI's format, and of one that `damamba import` wrote."""


@dataclass(frozen=True)
class ManifestRow:
    """One row; paths are relative to the manifest's folder, "" where there is no file."""

    session: str
    participant: str
    role: str
    split: str
    language: str
    person: str
    video: str
    audio: str
    """"" where it is the sound track of the video."""
    label: str
    """Files of several annotators with ``;`` between them; a tier of an ELAN file as ``FILE.eaf#TIER``."""
    video_track: str = ""
    """Number of the track in the file, from 1; "" for the default one."""
    audio_track: str = ""
    audio_channel: str = ""
    """Number of the channel, from 1; "" for the mean of all."""
    streams: str = ""
    """Feature streams with ``;`` between them."""
    region: str = ""
    """Part of the picture, ``left,top,width,height`` as shares of it; "" for a video of one person."""
    reference: str = ""
    """Picture of the participant's face."""

    @property
    def name(self) -> str:
        """session/participant."""
        return f"{self.session}/{self.participant}"


TRACKS = ("video_track", "audio_track", "audio_channel")
EXTRA = ("streams", "region", "reference")
"""Columns that a manifest gets when a row needs them."""
COLUMNS = tuple(field.name for field in fields(ManifestRow) if field.name not in (*TRACKS, *EXTRA))
OPTIONAL = ("corpus", "gender", "age", *EXTRA, *TRACKS)


def read_csv(root: Path, manifest: str, corpus: str = OWN_CORPUS, also: Sequence[str] = ()) -> list[Participant]:
    """Read a manifest and check everything that can be checked without opening media.

    Args:
        root: Folder of the recordings; no path may leave it.
        manifest: CSV inside `root` with the columns of `COLUMNS` and perhaps of `OPTIONAL`.
        corpus: Name of the corpus where the column is missing.
        also: Further labels; each is read from a column ``label.NAME``, if there is one.

    Returns:
        Participants by key, with paths below `root`.

    Raises:
        InputError: All problems, one a line, with file, line and column.
    """
    path = root / manifest
    problems: list[str] = []
    participants: list[Participant] = []
    for line, row in _lines(path, also):
        participant, wrong = _participant(row, root, corpus, f"{path}, line {line}", also)
        problems += wrong
        if len(problems) >= MAX_PROBLEMS:
            raise InputError("\n".join([*problems, f"{path}: not read further; correct these first"]))
        if participant:
            participants.append(participant)
    problems += conflicts(participants, str(path))
    problems += _indistinct(participants, str(path))
    if not participants and not problems:
        problems.append(f"{path}: no rows in it; one row a participant is needed")
    if problems:
        raise InputError("\n".join(problems))
    return sorted(participants, key=lambda p: p.key)


def read_rows(path: Path) -> list[ManifestRow]:
    """Rows of a manifest, unchecked; raises `InputError` where it is not CSV or a column is missing."""
    return [
        ManifestRow(**{name: row[name] for name in (*COLUMNS, *TRACKS, *EXTRA) if name in row})
        for _, row in _lines(path)
    ]


def write_rows(path: Path, rows: Sequence[ManifestRow]) -> None:
    """Write a manifest, whole or not at all."""
    names = (*COLUMNS, *(name for name in EXTRA if any(getattr(row, name) for row in rows)))
    _write(path, names, ",", [asdict(row) for row in rows])


def row_key(video: str, streams: str) -> str:
    """What stays the same when a row is renamed: its video or, without one, folder and beginning of its streams."""
    if video:
        return posixpath.normpath(video.replace("\\", "/"))
    first = PurePosixPath(streams.split(";")[0].strip().replace("\\", "/"))
    return posixpath.normpath((first.parent / first.name.partition(".")[0]).as_posix())


def add_rows(path: Path, rows: Sequence[ManifestRow], filled: Mapping[str, Mapping[str, str]]) -> None:
    """Add rows to a manifest and fill in fields; columns, order and all other fields stay as they are.

    Args:
        path: The manifest.
        rows: Go to its end.
        filled: `row_key` -> column -> value.
    """
    encoding, separator = _form(path)
    with path.open(newline="", encoding=encoding) as stream:
        names = tuple(name for name in _header(csv.reader(stream, delimiter=separator), path) if name)
    new = [asdict(row) for row in rows] + list(filled.values())
    names = tuple(dict.fromkeys((*names, *(name for name in EXTRA if any(one.get(name) for one in new)))))
    there = [
        {**{name: row.get(name, "") for name in names}, **filled.get(row_key(row["video"], row.get("streams", "")), {})}
        for _, row in _lines(path)
    ]
    _write(path, names, separator, [*there, *(asdict(row) for row in rows)])


def _write(path: Path, names: Sequence[str], separator: str, rows: Iterable[Mapping[str, str]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf8") as stream:
        writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_no_formula(name, row.get(name, "")) for name in names] for row in rows)


def _no_formula(column: str, value: str) -> str:
    """A path that a spreadsheet does not take for a formula."""
    return f"./{value}" if column in PATHS and value.startswith(("=", "+", "-", "@")) else value


def _form(path: Path) -> tuple[str, str]:
    """Encoding and separator of a manifest, by its beginning; raises `InputError` where its first line names none."""
    try:
        with path.open("rb") as binary:
            head = binary.read(HEAD_BYTES)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; write one row a participant: {','.join(COLUMNS)}") from None
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    first = head.decode(encoding, "ignore").partition("\n")[0]
    if first.lower().startswith("sep="):
        separator = first[4:5].strip("\r")
        if separator not in SEPARATORS:
            raise InputError(f"{path}, line 1: {separator!r} separates no fields; write sep=; or remove the line")
        return encoding, separator
    return encoding, max(SEPARATORS, key=first.count)


def _header(reader: Iterator[list[str]], path: Path, also: Sequence[str] = ()) -> list[str]:
    """Names of the columns, "" for one without.

    Raises:
        InputError: A column is missing, there twice, or has almost the name of a known one.
    """
    names = [name.strip() for name in next(reader, [])]
    if names and names[0].lower() == "sep=" and not any(names[1:]):  # Excel's line about the separator
        names = [name.strip() for name in next(reader, [])]
    known = (*COLUMNS, *OPTIONAL, *map(label_column, also))
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputError(f"{path}, line 1: two columns {', '.join(twice)[:80]}; remove one")
    for name in names:
        near = difflib.get_close_matches(name.lower(), known, 1, NEAR)
        if name and name not in known and near and not name.startswith(label_column("")):
            raise InputError(f"{path}, line 1: column {name[:40]!r} is not known; rename it to {near[0]}, or remove it")
    if missing := [name for name in COLUMNS if name not in names]:
        raise InputError(f"{path}, line 1: missing column {', '.join(missing)}; expected {','.join(COLUMNS)}")
    return names


def _lines(path: Path, also: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and fields of each line, without blanks around them; lines without any field are left out."""
    encoding, separator = _form(path)
    with path.open(newline="", encoding=encoding) as stream:
        reader = csv.reader(stream, delimiter=separator)
        try:
            names = _header(reader, path, also)
            for row in reader:
                fields = [field.strip() for field in row]
                if not any(fields):
                    continue
                where = f"{path}, line {reader.line_num}"
                if len(fields) != len(names):
                    raise InputError(
                        f"{where}: {len(fields)} fields for {len(names)} columns, not as many fields as the header has "
                        f"columns; put quotes around a field with {separator!r}"
                    )
                if any(field for name, field in zip(names, fields, strict=True) if not name):
                    raise InputError(f"{where}: a field in a column without a name; name it in line 1, or remove it")
                yield reader.line_num, dict(zip(names, fields, strict=True))
        except (csv.Error, UnicodeError) as error:
            raise InputError(
                f"{path}, line {reader.line_num + 1}: not CSV in UTF-8 ({error}); save it again as that"
            ) from None


def label_column(name: str) -> str:
    """Column of a further label."""
    return f"label.{name}"


def _participant(
    row: dict[str, str], root: Path, corpus: str, where: str, also: Sequence[str] = ()
) -> tuple[Participant | None, list[str]]:
    """The participant of a row, None where the row has problems; and the problems."""
    complete = {**dict.fromkeys(OPTIONAL, ""), "corpus": corpus, **row}
    values: dict[str, Any] = {name: complete[name] for name in (*COLUMNS, *OPTIONAL)}
    labels = {column: row.get(column, "") for column in map(label_column, also)}
    labels = {column: _several_with_slashes(root, files) for column, files in labels.items() if files}
    for name in PATHS:
        several = name in ("label", "streams")
        values[name] = (_several_with_slashes if several else _with_slashes)(root, values[name].strip())
    problems = name_problems({name: values[name] for name in (*NAMED, *TEXTS)}, where)
    if values["split"] not in get_args(Split):
        problems.append(f"{where}: split is {values['split'][:80]!r}; use train, val or test")
    problems += [
        f"{where}: {name} is {values[name][:80]!r}; use a number from 1 on, or leave it empty"
        for name in TRACKS
        if values[name] and not TRACK.fullmatch(values[name])
    ]
    if values["region"]:
        try:
            Region.parse(values["region"])
        except ValueError as error:
            problems.append(f"{where}: region {values['region'][:80]!r}: {error}")
    streams, stream_problems = _streams(values.pop("streams"), values["participant"], root, where)
    problems += stream_problems
    if not values["video"] and not streams:
        problems.append(f"{where}: video is empty; name the participant's video file")
    problems += [
        f"{where}: {name} {values[name][:80]!r} stands beside no video; name the video, or leave {name} empty"
        for name in ("region", "reference")
        if values[name] and not values["video"]
    ]
    media = {name: values[name] for name in ("video", "audio", "reference") if values[name]}
    labels = {"label": values["label"], **labels}
    paths = [*media.items(), *((column, name) for column, files in labels.items() for name, _ in label_files(files))]
    problems += _one_file_twice(labels, where)
    for column, path in dict.fromkeys(paths):
        if problem := _path_problem(root, path):
            problems.append(f"{where}: {column} {path[:80]!r} {problem}")
    if problems:
        return None, problems
    values |= {name: (root / path).as_posix() for name, path in media.items()}
    values["audio"] = values["audio"] or values["video"]  # the video's own sound track
    below = {column: label_below(root, files) for column, files in labels.items()}
    values["label"] = below.pop("label")
    prefix = label_column("")
    others = {column.removeprefix(prefix): files for column, files in below.items()}
    taken = {"", "streams", *values, *labels}
    extra = {name: text for name, text in row.items() if name and name not in taken}
    return Participant(**values, streams=streams, extra=extra, also=others), []


def _one_file_twice(labels: Mapping[str, str], where: str) -> Iterator[str]:
    """A line for each file of two labels; one of a coder has stretches of several constructs, told apart by classes."""
    columns: dict[tuple[str, str | None], str] = {}
    for column, files in labels.items():
        for file, tier in label_files(files):
            first = columns.setdefault((file, tier), column)
            if first != column and not file.endswith(".yaml"):
                yield (
                    f"{where}: {first} and {column} are both {file[:80]!r}; each label has a file, or a tier of an "
                    "ELAN file, of its own"
                )


def _indistinct(participants: Iterable[Participant], where: str) -> list[str]:
    """A line for each video that several people of a session share without a region or reference of their own."""
    sharing: dict[tuple[str, ...], list[Participant]] = defaultdict(list)
    for one in {one.key: one for one in participants}.values():
        if one.video and not one.streams:
            sharing[one.corpus, one.session, one.video, one.video_track].append(one)
    problems = []
    for (*_, video, _track), people in sharing.items():
        told = {(one.region, one.reference) for one in people if one.region or one.reference}
        if len(people) > 1 and len(told) < len(people):
            problems.append(
                f"{where}: {', '.join(one.name for one in people)} share the video {video}; give each of them a region "
                "of the picture or a reference of their own (damamba init proposes regions)"
            )
    return problems


def _streams(field: str, participant: str, root: Path, where: str) -> tuple[tuple[ReleasedStream, ...], list[str]]:
    """Feature streams of the column `streams`, by name; and problems.

    The field has paths ``PARTICIPANT.NAME.stream`` or ``PARTICIPANT.NAME.parquet`` with ``;`` between them.
    """
    streams: dict[str, ReleasedStream] = {}
    problems = []
    for path in filter(None, map(str.strip, field.split(";"))):
        file = PurePosixPath(path).name
        suffix = PurePosixPath(path).suffix
        name = file.removeprefix(f"{participant}.").removesuffix(suffix)
        problem = _path_problem(root, path)
        if suffix not in STREAM_SUFFIXES or file != f"{participant}.{name}{suffix}":
            problem = f"is not called {participant}.NAME{' or NAME'.join(STREAM_SUFFIXES)}; damamba import makes such"
        elif name in streams:
            problem = f"is a second stream {name}; keep one"
        if problem:
            problems.append(f"{where}: streams {path[:80]!r} {problem}")
            continue
        try:
            streams[name] = ReleasedStream.own(name, root / path)
        except InputError as error:
            problems.append(str(error))
    return tuple(streams[name] for name in sorted(streams)), problems


def _several_with_slashes(root: Path, paths: str) -> str:
    """`_with_slashes` for paths with ``;`` between them."""
    return ";".join(_with_slashes(root, path.strip()) for path in paths.split(";"))


def _with_slashes(root: Path, path: str) -> str:
    """A path with ``/`` between folders, where it was written on Windows."""
    if "\\" not in path or len(path) > MAX_PATH:
        return path
    there = {name.name for name in root.iterdir()}  # on Linux, a backslash may be part of a name
    return path if path in there else path.replace("\\", "/")


def _path_problem(root: Path, path: str) -> str:
    """Why `path` may not be used, or ""."""
    if not path.isprintable():
        return "has characters that cannot be printed; rename the file"
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive:
        return f"is not a path below {root}; write it relative to that folder"
    if len(path) > MAX_PATH or any(len(part.encode()) > 255 for part in PurePosixPath(path).parts):
        return "is too long for a path; correct it"
    target = (root / path).resolve()
    if not target.is_relative_to(root.resolve()):
        return f"leads out of {root}; put the file inside or set corpus.folder.root"
    if not target.is_file():
        return f"is missing: there is no file {root / path}"
    return ""
