"""The challenge's corpora as it releases them.

    <root>/noxi/train/001/expert.clip.stream  expert.clip.stream~  expert.engagement.annotation.csv  novice.…

Both generations of trees and file names (``expert.clip`` and ``expert.video.clip``) are read. The official lists
define the split of each session. Only headers are opened here; `damamba.ingest.released` reads the data.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.corpus.defects import Defect
from damamba.corpus.manifest import NAME, Participant, ReleasedStream, label_of
from damamba.corpus.release import (
    ANNOTATIONS,
    AUDIO_FILES,
    CODERS,
    CONTEXT,
    CORPORA,
    LABEL_ENDING,
    LANGUAGE_FILE,
    LANGUAGE_NAMES,
    OTHER_WIDTHS,
    SCENE,
    SEATS,
    STREAMS_OF_2023,
    VIDEO_FILES,
    WITH_CONTEXT,
    gender_of,
)
from damamba.corpus.release_trees import ReleaseLayout, ReleaseTree, find_trees
from damamba.text import some

UNKNOWN_LANGUAGE = "unknown"
PERSON_COLUMNS = ("corpus", "session", "participant", "person")


@dataclass
class ReleaseContents:
    """Participants that have been read so far, and everything that is wrong with them."""

    participants: list[Participant] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Lines of an `InputError`."""

    def note(self, kind: str, where: str, what: str, stream: str = "", count: int = 1) -> None:
        """Add a defect."""
        self.defects.append(Defect(kind, where, what, stream, count))


def read_release(
    layout: ReleaseLayout, streams: tuple[str, ...], with_media: bool, persons: Path | None
) -> tuple[list[Participant], list[Defect]]:
    """Find every session and participant of a release.

    Args:
        layout: Where the splits lie.
        streams: Names of the streams that are wanted.
        with_media: Whether raw video and sound are wanted too, where they exist.
        persons: CSV with the columns of `PERSON_COLUMNS`; without it every participant is a person of their own.

    Returns:
        Participants, whose streams have the rates and rows of their headers and no hash yet; and defects of the trees.

    Raises:
        InputError: All problems, one a line: what was expected, what was found, what to do.
    """
    contents = ReleaseContents()
    trees, contents.problems = find_trees(layout)
    for tree in trees:
        before = len(contents.participants)
        _read_tree(tree, (layout.annotation, *layout.also), streams, with_media, contents)
        _check_labels(tree, layout.annotation, contents.participants[before:], contents)
    participants = _with_absent_streams(contents)
    if persons and not contents.problems:
        participants = _with_persons(participants, persons)
    if contents.problems:
        raise InputError("\n".join(contents.problems))
    return sorted(participants, key=lambda p: p.key), contents.defects


def _read_tree(
    tree: ReleaseTree,
    annotations: tuple[str, ...],
    streams: tuple[str, ...],
    with_media: bool,
    contents: ReleaseContents,
) -> None:
    """Add the sessions of one split; the first of the annotations is `Participant.label`."""
    for session in tree.unlisted:
        contents.note("unlisted_session", f"{tree.corpus}/{session}", "in no official list of sessions")
    if tree.n_missing:
        what = f"{tree.n_missing} of the {tree.n_missing + len(tree.sessions)} sessions of {tree.title}"
        listed = f": {' '.join(tree.missing)}" if tree.missing else ""
        contents.note("missing_session", tree.name, what + listed, count=tree.n_missing)
    for session in tree.sessions:
        try:
            contents.participants += _read_session(tree, session, annotations, streams, with_media, contents)
        except InputError as error:
            contents.problems.append(str(error))


