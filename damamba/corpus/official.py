"""Corpus `official`: NoXi, NoXi-Add and MPIIGI as the challenge releases them, tree by tree.

    <root>/noxi/train/001/expert.clip.stream  expert.clip.stream~  expert.engagement.annotation.csv  novice.…

Both generations of trees and names (``expert.clip`` and ``expert.video.clip``). The official lists say which session is
of which split. Only headers are opened here; what the data are is looked at in `damamba.ingest.released`.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from damamba.config import LABEL_RATE_HZ, OfficialParams
from damamba.console import InputError
from damamba.corpus.challenge import gender_of
from damamba.corpus.defects import Defect
from damamba.corpus.manifest import NAME, Participant, ReleasedStream
from damamba.corpus.official_trees import Tree, find_trees
from damamba.corpus.release import (
    AUDIO_FILES,
    CORPORA,
    LABEL_FILE,
    LANGUAGE_FILE,
    LANGUAGE_NAMES,
    SCENE,
    SEATS,
    STREAMS_OF_2023,
    VIDEO_FILES,
)

UNKNOWN_LANGUAGE = "unknown"


@dataclass
class Findings:
    """What is read so far, and what is wrong with it."""

    participants: list[Participant] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Lines of an `InputError`."""

    def note(self, kind: str, where: str, what: str, stream: str = "", count: int = 1) -> None:
        """Add a defect."""
        self.defects.append(Defect(kind, where, what, stream, count))


def read_official(params: OfficialParams) -> tuple[list[Participant], list[Defect]]:
    """Find every session and participant of the release.

    Returns:
        Participants, whose streams have the rates and rows of their headers and no hash yet; and the defects of trees.

    Raises:
        InputError: All problems, one a line: what was expected, what was found, what to do.
    """
    found = Findings()
    trees, found.problems = find_trees(params)
    for tree in trees:
        before = len(found.participants)
        _read_tree(tree, params, found)
        _check_labels(tree, params, found.participants[before:], found)
    participants = _with_absent_streams(found)
    if params.persons and not found.problems:
        participants = _with_persons(participants, Path(params.persons))
    if found.problems:
        raise InputError("\n".join(found.problems))
    return sorted(participants, key=lambda p: p.key), found.defects


def _read_tree(tree: Tree, params: OfficialParams, found: Findings) -> None:
    """Sessions of one split."""
    for session, why in tree.strangers.items():
        found.note("unlisted_session", f"{tree.corpus}/{session}", why)
    if tree.missing:
        what = f"{len(tree.missing)} of the {len(tree.missing) + len(tree.sessions)} sessions of {tree.title}: "
        found.note("missing_session", tree.name, what + " ".join(tree.missing), count=len(tree.missing))
    for session in tree.sessions:
        try:
            found.participants += _read_session(tree, session, params, found)
        except InputError as error:
            found.problems.append(str(error))


def _read_session(tree: Tree, session: str, params: OfficialParams, found: Findings) -> list[Participant]:
    folder = tree.features / session
    files = {path.name for path in folder.iterdir()}
    _check_names(tree, folder, files)
    scene = sum(name.startswith(f"{SCENE}.") for name in files)
    if scene:
        found.note("scene_view", f"{tree.corpus}/{session}", f"{scene} files {SCENE}.*", count=scene)
    language = _language(folder / LANGUAGE_FILE)
    if language == UNKNOWN_LANGUAGE:
        found.note("unknown_language", f"{tree.corpus}/{session}", f"no language in {folder / LANGUAGE_FILE}")
    seats = {role: _streams(folder, role, files, params.streams) for role in SEATS[tree.corpus]}
    sound = any(name.startswith("audio.") for streams in seats.values() for name in streams)
    participants = []
    for role, streams in seats.items():
        name = f"{tree.corpus}/{session}/{role}"
        label = tree.labels / session / f"{role}.{LABEL_FILE}"
        silent = sound and not any(stream.startswith("audio.") for stream in streams)
        chair = silent and len(seats) > 2 and not label.is_file()  # cameras film an empty chair of a group too
        if not streams or chair:
            there = f"only {', '.join(streams)}, no sound and no label" if streams else "no streams"
            found.note("empty_seat", name, there + (" beside its label" if label.is_file() else ""))
            continue
        participants.append(
            Participant(
                corpus=tree.corpus,
                session=session,
                participant=role,
                role=role,
                split=tree.split,
                language=language,
                person=f"{tree.corpus.replace('_', '-')}-{session}-{role}",
                video=_medium(tree, session, role, VIDEO_FILES) if params.media else "",
                audio=_medium(tree, session, role, AUDIO_FILES) if params.media else "",
                label=label.as_posix() if label.is_file() else "",
                gender=gender_of(_longest(folder / f"{role}.gender.annotation.csv")),
                age=_longest(folder / f"{role}.age.annotation.csv"),
                streams=tuple(streams.values()),
            )
        )
    if not participants:
        raise InputError(
            f"{folder}: nobody in it; expected streams such as {SEATS[tree.corpus][0]}.{params.streams[0]}.stream and "
            f".stream~, found {_some(files)}; unpack the session, or remove the folder to go without it"
        )
    return participants


def _check_names(tree: Tree, folder: Path, files: set[str]) -> None:
    """Refuse files of another year or of somebody who cannot be there."""
    old = sorted(name for name in files for kind in STREAMS_OF_2023 if name.endswith(f".{kind}.stream"))
    if old:
        raise InputError(
            f"{folder}: {old[0]} is of the release of 2023, whose streams are others; expected those of 2024 or later "
            "(audio.egemapsv2, audio.w2vbert2_embeddings, clip, openface2, openpose): "
            f"point corpus.official.features_at.{tree.corpus}.{tree.split} at them"
        )
    for name in sorted(files):
        role, _, rest = name.partition(".")
        meant = rest.endswith((".stream", ".stream~")) or rest == LABEL_FILE
        if meant and role not in (*SEATS[tree.corpus], SCENE):
            raise InputError(
                f"{folder / name}: {role!r} is no role of {CORPORA[tree.corpus]}; expected "
                f"{', '.join(SEATS[tree.corpus])}; is this another corpus' tree? Else rename or remove the file"
            )


