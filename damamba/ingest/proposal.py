"""From a folder of files to a proposed manifest; sessions and participants follow from folders and file names.

There must be one video file a participant, or feature streams of theirs (``s01/anna.face.parquet``). The session is
the folder that it lies in (``s01/anna.mp4``) or, in a flat folder, the part of its name that it shares with others
(``s01_anna.mp4``). Sound and labels are files whose names begin with that of the video; what follows says what was
rated, and by whom (``anna.engagement.rater1.csv``).
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from damamba.console import InputError
from damamba.corpus.challenge import split_of
from damamba.corpus.manifest_csv import STREAM_SUFFIXES, ManifestRow
from damamba.ingest.identifiers import identifiers
from damamba.ingest.label_choice import LabelFile, LeftOut, choose, words_of
from damamba.text import some

VIDEO = (
    ".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".mxf", ".wmv", ".flv",
    ".3gp", ".3g2", ".ogv", ".vob", ".dv", ".asf", ".f4v", ".mjpeg", ".gif",
)  # fmt: skip
AUDIO = (
    ".wav", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".aac", ".aif", ".aiff", ".caf", ".au", ".w64", ".wma", ".mka",
    ".ac3", ".amr",
)  # fmt: skip
LABEL = (".csv", ".txt", ".eaf", ".annotation")
OURS = re.compile(r"manifest\.csv.*|readme(\..*)?|.*\.md", re.IGNORECASE)
"""Names of files that are neither recordings nor labels."""
ATTRIBUTES = {"gender", "language", "age"}
"""What the challenge's trees have beside labels."""
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
TUTOR_SESSIONS = 3
"""Fewest sessions of somebody who is never rated and ties no sessions together."""
SPLIT_SHARES = {"train": 0.6, "test": 0.2, "val": 0.2}
Folders = tuple[str, ...]
SessionName = tuple[str, ...]
"""Folders of a session or, in a flat folder, the shared part of the names; a split in front where two have the same."""


@dataclass(frozen=True)
class Proposal:
    """Rows by session and participant, and what is to be said about the files."""

    rows: list[ManifestRow]
    """A split is "" unless a folder names it."""
    notes: list[str]
    problems: list[str]
    """Why a manifest of these rows would be wrong."""


@dataclass(frozen=True)
class _Place:
    """Where a file lies and what it is called; names are compared in composed form, as they are."""

    path: str
    folders: Folders
    """That can stand for a session."""
    split: str
    base: str
    """Name without its ending and without what stands for a kind of file."""

    @classmethod
    def of(cls, path: PurePosixPath) -> "_Place":
        composed = PurePosixPath(unicodedata.normalize("NFC", str(path)))
        folders = tuple(
            part for part in composed.parts[:-1] if part.lower() not in KIND_FOLDERS and split_of([part]) is None
        )
        base = composed.name[: len(composed.name) - len(composed.suffix)]
        middle = next((middle for middle in MIDDLES if base.lower().endswith(middle)), "")
        return cls(str(path), folders, split_of(composed.parts[:-1]) or "", base[: len(base) - len(middle)])


@dataclass(frozen=True)
class _Seat:
    """A video and the names that follow from its place."""

    place: _Place
    session: SessionName
    participant: str

    def aliases(self) -> list[tuple[Folders, str, list[str]]]:
        """Folders and beginnings of the names of files that belong to the video, the latter also as words."""
        place, own = self.place, words_of(self.participant)
        names = [(place.folders, place.base, words_of(place.base)), (self.session, self.participant, own)]
        if place.folders:
            names.append((place.folders, self.participant, own))
            names.append(((), place.base, words_of(" ".join(place.folders)) + own))
        return [alias for alias in names if alias[2]]


@dataclass(frozen=True)
class _Fit:
    """A file whose name begins with that of a video."""

    is_exact: bool
    n_words: int
    """In common."""
    seat: _Seat
    words: tuple[str, ...]
    """That follow."""


