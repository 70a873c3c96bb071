"""The manifest: who took part in what, and where the media and labels are.

A source hands over a CSV with one row a participant; `read_csv` checks it, `Manifest` is what all stages after
`ingest` read.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from damamba.config import Split
from damamba.console import InputError
from damamba.corpus.ssi import read_stream

ANNOTATORS = ";"
"""Between the label files of several annotators of one participant."""
RESERVED = ("global", "interval", "frames", "split", "protocol", "simulated")
"""What files of results hold beside the scores of each corpus: no corpus has such a name."""
MAX_PROBLEMS = 50
"""Told in one go."""
MAX_PATH = 1024
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


TIER = re.compile(r"(?P<file>.+\.eaf)#(?P<tier>.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """A row of a source's manifest, one a participant; paths are relative to its folder, "" where there is no file."""

    session: str
    participant: str
    role: str
    split: str
    language: str
    person: str
    video: str
    audio: str
    """"" where it is the video's sound track."""
    label: str
    """Files of several annotators stand with ``;`` between them, a tier of ELAN as ``FILE.eaf#TIER``."""

    @property
    def name(self) -> str:
        """session/participant."""
        return f"{self.session}/{self.participant}"


COLUMNS = tuple(field.name for field in fields(Row))
OPTIONAL = ("corpus", "gender", "age", "streams")


def label_files(label: str) -> list[tuple[str, str | None]]:
    """File and tier (None: the only one) of each annotator that a `label` names."""
    found = []
    for part in filter(None, map(str.strip, label.split(ANNOTATORS))):
        tiered = TIER.fullmatch(part)
        found.append((tiered["file"], tiered["tier"]) if tiered else (part, None))
    return found


def below(root: Path, label: str) -> str:
    """A `label` whose files lie below `root`."""
    joined = [f"{(root / name).as_posix()}{f'#{tier}' if tier else ''}" for name, tier in label_files(label)]
    return ANNOTATORS.join(joined)


@dataclass(frozen=True)
class ReleasedStream:
    """A feature stream that came with the corpus, as a header file and its data."""

    name: str
    """Such as ``audio.egemapsv2``."""
    path: str
    """Header file; the data are beside it, with ``~`` after the name. "" where the participant has none."""
    width: int
    rate_hz: float
    """True rate of the rows."""
    rows: int
    """As the header has it; rows that the data lack are not valid."""
    sha256: str = ""
    """Of header and data."""

    @classmethod
    def of(cls, name: str, path: Path) -> "ReleasedStream":
        """As the header has it; raises `InputError` where that is no stream."""
        header = read_stream(path, scan=False)
        return cls(name, path.as_posix(), header.width, header.rate_hz, header.declared_rows)


@dataclass(frozen=True)
class Participant:
    """One seat of one session."""

    corpus: str
    session: str
    participant: str
    role: str
    split: str
    language: str
    person: str
    video: str
    """Path from the repository's root, or absolute; media are never copied."""
    audio: str
    """May be the video file."""
    label: str
    """"" where nobody annotated; for `label_files`."""
    video_sha256: str = ""
    audio_sha256: str = ""
    duration_s: float = 0.0
    """End of the video."""
    rate_hz: float = 0.0
    n_frames: int = 0
    gender: str = ""
    """"" where it is not known."""
    age: str = ""
    streams: tuple[ReleasedStream, ...] = ()
    """Where they are there, media may be ""; the session's clock is that of their rows."""

    @property
    def key(self) -> tuple[str, str, str]:
        """(corpus, session, participant): unique, and the order of everything."""
        return self.corpus, self.session, self.participant

    @property
    def name(self) -> str:
        """corpus/session/participant, as in messages and paths."""
        return "/".join(self.key)

    def shard(self, root: Path, suffix: str = ".parquet") -> Path:
        """File of this participant below `root`."""
        return root / self.corpus / self.session / f"{self.participant}{suffix}"


