"""From a folder of files to a proposed manifest; sessions and participants follow from folders and file names.

There must be one video file a participant. Its session is the folder that it lies in (``s01/anna.mp4``) or, in a flat
folder, the part of its name that it shares with others (``s01_anna.mp4``). Sound and labels are files of the same
name; labels of several annotators have one more part in their name (``anna.rater1.csv``).
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path, PurePosixPath

from damamba.console import InputError
from damamba.corpus.challenge import LABEL_SUFFIX, split_of
from damamba.corpus.manifest import ANNOTATORS
from damamba.corpus.manifest_csv import ManifestRow

VIDEO = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".mts", ".mxf", ".wmv", ".flv")
AUDIO = (".wav", ".flac", ".m4a", ".mp3", ".ogg", ".aac")
LABEL = (LABEL_SUFFIX, ".engagement.csv", ".label.csv", ".labels.csv", ".csv", ".txt", ".eaf", ".annotation")
"""Ends of label files, longest first; the part before them is the participant."""
MIDDLES = (".video", ".audio", "_video", "_audio")
"""Removed from the end of a name, as in ``expert.video.mp4``."""
KIND_FOLDERS = {"video", "videos", "audio", "label", "labels", "annotation", "annotations", "media", "raw"}
"""Folders that stand for a kind of file, not a session."""
SEAT = re.compile(
    r"^((p|s|seat|person|participant|speaker|subject|subjectpos|cam|camera|user)?[-_]?[1-9]|[a-z]|left|right|expert|novice"
    r"|host|guest|interviewer|interviewee|caller|callee|therapist|doctor|patient|client|teacher|student)$",
    re.IGNORECASE,
)
"""Names of a place in a session; another person may take it in the next session."""
ParticipantKey = tuple[str, str]
"""(session, participant)."""
SPLIT_SHARES = {"train": 0.6, "test": 0.2, "val": 0.2}


def propose(root: Path, language: str) -> list[ManifestRow]:
    """A row for every video below `root`, by session and participant.

    Raises:
        InputError: There is no such folder, or no video in it.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such directory; give the one that contains the recordings")
    files = [PurePosixPath(p.relative_to(root).as_posix()) for p in sorted(root.rglob("*")) if p.is_file()]
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    videos = [path for path in files if path.suffix.lower() in VIDEO]
    if not videos:
        raise InputError(
            f"{root}: no video in it ({len(files)} files); expected one file a participant, such as s01/anna.mp4"
        )
    prefixes = Counter(_prefix(_base(path)) for path in videos if not _session_folders(path))
    keys = {path: _participant_key(path, prefixes) for path in videos}
    sounds = _companions(files, AUDIO, prefixes)
    labels = _companions(files, LABEL, prefixes)
    several_labels = _labels_of_several(files, prefixes, set(keys.values()))
    rows, n_videos = [], Counter()
    for path, (session, participant) in keys.items():
        n_videos[session, participant] += 1
        if n_videos[session, participant] > 1:
            participant = f"{participant[:60]}-{n_videos[session, participant]}"
        is_seat = bool(SEAT.match(participant))
        rows.append(
            ManifestRow(
                session=session,
                participant=participant,
                role=participant if is_seat else "participant",
                split=split_of(path.parts[:-1]) or "",
                language=language,
                person=_name(f"{session}-{participant}") if is_seat else participant,
                video=str(path),
                audio=sounds.get((session, participant), ""),
                label=labels.get((session, participant)) or several_labels.get((session, participant), ""),
            )
        )
    return with_splits(sorted(rows, key=lambda row: (row.session, row.participant)))


def _base(path: PurePosixPath, suffixes: Iterable[str] = ()) -> str:
    """File name without the parts that stand for a kind of file."""
    name = path.name
    suffix = next((s for s in suffixes if name.lower().endswith(s)), path.suffix)
    name = name[: len(name) - len(suffix)]
    middle = next((m for m in MIDDLES if name.lower().endswith(m)), "")
    return name[: len(name) - len(middle)]


