"""What an extractor is: parameters, weights, one participant in, one feature stream out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar

from damamba.config import Section
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.media.decode import Frame, Waveform, read_frames, read_waveform
from damamba.streams.store import read_stream
from damamba.streams.stream import FeatureStream

if TYPE_CHECKING:
    from damamba.streams.face_track import FaceTrack

ParamsT = TypeVar("ParamsT", bound=Section)


@dataclass(frozen=True)
class Recording:
    """One participant's media, decoded when asked for."""

    participant: Participant
    face_shard: Path | None = None

    @property
    def video(self) -> Path:
        """Path of the video file."""
        return Path(self.participant.video)

    def frames(self) -> Iterator[Frame]:
        """Pictures with their times, one in memory at a time; raises `InputError` as `read_frames`."""
        return read_frames(self.video)

    def waveform(self) -> Waveform:
        """Mono sound at 16 kHz; raises `InputError` as `read_waveform`."""
        return read_waveform(Path(self.participant.audio))

    def faces(self) -> "FaceTrack":
        """Where the face is in each of `frames`."""
        from damamba.streams.face_track import FaceTrack

        if self.face_shard is None:
            raise ValueError("this extractor declares `reads: corpus` and asks for faces")
        return FaceTrack.of(read_stream(self.face_shard, "dvc repro -f track_faces"))


class Extractor(ABC, Generic[ParamsT]):
    """Base of all extractors.

    A subclass sets `Params` (its own keys in ``params.yaml: cues.<cue>``) and `media`, and writes `extract`.
    Files, sessions, workers, resuming and storing belong to `damamba.features.extract`.
    """

    Params: ClassVar[type[Section]]
    media: ClassVar[Literal["video", "audio", "streams"]]
    """What is read: raw media, or what came with the corpus as streams."""

    def __init__(self, params: ParamsT) -> None:
        self.params = params

    def input_sha256(self, participant: Participant) -> str:
        """Content hash of what `extract` will read of a participant.

        Raises:
            InputError: There is nothing to read.
        """
        if not getattr(participant, self.media):
            raise InputError(
                f"{participant.name}: no {self.media} to compute this cue from; take released streams alone "
                "(damamba preset multimediate), or leave the participant out of the corpus"
            )
        return participant.video_sha256 if self.media == "video" else participant.audio_sha256

    def weights(self) -> list[Path]:
        """Local files or folders whose content changes the rows."""
        return []

    def load(self) -> None:
        """Import heavy packages and read weights, once a process.

        Raises:
            InputError: A checkpoint is not there; the message has the commands that get it or switch.
        """

    @abstractmethod
    def extract(self, recording: Recording) -> FeatureStream:
        """Rows of one participant; raises `InputError` for media that cannot be used."""