def propose(root: Path, language: str, scheme: str = "engagement") -> Proposal:
    """A row for every video below `root`, and for everybody who has feature streams alone.

    Args:
        root: Folder of the recordings.
        language: Of all sessions.
        scheme: What the labels rate, as file names, NOVA headers or ELAN tiers call it.

    Raises:
        InputError: There is no such folder, or neither video nor stream in it.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such directory; give the one that contains the recordings")
    files = [PurePosixPath(p.relative_to(root).as_posix()) for p in sorted(root.rglob("*")) if p.is_file()]
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    files, problems = _usable(root, files)
    videos = [path for path in files if path.suffix.lower() in VIDEO]
    streams = _streams(files)
    if not videos and not streams:
        raise InputError(
            f"{root}: no video in it ({len(files)} files); expected one file a participant, such as s01/anna.mp4, or "
            "feature streams, which damamba import makes"
        )
    filmed = [_Place.of(path) for path in videos]
    known = {(place.folders, place.base) for place in filmed}
    alone = [replace(place, path="") for place in streams if (place.folders, place.base) not in known]
    streams_of = {(place.folders, place.base): paths for place, paths in streams.items()}
    seats = _seats([*filmed, *alone])
    problems += _collisions(root, seats)
    sounds, no_sounds = _companions(files, AUDIO, seats)
    labels, no_labels = _companions(files, LABEL, seats)
    notes = [*no_sounds, *no_labels]
    sessions = identifiers({seat.session: "-".join(seat.session) for seat in seats})
    participants = identifiers({seat.participant: seat.participant for seat in seats})
    people = identifiers({_person(seat): "-".join(_person(seat)) for seat in seats})
    rows: list[ManifestRow] = []
    left_out: list[LeftOut] = []
    words: dict[SessionName, set[str]] = defaultdict(set)
    for seat in seats:
        words[seat.session].update(words_of(seat.participant))
    for seat in seats:
        own = set(words_of(seat.participant))
        choice = choose(root, labels[seat], scheme, own, words[seat.session] - own)
        left_out += choice.left_out
        row = ManifestRow(
            session=sessions[seat.session],
            participant=participants[seat.participant],
            role=participants[seat.participant] if SEAT.match(seat.participant) else "participant",
            split=seat.place.split,
            language=language,
            person=people[_person(seat)],
            video=seat.place.path,
            audio=sounds[seat][0].path if sounds[seat] else "",
            label=choice.label,
            streams=";".join(streams_of.get((seat.place.folders, seat.place.base), [])),
        )
        rows.append(row)
        notes += [f"{row.name}: {path.path} is not used: {sounds[seat][0].path} is taken" for path in sounds[seat][1:]]
        if len(choice.files) > 1:
            notes.append(f"{row.name}: annotators who are joined: {', '.join(choice.files)}")
    notes += _left_out(left_out, scheme)
    return Proposal(sorted(rows, key=lambda row: (row.session, row.participant)), notes, problems)


def _streams(files: Iterable[PurePosixPath]) -> dict[_Place, list[str]]:
    """Feature streams by the place that a video of their participant would have."""
    found: dict[_Place, list[str]] = defaultdict(list)
    for path in files:
        participant, *name, _ = path.name.split(".")
        if path.suffix in STREAM_SUFFIXES and participant and name:
            found[_Place.of(path.with_name(f"{participant}{path.suffix}"))].append(str(path))
    merged: dict[_Place, list[str]] = {}
    for place, paths in found.items():
        same = next((one for one in merged if (one.folders, one.base) == (place.folders, place.base)), place)
        merged.setdefault(same, []).extend(paths)
    return {place: sorted(paths) for place, paths in merged.items()}


def _seats(places: Sequence[_Place]) -> list[_Seat]:
    """Session and participant of each video."""
    prefixes = Counter(_prefix(place.base) for place in places if not place.folders)
    splits: dict[Folders, set[str]] = defaultdict(set)
    named = []
    for place in places:
        prefix = _prefix(place.base)
        if place.folders:
            session = place.folders
            participant = place.base.removeprefix(place.folders[-1]).lstrip("_.- ") or place.base
        elif prefix and prefixes[prefix] > 1:
            session, participant = (prefix,), place.base[len(prefix) :].lstrip("_.- ")
        else:
            session, participant = (place.base,), "a"
        splits[session].add(place.split)
        named.append(_Seat(place, session, participant))
    return [
        replace(seat, session=(seat.place.split, *seat.session)) if len(splits[seat.session]) > 1 else seat
        for seat in named
    ]


def _prefix(base: str) -> str:
    """The part before the last separator, or ""."""
    return re.split(r"[_.\-\s]+(?=[^_.\-\s]*$)", base)[0] if re.search(r"[_.\-\s]", base) else ""


def _person(seat: _Seat) -> tuple[str, ...]:
    """Name of the person: that of the file or, for the name of a place, that of this session's place."""
    return (*seat.session, seat.participant) if SEAT.match(seat.participant) else (seat.participant,)


def _usable(root: Path, files: Sequence[PurePosixPath]) -> tuple[list[PurePosixPath], list[str]]:
    """Files whose names a manifest can hold, and a problem for the others."""
    wrong = [path for path in files if not str(path).isprintable() or str(path) != str(path).strip()]
    media = [path for path in wrong if path.suffix.strip().lower() in (*VIDEO, *AUDIO, *LABEL)]
    problems = [
        f"{root}: file {str(path)!a}: its name begins or ends with a blank, or has characters that cannot be printed; "
        "rename it"
        for path in media
    ]
    return [path for path in files if path not in set(wrong)], problems


def _collisions(root: Path, seats: Sequence[_Seat]) -> list[str]:
    """A problem for each participant of whom there are two videos."""
    of_key: dict[tuple[SessionName, str], list[str]] = defaultdict(list)
    for seat in seats:
        of_key[seat.session, seat.participant].append(str(root / seat.place.path))
    return [
        f"{', '.join(paths)}: would be the same participant {participant} of session {'-'.join(session)}; keep one, or "
        "rename the others"
        for (session, participant), paths in of_key.items()
        if len(paths) > 1
    ]