def _read_session(
    tree: ReleaseTree,
    session: str,
    annotations: tuple[str, ...],
    wanted: tuple[str, ...],
    with_media: bool,
    contents: ReleaseContents,
) -> list[Participant]:
    folder = tree.features / session
    files = {path.name for path in folder.iterdir()}
    _check_names(tree, folder, files)
    scene_files = sum(name.startswith(f"{SCENE}.") for name in files)
    if scene_files:
        what = f"{scene_files} files {SCENE}.*"
        contents.note("scene_view", f"{tree.corpus}/{session}", what, count=scene_files)
    language = _language(folder / LANGUAGE_FILE)
    if language == UNKNOWN_LANGUAGE:
        what = f"no language in {folder / LANGUAGE_FILE}"
        contents.note("unknown_language", f"{tree.corpus}/{session}", what)
    own = tuple(name for name in wanted if not name.startswith(f"{CONTEXT}."))
    by_role = {role: _streams(folder, f"{role}.", files, own) for role in SEATS[tree.corpus]}
    context = _streams(folder, "", files, tuple(name for name in wanted if name not in own))
    any_sound = any(name.startswith("audio.") for streams in by_role.values() for name in streams)
    participants = []
    for role, streams in by_role.items():
        name = f"{tree.corpus}/{session}/{role}"
        label, *others = (_label(tree.labels / session, role, annotation) for annotation in annotations)
        also = {name: files for name, files in zip(annotations[1:], others, strict=True) if files}
        silent = any_sound and not any(stream.startswith("audio.") for stream in streams)
        # the cameras of a group film an empty chair too
        empty_chair = silent and len(by_role) > 2 and not (label or also)
        if not streams or empty_chair:
            what = f"only {', '.join(streams)}, no sound and no label" if streams else "no streams"
            contents.note("empty_seat", name, what + (" beside its label" if label else ""))
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
                video=_media_file(tree, session, role, VIDEO_FILES) if with_media else "",
                audio=_media_file(tree, session, role, AUDIO_FILES) if with_media else "",
                label=label,
                gender=gender_of(_longest_value(folder / f"{role}.gender.annotation.csv")),
                age=_longest_value(folder / f"{role}.age.annotation.csv"),
                streams=(*streams.values(), *context.values()),
                also=also,
            )
        )
    if not participants:
        raise InputError(
            f"{folder}: no participant in it; expected streams such as {SEATS[tree.corpus][0]}.{wanted[0]}.stream and "
            f".stream~, found {some(sorted(files), 4) or 'nothing'}; unpack the session, or remove the folder to go "
            "without it"
        )
    return participants


def _label(folder: Path, role: str, annotation: str) -> str:
    """`Participant.label` of a role: the release's file, else the public annotations of all coders; "" for none."""
    path = folder / f"{role}.{annotation}{LABEL_ENDING}"
    if path.is_file() or not folder.is_dir():
        return label_of([(path, None)]) if path.is_file() else ""
    return label_of([(coder, role) for coder in sorted(folder.glob(CODERS))])


def _check_names(tree: ReleaseTree, folder: Path, files: set[str]) -> None:
    """Refuse files of another year, or of a role that the corpus does not have."""
    old = sorted(name for name in files for kind in STREAMS_OF_2023 if name.endswith(f".{kind}.stream"))
    if old:
        raise InputError(
            f"{folder}: {old[0]} is of the release of 2023, whose streams are others; expected those of 2024 or later "
            "(audio.egemapsv2, audio.w2vbert2_embeddings, clip, openface2, openpose): "
            f"point corpus.official.features_at.{tree.corpus}.{tree.split} at them"
        )
    for name in sorted(files):
        role, _, rest = name.partition(".")
        annotated = rest in [f"{annotation}{LABEL_ENDING}" for annotation in ANNOTATIONS[tree.corpus]]
        has_role = rest.endswith((".stream", ".stream~")) or annotated
        roles = (*SEATS[tree.corpus], CONTEXT if tree.corpus in WITH_CONTEXT else SCENE)
        if has_role and role not in roles:
            raise InputError(
                f"{folder / name}: {CORPORA[tree.corpus]} has no role {role!r}; expected "
                f"{', '.join(SEATS[tree.corpus])}; is this another corpus' tree? Else rename or remove the file"
            )


def _streams(folder: Path, role: str, files: set[str], wanted: tuple[str, ...]) -> dict[str, ReleasedStream]:
    """Wanted streams whose header and data files exist; `role` is the role with a dot, or "" for the whole scene."""
    streams = {}
    for name in wanted:
        spellings = [f"{role}{name}.stream", f"{role}video.{name}.stream"]
        existing = [file for file in spellings if file in files and f"{file}~" in files]
        if len(existing) > 1:
            raise InputError(
                f"{folder}: both {existing[0]} and {existing[1]}; one stream has one name: remove one of them"
            )
        for file in existing:
            streams[name] = ReleasedStream.of(name, folder / file)
    return streams


def _check_labels(
    tree: ReleaseTree, annotation: str, participants: list[Participant], contents: ReleaseContents
) -> None:
    """Refuse a training or validation split without any label; a test split may have none."""
    unlabelled = [p for p in participants if not p.labelled]
    if participants and len(unlabelled) == len(participants):
        if tree.split == "test":
            contents.note("withheld_labels", tree.name, f"none of {len(participants)} participants has a label")
            return
        first = participants[0]
        contents.problems.append(
            f"{tree.labels}: {tree.title} has no labels; expected {first.session}/{first.participant}."
            f"{annotation}{LABEL_ENDING} and so on; set corpus.official.labels_at.{tree.corpus}.{tree.split} to the "
            "folder that has them"
        )
        return
    for participant in unlabelled:
        contents.note("unlabelled", participant.name, f"{len(participant.streams)} streams, no label")