@dataclass(frozen=True)
class Manifest:
    """All participants, in the order of their keys."""

    participants: tuple[Participant, ...]

    def sessions(self) -> dict[tuple[str, str], list[Participant]]:
        """Participants by (corpus, session)."""
        found: dict[tuple[str, str], list[Participant]] = defaultdict(list)
        for participant in self.participants:
            found[participant.corpus, participant.session].append(participant)
        return dict(found)

    def of_session(self, session: str | None) -> "Manifest":
        """Only session ``ID`` or ``corpus/ID``; all where `session` is None.

        Raises:
            InputError: There is none of that name.
        """
        if session is None:
            return self
        kept = tuple(p for p in self.participants if session in (p.session, f"{p.corpus}/{p.session}"))
        if not kept:
            known = ", ".join(f"{c}/{s}" for c, s in list(self.sessions())[:12])
            raise InputError(f"no session {session!r} in the manifest; there are {known} …")
        return Manifest(kept)

    def write(self, path: Path) -> None:
        """As JSON lines, one a participant: small differences stay small in a diff."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join(json.dumps(asdict(p), ensure_ascii=False) + "\n" for p in self.participants), encoding="utf8"
        )

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read what `write` wrote.

        Raises:
            InputError: It is not there, or is damaged.
        """
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]
            for row in rows:
                row["streams"] = tuple(ReleasedStream(**stream) for stream in row["streams"])
            return cls(tuple(Participant(**row) for row in rows))
        except FileNotFoundError:
            raise InputError(f"{path}: missing; make it: dvc repro ingest, or python stages/ingest.py") from None
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: damaged ({error}); make it again: dvc repro -f ingest") from None


