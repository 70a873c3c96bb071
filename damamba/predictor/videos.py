"""Conversations as videos on a disk, one file a person: a source of participants without labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from damamba.config import Section
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.ingest.identifiers import identifiers
from damamba.ingest.proposal import AUDIO, MIDDLES, propose
from damamba.ingest.sources.base import Source, SourceListing

CORPUS = "videos"


@dataclass(frozen=True)
class Person:
    """Somebody in a conversation."""

    name: str
    """Identifier."""
    video: Path
    audio: Path
    """The video where its own sound track is heard."""
    predicted: bool = True
    """False for a partner, whose own engagement is not wanted."""
    region: str = ""
    """Part of the picture, as in the manifest; "" for a video of one person."""
    reference: str = ""
    """Picture of them; "" without one."""


@dataclass(frozen=True)
class Conversation:
    """One conversation."""

    name: str
    """Identifier."""
    people: tuple[Person, ...]

    @classmethod
    def of_files(cls, videos: Sequence[Path], partners: Sequence[Path] = ()) -> "Conversation":
        """One video a person; a sound file of the same name beside a video is taken for its sound.

        Raises:
            InputError: A file is missing or named twice.
        """
        paths = [*videos, *partners]
        if missing := next((path for path in paths if not path.is_file()), None):
            raise InputError(f"{missing}: no such file; name the video of each person")
        whole = [path.resolve() for path in paths]
        if twice := next((path for path, full in zip(paths, whole, strict=True) if whole.count(full) > 1), None):
            raise InputError(f"{twice}: named twice; every person of a conversation has a video of their own")
        names = identifiers({path: _bare(path) for path in whole})
        people = [
            Person(names[full], path, _sound_beside(path), predicted=i < len(videos))
            for i, (path, full) in enumerate(zip(paths, whole, strict=True))
        ]
        together = people[0].name if len(people) == 1 else "conversation"
        return cls(together, tuple(people))

    @classmethod
    def of_folder(cls, folder: Path) -> list["Conversation"]:
        """All conversations in a folder, told apart as `damamba init` tells them apart.

        Raises:
            InputError: There is no video in it, or two files claim to be the same person.
        """
        proposal = propose(folder, "")
        if proposal.problems:
            raise InputError("\n".join(proposal.problems))
        sessions: dict[str, list[Person]] = {}
        for row in proposal.rows:
            video = folder / row.video
            person = Person(row.participant, video, folder / row.audio if row.audio else video)
            sessions.setdefault(row.session, []).append(person)
        return [cls(name, tuple(people)) for name, people in sessions.items()]


def _bare(path: Path) -> str:
    """Name of a file without its endings: ``expert`` of ``expert.video.mp4``."""
    stem = path.stem
    middle = next((m for m in MIDDLES if stem.lower().endswith(m) and len(stem) > len(m)), "")
    return stem[: len(stem) - len(middle)]


def _sound_beside(video: Path) -> Path:
    sounds = [
        path for path in sorted(video.parent.iterdir()) if path.suffix.lower() in AUDIO and _bare(path) == _bare(video)
    ]
    return sounds[0] if sounds else video


class NoParams(Section):
    """A source that is not in params.yaml has no settings there."""


class VideoSource(Source[NoParams]):
    """The participants of some conversations.

    Args:
        conversations: By name.
    """

    Params = NoParams

    def __init__(self, conversations: Mapping[str, Conversation]) -> None:
        super().__init__(NoParams(), label_slack_s=0.0)
        self.conversations = conversations

    def listing(self) -> SourceListing:
        """Everyone, in the split test."""
        participants = [
            Participant(
                corpus=CORPUS, session=session, participant=one.name, role=one.name, split="test", language="",
                person=f"{session}-{one.name}"[:64], video=one.video.resolve().as_posix(),
                audio=one.audio.resolve().as_posix(), label="", region=one.region, reference=one.reference,
            )
            for session, conversation in self.conversations.items()
            for one in conversation.people
        ]  # fmt: skip
        return SourceListing(sorted(participants, key=lambda one: one.key))