def _with_absent_streams(contents: ReleaseContents) -> list[Participant]:
    """Every participant with an entry for each stream that any participant has, all of the usual width."""
    widths: dict[str, Counter[int]] = defaultdict(Counter)
    examples: dict[tuple[str, int], str] = {}
    contents.participants = _without_other_widths(contents)
    for participant in contents.participants:
        for stream in participant.streams:
            widths[stream.name][stream.width] += 1
            examples.setdefault((stream.name, stream.width), stream.path)
    for name, by_width in widths.items():
        (usual, n), *others = by_width.most_common()
        contents.problems += [
            f"{examples[name, width]}: {width} channels, but {usual} in {n} others such as {examples[name, usual]}; "
            "files of two releases are mixed: fetch all of them from one"
            for width, _ in others
        ]
    completed = []
    for participant in contents.participants:
        by_name = {stream.name: stream for stream in participant.streams}
        for name in sorted(widths.keys() - by_name.keys()):
            contents.note("absent_stream", participant.name, "header or data file is missing", name)
            by_name[name] = ReleasedStream(name, "", widths[name].most_common()[0][0], LABEL_RATE_HZ, 0)
        completed.append(replace(participant, streams=tuple(by_name[name] for name in sorted(by_name))))
    return completed


def _without_other_widths(contents: ReleaseContents) -> list[Participant]:
    """Without the streams of `OTHER_WIDTHS`, unless no other corpus has such a stream: one cue has one width."""
    elsewhere = {
        stream.name
        for p in contents.participants
        for stream in p.streams
        if (p.corpus, stream.name) not in OTHER_WIDTHS
    }
    kept = []
    for participant in contents.participants:
        other = [s for s in participant.streams if (participant.corpus, s.name) in OTHER_WIDTHS and s.name in elsewhere]
        for stream in other:
            contents.note("other_width", participant.name, f"{stream.width} channels", stream.name)
        streams = tuple(stream for stream in participant.streams if stream not in other)
        kept.append(replace(participant, streams=streams))
    return kept


def _with_persons(participants: list[Participant], path: Path) -> list[Participant]:
    """Persons as in the user's table; participants that are not listed get an identifier of their own."""
    by_key = {p.key: p for p in participants}
    for line, row in _person_rows(path):
        key = (row["corpus"].strip(), row["session"].strip(), row["participant"].strip())
        person = row["person"].strip()
        roles = SEATS.get(key[0])
        if roles is None or key[2] not in roles:
            expected = f"one of {', '.join(roles)}" if roles else f"a corpus of {', '.join(SEATS)}"
            raise InputError(f"{path}, line {line}: {'/'.join(key)}: no such role; expected {expected}")
        if not NAME.match(person):
            raise InputError(f"{path}, line {line}: person is {person!r}; use 1-64 letters, digits, '.', '_' or '-'")
        if key in by_key:
            by_key[key] = replace(by_key[key], person=person)
    return list(by_key.values())


def _person_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="")
            if missing := [name for name in PERSON_COLUMNS if name not in (reader.fieldnames or [])]:
                raise InputError(
                    f"{path}, line 1: missing column {', '.join(missing)}; expected {','.join(PERSON_COLUMNS)}"
                )
            for row in reader:
                yield reader.line_num, row
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; correct corpus.official.persons, or set it to null") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not CSV in UTF-8 ({error}); save it again as that") from None


def _media_file(tree: ReleaseTree, session: str, role: str, names: tuple[str, ...]) -> str:
    paths = (folder / session / f"{role}.{name}" for folder in (tree.features, tree.media) for name in names)
    return next((path.as_posix() for path in paths if path.is_file()), "")


def _language(path: Path) -> str:
    name = _longest_value(path).lower()
    codes = {name.lower(): code for code, name in LANGUAGE_NAMES.items()}
    return codes.get(name, name) or UNKNOWN_LANGUAGE


def _longest_value(path: Path) -> str:
    """The value that an annotation has for the longest time; "" without a file or a row."""
    seconds: dict[str, float] = defaultdict(float)
    for start_s, end_s, value in _annotation_rows(path) if path.is_file() else ():
        seconds[value] += end_s - start_s
    return max(seconds, key=lambda value: seconds[value]) if seconds else ""


def _annotation_rows(path: Path) -> Iterator[tuple[float, float, str]]:
    """(start_s, end_s, value) of each line ``start;end;value;confidence``."""
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), 1):
        if not line.strip():
            continue
        parts = line.split(";")
        try:
            yield float(parts[0]), float(parts[1]), parts[2].strip()
        except (ValueError, IndexError):
            raise InputError(f"{path}, line {number}: {line[:40]!r}; expected start;end;value;confidence") from None
