"""The manifest: participants of all sessions, with their media, labels and splits.

Sources list participants; `Manifest` is what all stages after `ingest` read.
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from damamba.console import InputError
from damamba.corpus.own_stream import open_own
from damamba.corpus.ssi import read_stream
from damamba.files import BLANK_SEAL, check_seal, replace_file

ANNOTATORS = ";"
"""Separates the label files of several annotators of one participant."""
BETWEEN_FILES = re.compile(rf"(?<!\\){ANNOTATORS}")
"""A `ANNOTATORS` that belongs to a folder has a backslash in front."""
RESERVED = (
    *("also", "global", "interval", "left_out", "frames", "label_variance_within", "split", "protocol", "simulated"),
)
"""Keys and folders beside the corpora in results; no corpus may have one of these names."""
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
LABELLED = re.compile(r"\.label(\.|$)", re.IGNORECASE)
"""In the names of label files, and so not in those of participants."""
NAMED = ("corpus", "session", "participant", "role", "person")
"""Fields of a participant that must match `NAME`."""
TEXTS = ("language", "gender", "age")
"""Fields of free text; they reach tables, which spreadsheets open."""
NOT_EMPTY = ("region", "reference", "reference_sha256", "extra", "also")
"""Fields that are written only where there is something in them."""
MOST_TEXT = 64
"""Characters of such a field."""
TIER = re.compile(r"(?P<file>.+\.(?:eaf|yaml))#(?P<tier>.+)", re.IGNORECASE)


def label_files(label: str) -> list[tuple[str, str | None]]:
    """File of each annotator in a `Participant.label`, with its tier; None for the only tier, or no tiers."""
    files = []
    for escaped in filter(None, map(str.strip, BETWEEN_FILES.split(label))):
        part = escaped.replace(f"\\{ANNOTATORS}", ANNOTATORS)
        tiered = TIER.fullmatch(part)
        files.append((tiered["file"], tiered["tier"]) if tiered else (part, None))
    return files


def label_below(root: Path, label: str) -> str:
    """A label whose files are relative to `root`, as one with whole paths."""
    return label_of([(root / name, tier) for name, tier in label_files(label)])


def label_of(files: Sequence[tuple[Path, str | None]]) -> str:
    """A `Participant.label` from the file and tier of each annotator: the inverse of `label_files`."""
    joined = [f"{path.as_posix()}{f'#{tier}' if tier else ''}" for path, tier in files]
    return ANNOTATORS.join(part.replace(ANNOTATORS, f"\\{ANNOTATORS}") for part in joined)


def label_folder(name: str) -> str:
    """Where ``data/corpus`` has a label: ``labels`` for the one at the top of the section, as ``""``."""
    return f"also/{name}" if name else "labels"


@dataclass(frozen=True)
class ReleasedStream:
    """A feature stream that came with the corpus, as a header file and its data."""

    name: str
    """Such as ``audio.egemapsv2``."""
    path: str
    """Header file; the data file beside it has the same name with ``~``. "" where the participant has none."""
    width: int
    rate_hz: float
    """True rate of the rows, once `ingest` has compared the streams; before, the header's."""
    rows: int
    """Rows that the header declares; those that the data file lacks are not valid."""
    sha256: str = ""
    """Hash of header and data."""
    end_s: float | None = None
    """End of the last row on the clock that the file holds, s; None for a release, whose rows are paired with labels by
    their numbers."""
    irregular: bool = False
    """Whether the rows come at no one rate."""

    @classmethod
    def own(cls, name: str, path: Path) -> "ReleasedStream":
        """A stream of one's own, by the times in its file; raises `InputError` as `open_own`."""
        with open_own(path) as stream:
            known = (stream.width, stream.rate_hz, len(stream.t_s))
            return cls(name, path.as_posix(), *known, end_s=stream.end_s, irregular=not stream.regular)

    @classmethod
    def of(cls, name: str, path: Path) -> "ReleasedStream":
        """The stream that a header declares; raises `InputError` where it cannot be read."""
        stream = read_stream(path, scan=False)
        return cls(name, path.as_posix(), stream.width, stream.rate_hz, stream.declared_rows)


