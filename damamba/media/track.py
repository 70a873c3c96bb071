"""Which track of which file is read: of a participant's picture and of their sound."""

from dataclasses import dataclass
from pathlib import Path

from damamba.corpus.manifest import Participant


@dataclass(frozen=True)
class MediaTrack:
    """A file and the track in it that belongs to a participant; it may stand wherever a path does."""

    path: Path
    number: int | None = None
    """Among the tracks of its kind, from 1; None: the default one."""
    channel: int | None = None
    """Channel of a sound track, from 1; None: the mean of all."""

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


def video_of(participant: Participant) -> MediaTrack:
    """Picture of a participant."""
    return MediaTrack(Path(participant.video), number(participant.video_track))


def audio_of(participant: Participant) -> MediaTrack:
    """Sound of a participant."""
    return MediaTrack(Path(participant.audio), number(participant.audio_track), number(participant.audio_channel))


def as_track(media: Path | MediaTrack) -> MediaTrack:
    """A path as its default track."""
    return media if isinstance(media, MediaTrack) else MediaTrack(media)


def number(column: str) -> int | None:
    """Number in a column of the manifest; None where it is empty."""
    return int(column) if column else None