def _companions(
    files: Iterable[PurePosixPath], suffixes: Sequence[str], seats: Sequence[_Seat]
) -> tuple[dict[_Seat, list[LabelFile]], list[str]]:
    """Files of one kind for each participant, in the order of `suffixes`; and notes about files that are not used."""
    found: dict[_Seat, list[LabelFile]] = {seat: [] for seat in seats}
    unmatched, ambiguous = [], []
    by_start: dict[tuple[Folders, str], set[_Seat]] = defaultdict(set)
    for seat in seats:
        for folders, _, words in seat.aliases():
            by_start[folders, words[0]].add(seat)
    mine = [path for path in files if path.suffix.lower() in suffixes and not OURS.fullmatch(path.name)]
    for path in sorted(mine, key=lambda path: suffixes.index(path.suffix.lower())):
        place = _Place.of(path)
        words = words_of(place.base)
        fits = _fits(place, words, by_start[place.folders, words[0]] if words else ())
        if len(fits) == 1 and (suffixes is LABEL or not fits[0].words):
            found[fits[0].seat].append(LabelFile(str(path), fits[0].words))
        elif not ATTRIBUTES & set(words):
            (ambiguous if len(fits) > 1 else unmatched).append(str(path))
    notes = []
    if unmatched:
        notes.append(f"{len(unmatched)} files are not used, because they are called like no video: {some(unmatched)}")
    if ambiguous:
        notes.append(f"{len(ambiguous)} files are not used, because they fit several videos: {some(ambiguous)}")
    return found, notes


def _fits(place: _Place, words: Sequence[str], seats: Iterable[_Seat]) -> list[_Fit]:
    """The videos with whose name that of a file begins best; one, unless the file fits several."""
    fits: dict[_Seat, _Fit] = {}
    for seat in seats:
        if place.split and seat.place.split and place.split != seat.place.split:
            continue
        for folders, base, own in seat.aliases():
            if folders == place.folders and list(words[: len(own)]) == own:
                fit = _Fit(place.base.startswith(base), len(own), seat, tuple(words[len(own) :]))
                fits[seat] = max(fits.get(seat, fit), fit, key=lambda one: (one.is_exact, one.n_words))
    best = max(((fit.is_exact, fit.n_words) for fit in fits.values()), default=None)
    return [fit for fit in fits.values() if (fit.is_exact, fit.n_words) == best]


def _left_out(left_out: Iterable[LeftOut], scheme: str) -> list[str]:
    """A note for each kind of label files that are not used."""
    of_kind: Mapping[str, list[str]] = defaultdict(list)
    for one in left_out:
        of_kind[one.kind].append(one.path)
    return [
        f"labels that are not used ({kind}): {some(paths)}; what belongs to {scheme} has this word in its name, or is "
        "written into the column label"
        for kind, paths in of_kind.items()
    ]


def with_splits(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """Give a split to sessions that have none; sessions that share a person get the same one.

    Sessions with labels are shared out over all splits; where there are some, sessions without labels are for testing.
    """
    groups = list(_groups_of_people(rows))
    labelled = {row.session for row in rows if row.label} or {row.session for row in rows}
    given: dict[str, str] = {}
    for row in rows:
        if row.split:
            given.setdefault(row.session, row.split)
    chosen: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    for group in groups:
        if splits := sorted({given[session] for session in group if session in given}):
            chosen |= dict.fromkeys(group, splits[0])
            sizes[splits[0]] += len(group & labelled)
    for group in groups:
        if min(group) in chosen:
            continue
        weight = len(group & labelled)
        empty = [split for split in SPLIT_SHARES if not sizes[split]]
        total = sum(sizes.values()) + weight
        if not weight:
            split = "test"
        elif empty:
            split = empty[0]
        else:
            split = max(SPLIT_SHARES, key=lambda name: SPLIT_SHARES[name] * total - sizes[name])
        sizes[split] += weight
        chosen |= dict.fromkeys(group, split)
    return [replace(row, split=row.split or given.get(row.session) or chosen[row.session]) for row in rows]


def _groups_of_people(rows: Sequence[ManifestRow]) -> Iterator[set[str]]:
    """Sessions in groups that share no person, the largest first.

    Somebody without labels who is in most sessions, such as a tutor, ties none together.
    """
    by_person: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_person[row.person].add(row.session)
    labelled = {row.person for row in rows if row.label}
    most = max(len({row.session for row in rows}) / 2, TUTOR_SESSIONS - 1)
    for person, sessions in list(by_person.items()):
        if labelled and person not in labelled and len(sessions) > most:
            del by_person[person]
            by_person |= {f"{person} of {session}": {session} for session in sessions}
    groups: list[set[str]] = []
    for sessions in by_person.values():
        joined = set(sessions).union(*(group for group in groups if group & sessions))
        groups = [group for group in groups if not group & sessions] + [joined]
    yield from sorted(groups, key=lambda group: (-len(group), min(group)))
