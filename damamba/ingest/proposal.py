"""From a directory of files to a proposed manifest: who sat in which session, by folders and file names.

Supported is one video file a participant. Its session is the folder it lies in (``s01/anna.mp4``) or, in a flat
directory, what its name has in common with others (``s01_anna.mp4``). Sound and labels are files of the same name;
labels of several annotators have one name more (``anna.rater1.csv``).
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path, PurePosixPath

from damamba.console import InputError
from damamba.corpus.challenge import LABEL_SUFFIX, split_of
from damamba.corpus.manifest import ANNOTATORS, Row

VIDEO = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".mts", ".mxf", ".wmv", ".flv")
AUDIO = (".wav", ".flac", ".m4a", ".mp3", ".ogg", ".aac")
LABEL = (LABEL_SUFFIX, ".engagement.csv", ".label.csv", ".labels.csv", ".csv", ".txt", ".eaf", ".annotation")
"""Longest first: what stands before is the participant."""
MIDDLES = (".video", ".audio", "_video", "_audio")
"""Dropped from the end of a name, as in ``expert.video.mp4``."""
KIND_FOLDERS = {"video", "videos", "audio", "label", "labels", "annotation", "annotations", "media", "raw"}
"""Folders that name a kind of file, not a session."""
SEAT = re.compile(
    r"^((p|s|seat|person|participant|speaker|subject|subjectpos|cam|camera|user)?[-_]?[1-9]|[a-z]|left|right|expert|novice"
    r"|host|guest|interviewer|interviewee|caller|callee|therapist|doctor|patient|client|teacher|student)$",
    re.IGNORECASE,
)
"""Names of a place in a session, which in the next session is somebody else's."""
Seat = tuple[str, str]
"""Session and participant."""
SPLIT_SHARES = {"train": 0.6, "test": 0.2, "val": 0.2}


def propose(root: Path, language: str) -> list[Row]:
    """A row for every video below `root`, in the order of their names.

    Raises:
        InputError: No such directory, or no video in it.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such directory; name the one that holds the recordings")
    files = [PurePosixPath(p.relative_to(root).as_posix()) for p in sorted(root.rglob("*")) if p.is_file()]
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    videos = [path for path in files if path.suffix.lower() in VIDEO]
    if not videos:
        raise InputError(
            f"{root}: no video in it ({len(files)} files); expected one file a participant, such as s01/anna.mp4"
        )
    prefixes = Counter(_prefix(_base(path)) for path in videos if not _folders(path))
    seats = {path: _seat(path, prefixes) for path in videos}
    sounds = _companions(files, AUDIO, prefixes)
    labels = _companions(files, LABEL, prefixes)
    annotators = _annotators(files, prefixes, set(seats.values()))
    rows, taken = [], Counter()
    for path, (session, participant) in seats.items():
        taken[session, participant] += 1
        if taken[session, participant] > 1:
            participant = f"{participant[:60]}-{taken[session, participant]}"
        is_seat = bool(SEAT.match(participant))
        rows.append(
            Row(
                session=session,
                participant=participant,
                role=participant if is_seat else "participant",
                split=split_of(path.parts[:-1]) or "",
                language=language,
                person=_name(f"{session}-{participant}") if is_seat else participant,
                video=str(path),
                audio=sounds.get((session, participant), ""),
                label=labels.get((session, participant)) or annotators.get((session, participant), ""),
            )
        )
    return with_splits(sorted(rows, key=lambda row: (row.session, row.participant)))


def _base(path: PurePosixPath, suffixes: Iterable[str] = ()) -> str:
    """Name without what says of what kind the file is."""
    name = path.name
    suffix = next((s for s in suffixes if name.lower().endswith(s)), path.suffix)
    name = name[: len(name) - len(suffix)]
    middle = next((m for m in MIDDLES if name.lower().endswith(m)), "")
    return name[: len(name) - len(middle)]


def _folders(path: PurePosixPath) -> list[str]:
    """Folders that can name a session."""
    return [part for part in path.parts[:-1] if part.lower() not in KIND_FOLDERS and split_of([part]) is None]


def _prefix(base: str) -> str:
    """What stands before the last separator, or ""."""
    return re.split(r"[_.\-\s]+(?=[^_.\-\s]*$)", base)[0] if re.search(r"[_.\-\s]", base) else ""


def _seat(path: PurePosixPath, prefixes: Counter[str], suffixes: Iterable[str] = ()) -> Seat:
    """Whom a path is of."""
    base, folders = _base(path, suffixes), _folders(path)
    if folders:
        session = "-".join(folders)
        own = base.removeprefix(folders[-1]).lstrip("_.- ")
        return _name(session), _name(own or base)
    prefix = _prefix(base)
    if prefix and prefixes[prefix] > 1:
        return _name(prefix), _name(base[len(prefix) :])
    return _name(base), "a"


def _name(text: str) -> str:
    """A name as the manifest allows it: letters, digits, '.', '_' and '-', at most 64."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("._-")[:64] or "unnamed"


def _companions(files: Iterable[PurePosixPath], suffixes: Sequence[str], prefixes: Counter[str]) -> dict[Seat, str]:
    """Files of one kind by whom they are of."""
    found: dict[Seat, str] = {}
    for path in files:
        if path.name.lower().endswith(tuple(suffixes)) and path.name != "manifest.csv":
            found.setdefault(_seat(path, prefixes, suffixes), str(path))
    return found


def _annotators(files: Iterable[PurePosixPath], prefixes: Counter[str], seats: Set[Seat]) -> dict[Seat, str]:
    """Labels whose names have one part more than a participant's: those of several annotators."""
    found: dict[Seat, list[str]] = defaultdict(list)
    for path in files:
        suffix = next((s for s in LABEL if path.name.lower().endswith(s)), None)
        shorter = re.sub(r"[_.-][^_.-]+$", "", path.name[: len(path.name) - len(suffix)]) if suffix else ""
        seat = _seat(path.with_name(f"{shorter}{suffix}"), prefixes, LABEL) if shorter else None
        if seat and seat in seats and _seat(path, prefixes, LABEL) not in seats:
            found[seat].append(str(path))
    return {seat: ANNOTATORS.join(paths) for seat, paths in found.items()}


def with_splits(rows: Sequence[Row]) -> list[Row]:
    """Give a split to sessions that have none: those that share a person get the same one."""
    sizes: Counter[str] = Counter()
    chosen: dict[str, str] = {}
    for k, sessions in enumerate(_linked(rows)):
        told = {row.split for row in rows if row.session in sessions and row.split}
        if told:
            split = next(iter(told))
        elif k < len(SPLIT_SHARES):  # each split gets somebody before any gets more
            split = min(SPLIT_SHARES, key=lambda name: (sizes[name] > 0, list(SPLIT_SHARES).index(name)))
        else:
            total = sum(sizes.values()) + len(sessions)
            split = max(SPLIT_SHARES, key=lambda name: SPLIT_SHARES[name] * total - sizes[name])
        sizes[split] += len(sessions)
        chosen.update(dict.fromkeys(sessions, split))
    return [replace(row, split=row.split or chosen[row.session]) for row in rows]


def _linked(rows: Sequence[Row]) -> Iterator[set[str]]:
    """Sets of sessions that share persons, the largest first."""
    by_person: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_person[row.person].add(row.session)
    groups: list[set[str]] = []
    for sessions in by_person.values():
        joined = set(sessions).union(*(group for group in groups if group & sessions))
        groups = [group for group in groups if not group & sessions] + [joined]
    yield from sorted(groups, key=lambda group: (-len(group), min(group)))