def read_csv(root: Path, manifest: str, corpus: str) -> list[Participant]:
    """Read a source's manifest and check everything that can be checked without opening media.

    Args:
        root: Folder of the recordings; no path may leave it.
        manifest: CSV inside `root` with the columns of `COLUMNS` and perhaps of `OPTIONAL`.
        corpus: Name of the corpus where the column is missing.

    Returns:
        Participants with paths below `root`.

    Raises:
        InputError: All problems, one a line, with file, line and column.
    """
    path = root / manifest
    problems: list[str] = []
    rows: list[Participant] = []
    for line, row in rows_of(path):
        participant, wrong = _participant(row, root, corpus, f"{path}, line {line}")
        problems += wrong
        if len(problems) >= MAX_PROBLEMS:
            raise InputError("\n".join([*problems, f"{path}: not read further; correct these first"]))
        if participant:
            rows.append(participant)
    problems += conflicts(rows, str(path))
    if not rows and not problems:
        problems.append(f"{path}: no rows in it; one row a participant is needed")
    if problems:
        raise InputError("\n".join(problems))
    return sorted(rows, key=lambda p: p.key)


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and fields of each line of a manifest, unchecked; raises `InputError` where it is no such CSV."""
    try:
        stream = path.open(newline="", encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; write one row a participant: {','.join(COLUMNS)}") from None
    with stream:
        reader = csv.DictReader(stream)
        try:
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{path}, line 1: missing column {', '.join(missing)}; expected {','.join(COLUMNS)}")
            for row in reader:
                if None in row or None in row.values():
                    raise InputError(f"{path}, line {reader.line_num}: not as many fields as the header has columns")
                yield reader.line_num, {name: value.strip() for name, value in row.items()}
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"{path}, line {reader.line_num + 1}: not CSV in UTF-8 ({error}); save it again as that"
            ) from None


def _participant(row: dict[str, str], root: Path, corpus: str, where: str) -> tuple[Participant | None, list[str]]:
    held = {**dict.fromkeys(OPTIONAL, ""), "corpus": corpus, **row}
    values: dict[str, Any] = {name: held[name] for name in (*COLUMNS, *OPTIONAL)}
    wrong = [
        f"{where}: {name} is {values[name][:80]!r}; use 1-64 letters, digits, '.', '_' or '-', first a letter or digit"
        for name in ("corpus", "session", "participant", "role", "person")
        if not NAME.match(values[name])
    ]
    if values["corpus"].lower() in RESERVED:
        wrong.append(f"{where}: corpus is {values['corpus']!r}, which files of results use otherwise; rename it")
    if values["split"] not in get_args(Split):
        wrong.append(f"{where}: split is {values['split'][:80]!r}; use train, val or test")
    streams, refused = _streams(values.pop("streams"), values["participant"], root, where)
    wrong += refused
    if not values["video"] and not streams:
        wrong.append(f"{where}: video is empty; name the participant's video file")
    media = {name: values[name] for name in ("video", "audio") if values[name]}
    named = [*media.items(), *(("label", name) for name, _ in label_files(values["label"]))]
    for column, name in dict.fromkeys(named):
        if problem := _outside(root, name):
            wrong.append(f"{where}: {column} {name[:80]!r} {problem}")
    if wrong:
        return None, wrong
    values |= {name: (root / given).as_posix() for name, given in media.items()}
    values["audio"] = values["audio"] or values["video"]  # one file holds both
    values["label"] = below(root, values["label"])
    return Participant(**values, streams=streams), []


def _streams(given: str, participant: str, root: Path, where: str) -> tuple[tuple[ReleasedStream, ...], list[str]]:
    """Feature streams ``PARTICIPANT.NAME.stream`` of the column `streams`, separated by ``;``, by name; problems."""
    found: dict[str, ReleasedStream] = {}
    wrong = []
    for path in filter(None, map(str.strip, given.split(";"))):
        file = PurePosixPath(path).name
        name = file.removeprefix(f"{participant}.").removesuffix(".stream")
        problem = _outside(root, path)
        if file != f"{participant}.{name}.stream":
            problem = f"is not called {participant}.NAME.stream"
        if problem:
            wrong.append(f"{where}: streams {path[:80]!r} {problem}")
            continue
        try:
            found[name] = ReleasedStream.of(name, root / path)
        except InputError as error:
            wrong.append(str(error))
    return tuple(found[name] for name in sorted(found)), wrong


def _outside(root: Path, given: str) -> str:
    """Why `given` may not be used, or ""."""
    if "\0" in given or PurePosixPath(given).is_absolute():
        return f"is no path below {root}; write it relative to that folder"
    if len(given) > MAX_PATH or any(len(part.encode()) > 255 for part in PurePosixPath(given).parts):
        return "is too long for a path; correct it"
    target = (root / given).resolve()
    if not target.is_relative_to(root.resolve()):
        return f"leads out of {root}; put the file inside or set corpus.folder.root"
    if not target.is_file():
        return f"is missing: there is no file {root / given}"
    return ""


def conflicts(rows: Sequence[Participant], path: str) -> list[str]:
    """Participants that are there twice, and sessions or persons in two splits; `path` says where."""
    problems = []
    seen: dict[tuple[str, str, str], Participant] = {}
    for row in rows:
        if row.key in seen:
            problems.append(f"{path}: {row.name} stands there twice; a participant of a session has one row")
        seen[row.key] = row
    for what, groups in (("session", _by(rows, "session")), ("person", _by(rows, "person"))):
        for (corpus, name), members in groups.items():
            splits = sorted({m.split for m in members})
            if len(splits) > 1:
                shown = ", ".join(f"{m.session}/{m.participant} ({m.split})" for m in members[:6])
                problems.append(
                    f"{path}: {what} {name} of {corpus} is in the splits {' and '.join(splits)}: {shown}; "
                    "a model would be tested on people it was trained on: give all of them one split"
                )
    return problems


def _by(rows: Sequence[Participant], field: str) -> dict[tuple[str, str], list[Participant]]:
    groups: dict[tuple[str, str], list[Participant]] = defaultdict(list)
    for row in rows:
        groups[row.corpus, getattr(row, field)].append(row)
    return groups


def join(sources: list[list[Participant]]) -> Manifest:
    """One manifest of several sources.

    Raises:
        InputError: A participant is in two of them.
    """
    rows = sorted((p for source in sources for p in source), key=lambda p: p.key)
    for a, b in pairwise(rows):
        if a.key == b.key:
            raise InputError(f"{a.name} is in two sources; give one of them another corpus name in its manifest")
    return Manifest(tuple(rows))