def _streams(folder: Path, role: str, files: set[str], wanted: tuple[str, ...]) -> dict[str, ReleasedStream]:
    """Wanted streams of a role whose header and data are there, as their headers have them."""
    streams = {}
    for name in wanted:
        spelt = [f"{role}.{name}.stream", f"{role}.video.{name}.stream"]
        there = [file for file in spelt if file in files and f"{file}~" in files]
        if len(there) > 1:
            raise InputError(f"{folder}: both {there[0]} and {there[1]}; one stream has one name: remove one of them")
        for file in there:
            streams[name] = ReleasedStream.of(name, folder / file)
    return streams


def _check_labels(tree: Tree, params: OfficialParams, participants: list[Participant], found: Findings) -> None:
    """A split of training or validation has labels; a test split may lack all of them."""
    unlabelled = [p for p in participants if not p.label]
    if participants and len(unlabelled) == len(participants):
        if tree.split == "test":
            found.note("withheld_labels", tree.name, f"none of {len(participants)} participants has a label")
            return
        first = participants[0]
        found.problems.append(
            f"{tree.labels}: {tree.title} has no labels; expected {first.session}/{first.participant}.{LABEL_FILE} and "
            f"so on; say in corpus.official.labels_at.{tree.corpus}.{tree.split} in which folder they are"
        )
        return
    for participant in unlabelled:
        found.note("unlabelled", participant.name, f"{len(participant.streams)} streams, no label")


def _with_absent_streams(found: Findings) -> list[Participant]:
    """Every participant with an entry for each stream that anybody has, as wide as everybody's."""
    widths: dict[str, Counter[int]] = defaultdict(Counter)
    examples: dict[tuple[str, int], str] = {}
    for participant in found.participants:
        for stream in participant.streams:
            widths[stream.name][stream.width] += 1
            examples.setdefault((stream.name, stream.width), stream.path)
    for name, by_width in widths.items():
        (usual, n), *others = by_width.most_common()
        found.problems += [
            f"{examples[name, width]}: {width} channels, but {usual} in {n} others such as {examples[name, usual]}; "
            "files of two releases are mixed: fetch all of them from one"
            for width, _ in others
        ]
    whole = []
    for participant in found.participants:
        held = {stream.name: stream for stream in participant.streams}
        for name in sorted(widths.keys() - held.keys()):
            found.note("absent_stream", participant.name, "header or data file is missing", name)
            held[name] = ReleasedStream(name, "", widths[name].most_common()[0][0], LABEL_RATE_HZ, 0)
        whole.append(replace(participant, streams=tuple(held[name] for name in sorted(held))))
    return whole


def _with_persons(participants: list[Participant], path: Path) -> list[Participant]:
    """Persons by the user's table; who is not in it stays a person of their own."""
    known = {p.key: p for p in participants}
    for line, row in _persons(path):
        key = (row["corpus"].strip(), row["session"].strip(), row["participant"].strip())
        person = row["person"].strip()
        seats = SEATS.get(key[0])
        if seats is None or key[2] not in seats:
            expected = f"one of {', '.join(seats)}" if seats else f"a corpus of {', '.join(SEATS)}"
            raise InputError(f"{path}, line {line}: {'/'.join(key)}: no such role; expected {expected}")
        if not NAME.match(person):
            raise InputError(f"{path}, line {line}: person is {person!r}; use 1-64 letters, digits, '.', '_' or '-'")
        if key in known:
            known[key] = replace(known[key], person=person)
    return list(known.values())


def _persons(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    columns = ("corpus", "session", "participant", "person")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="")
            if missing := [name for name in columns if name not in (reader.fieldnames or [])]:
                raise InputError(f"{path}, line 1: missing column {', '.join(missing)}; expected {','.join(columns)}")
            for row in reader:
                yield reader.line_num, row
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; correct corpus.official.persons, or set it to null") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not CSV in UTF-8 ({error}); save it again as that") from None


def _medium(tree: Tree, session: str, role: str, names: tuple[str, ...]) -> str:
    paths = (folder / session / f"{role}.{name}" for folder in (tree.features, tree.media) for name in names)
    return next((path.as_posix() for path in paths if path.is_file()), "")


def _language(path: Path) -> str:
    name = _longest(path).lower()
    codes = {name.lower(): code for code, name in LANGUAGE_NAMES.items()}
    return codes.get(name, name) or UNKNOWN_LANGUAGE


def _longest(path: Path) -> str:
    """What an annotation says for the longest time, "" where there is none."""
    lasting: dict[str, float] = defaultdict(float)
    for start_s, end_s, what in _annotations(path) if path.is_file() else ():
        lasting[what] += end_s - start_s
    return max(lasting, key=lambda what: lasting[what]) if lasting else ""


def _annotations(path: Path) -> Iterator[tuple[float, float, str]]:
    """(start_s, end_s, what) of each line ``start;end;what;confidence``."""
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), 1):
        if not line.strip():
            continue
        parts = line.split(";")
        try:
            yield float(parts[0]), float(parts[1]), parts[2].strip()
        except (ValueError, IndexError):
            raise InputError(f"{path}, line {number}: {line[:40]!r}; expected start;end;value;confidence") from None


def _some(names: set[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "") if shown else "nothing"