def _session_folders(path: PurePosixPath) -> list[str]:
    """Folders of a path that can stand for a session."""
    return [part for part in path.parts[:-1] if part.lower() not in KIND_FOLDERS and split_of([part]) is None]


def _prefix(base: str) -> str:
    """The part before the last separator, or ""."""
    return re.split(r"[_.\-\s]+(?=[^_.\-\s]*$)", base)[0] if re.search(r"[_.\-\s]", base) else ""


def _participant_key(path: PurePosixPath, prefixes: Counter[str], suffixes: Iterable[str] = ()) -> ParticipantKey:
    """Session and participant that a file belongs to."""
    base, folders = _base(path, suffixes), _session_folders(path)
    if folders:
        session = "-".join(folders)
        own = base.removeprefix(folders[-1]).lstrip("_.- ")
        return _name(session), _name(own or base)
    prefix = _prefix(base)
    if prefix and prefixes[prefix] > 1:
        return _name(prefix), _name(base[len(prefix) :])
    return _name(base), "a"


def _name(text: str) -> str:
    """A name that the manifest allows: letters, digits, '.', '_' and '-', at most 64."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("._-")[:64] or "unnamed"


def _companions(
    files: Iterable[PurePosixPath], suffixes: Sequence[str], prefixes: Counter[str]
) -> dict[ParticipantKey, str]:
    """The file of one kind of each participant."""
    companions: dict[ParticipantKey, str] = {}
    for path in files:
        if path.name.lower().endswith(tuple(suffixes)) and path.name != "manifest.csv":
            companions.setdefault(_participant_key(path, prefixes, suffixes), str(path))
    return companions


def _labels_of_several(
    files: Iterable[PurePosixPath], prefixes: Counter[str], keys: Set[ParticipantKey]
) -> dict[ParticipantKey, str]:
    """Label files with one more part in their name than the participant's: those of several annotators."""
    by_key: dict[ParticipantKey, list[str]] = defaultdict(list)
    for path in files:
        suffix = next((s for s in LABEL if path.name.lower().endswith(s)), None)
        shorter = re.sub(r"[_.-][^_.-]+$", "", path.name[: len(path.name) - len(suffix)]) if suffix else ""
        key = _participant_key(path.with_name(f"{shorter}{suffix}"), prefixes, LABEL) if shorter else None
        if key and key in keys and _participant_key(path, prefixes, LABEL) not in keys:
            by_key[key].append(str(path))
    return {key: ANNOTATORS.join(paths) for key, paths in by_key.items()}


def with_splits(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """Give a split to sessions that have none; sessions that share a person get the same one."""
    sizes: Counter[str] = Counter()
    chosen: dict[str, str] = {}
    for k, sessions in enumerate(_groups_of_people(rows)):
        given = {row.split for row in rows if row.session in sessions and row.split}
        if given:
            split = next(iter(given))
        elif k < len(SPLIT_SHARES):  # the first groups fill the splits that are still empty
            split = min(SPLIT_SHARES, key=lambda name: (sizes[name] > 0, list(SPLIT_SHARES).index(name)))
        else:
            total = sum(sizes.values()) + len(sessions)
            split = max(SPLIT_SHARES, key=lambda name: SPLIT_SHARES[name] * total - sizes[name])
        sizes[split] += len(sessions)
        chosen.update(dict.fromkeys(sessions, split))
    return [replace(row, split=row.split or chosen[row.session]) for row in rows]


def _groups_of_people(rows: Sequence[ManifestRow]) -> Iterator[set[str]]:
    """Sessions in groups that share no person, the largest first."""
    by_person: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_person[row.person].add(row.session)
    groups: list[set[str]] = []
    for sessions in by_person.values():
        joined = set(sessions).union(*(group for group in groups if group & sessions))
        groups = [group for group in groups if not group & sessions] + [joined]
    yield from sorted(groups, key=lambda group: (-len(group), min(group)))