@dataclass(frozen=True)
class Participant:
    """One participant of one session."""

    corpus: str
    session: str
    participant: str
    role: str
    split: str
    language: str
    person: str
    """The same for the same human being in all sessions of the corpus."""
    video: str
    """Path from the repository's root, or absolute; media are never copied."""
    audio: str
    """May be the video file; "" without sound."""
    label: str
    """Label files for `label_files`; "" without annotation."""
    video_sha256: str = ""
    audio_sha256: str = ""
    duration_s: float = 0.0
    """End of the video, or length of the released streams."""
    rate_hz: float = 0.0
    n_frames: int = 0
    gender: str = ""
    """"" where it is unknown."""
    age: str = ""
    streams: tuple[ReleasedStream, ...] = ()
    """With streams, media may be ""; the session's clock is then that of their rows."""
    video_track: str = ""
    """Number among the tracks of the video file, from 1; "" for the default one."""
    audio_track: str = ""
    audio_channel: str = ""
    """Number of the channel that has the participant, from 1; "" for the mean of all."""
    region: str = ""
    """Part of the picture that shows the participant, as text for `Region.parse`; "" for a video of one person."""
    reference: str = ""
    """Picture of the participant's face, as `video`; "" without one."""
    reference_sha256: str = ""
    extra: dict[str, str] = field(default_factory=dict, hash=False)
    """Further columns of a manifest of one's own, unchecked: scores may be asked for by them."""
    also: dict[str, str] = field(default_factory=dict, hash=False)
    """Further label -> its files, as `label`; without those that the participant lacks."""

    @property
    def labelled(self) -> bool:
        """Whether anything of the participant was annotated, so that a model is trained or tested on the person."""
        return bool(self.label or self.also)

    def files_of(self, name: str) -> str:
        """Files of a label, as `label`; "" where the participant lacks it. `MAIN` is `label` itself."""
        return self.also.get(name, "") if name else self.label

    def of_label(self, name: str) -> "Participant":
        """The same with the files of a further label as `label`."""
        return replace(self, label=self.also[name])

    @property
    def key(self) -> tuple[str, str, str]:
        """(corpus, session, participant): unique, and the order of every listing."""
        return self.corpus, self.session, self.participant

    @property
    def name(self) -> str:
        """corpus/session/participant, as in messages and paths."""
        return "/".join(self.key)

    def stream(self, name: str) -> ReleasedStream:
        """The stream called `name`.

        Raises:
            InputError: There is none.
        """
        for stream in self.streams:
            if stream.name == name:
                return stream
        existing = ", ".join(stream.name for stream in self.streams)
        where = "the column streams of the manifest or corpus.official.streams"
        raise InputError(
            f"{self.name}: no released stream {name!r}; "
            + (
                f"there are {existing}: correct the cue's `stream`, or add it to {where}"
                if existing
                else "these are recordings without streams: use the cues of damamba preset compact or upstream"
            )
        )

    def shard(self, root: Path, suffix: str = ".parquet") -> Path:
        """File of this participant below `root`."""
        return root / self.corpus / self.session / f"{self.participant}{suffix}"


@dataclass(frozen=True)
class Manifest:
    """All participants, in the order of their keys."""

    participants: tuple[Participant, ...]

    def sessions(self) -> dict[tuple[str, str], list[Participant]]:
        """Participants by (corpus, session)."""
        sessions: dict[tuple[str, str], list[Participant]] = defaultdict(list)
        for participant in self.participants:
            sessions[participant.corpus, participant.session].append(participant)
        return dict(sessions)

    def of_session(self, session: str | None) -> "Manifest":
        """Only session ``ID`` or ``corpus/ID``; all sessions where `session` is None.

        Raises:
            InputError: There is no session of that name.
        """
        if session is None:
            return self
        kept = tuple(p for p in self.participants if session in (p.session, f"{p.corpus}/{p.session}"))
        if not kept:
            known = ", ".join(f"{c}/{s}" for c, s in list(self.sessions())[:12])
            raise InputError(f"no session {session!r} in the manifest; there are {known} …")
        return Manifest(kept)

    def write(self, path: Path) -> None:
        """Write JSON lines: number of participants and seal, then one a participant.

        Small changes of the corpus give small differences of the file.
        """
        head = {"participants": len(self.participants), "seal": BLANK_SEAL}
        rows = [{k: v for k, v in asdict(p).items() if v or k not in NOT_EMPTY} for p in self.participants]
        lines = [json.dumps(row, ensure_ascii=False) for row in (head, *rows)]
        replace_file(path, "".join(f"{line}\n" for line in lines).encode(), sealed=True)

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read a file of `write`.

        Raises:
            InputError: It is missing, damaged, shortened or empty.
        """
        try:
            check_seal(path)
            head, *rows = [json.loads(line) for line in path.read_text(encoding="utf8").split("\n")[:-1]]
            for row in rows:
                row["streams"] = tuple(ReleasedStream(**stream) for stream in row["streams"])
            participants = tuple(Participant(**row) for row in rows)
            if not 0 < len(participants) == head["participants"]:
                raise ValueError(f"{len(participants)} of {head['participants']} participants")
            return cls(participants)
        except FileNotFoundError:
            raise InputError(f"{path}: missing; make it: dvc repro ingest, or python stages/ingest.py") from None
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: damaged ({error}); make it again: dvc repro -f ingest") from None


def name_problems(names: dict[str, str], where: str) -> list[str]:
    """Names that cannot be used, a line each.

    Args:
        names: The fields of `NAMED` and `TEXTS`.
        where: Beginning of each line: the place of the names.
    """
    problems = [
        f"{where}: {name} is {names[name][:80]!r}; use 1-64 letters, digits, '.', '_' or '-', first a letter or digit"
        for name in NAMED
        if not NAME.fullmatch(names[name])
    ]
    if LABELLED.search(names["participant"]):
        problems.append(f"{where}: participant is {names['participant']!r}; files of labels end in .label: rename it")
    problems += [
        f"{where}: {name} is {names[name][:80]!a}; use up to {MOST_TEXT} printed characters, the first none of =+-@"
        for name in TEXTS
        if not names[name].isprintable() or names[name].startswith(("=", "+", "-", "@")) or len(names[name]) > MOST_TEXT
    ]
    if names["corpus"].lower() in RESERVED:
        problems.append(f"{where}: corpus is {names['corpus']!r}, a key in the files of results; rename it")
    return problems


def conflicts(participants: Sequence[Participant], where: str) -> list[str]:
    """Participants that are listed twice, and sessions or labelled persons in two splits, a line each.

    Args:
        participants: Of one source, or of all.
        where: Beginning of each line: the place of the participants.
    """
    problems = []
    seen = set()
    for participant in participants:
        if participant.key in seen:
            problems.append(f"{where}: {participant.name} is listed twice; a participant of a session has one row")
        seen.add(participant.key)
    labelled = {(p.corpus, p.person) for p in participants if p.labelled}
    for kind in ("session", "person"):
        for (corpus, name), members in _grouped(participants, kind).items():
            if kind == "person" and labelled and (corpus, name) not in labelled:
                continue  # without labels, never a target: a tutor or robot may be in every split
            splits = sorted({m.split for m in members})
            if len(splits) > 1:
                shown = ", ".join(f"{m.session}/{m.participant} ({m.split})" for m in members[:6])
                problems.append(
                    f"{where}: {kind} {name} of {corpus} is in the splits {' and '.join(splits)}: {shown}; "
                    "a model would be tested on people it was trained on: give all of them one split"
                )
    return problems


def _grouped(participants: Sequence[Participant], kind: str) -> dict[tuple[str, str], list[Participant]]:
    groups: dict[tuple[str, str], list[Participant]] = defaultdict(list)
    for participant in participants:
        groups[participant.corpus, getattr(participant, kind)].append(participant)
    return groups


def join(sources: Sequence[Sequence[Participant]]) -> Manifest:
    """One manifest of several sources.

    Raises:
        InputError: A participant is in two of them.
    """
    rows = sorted((p for source in sources for p in source), key=lambda p: p.key)
    for a, b in pairwise(rows):
        if a.key == b.key:
            raise InputError(f"{a.name} is in two sources; give one of them another corpus name in its manifest")
    return Manifest(tuple(rows))
