"""Base class of the extractors: parameters and weights; one participant in, one feature stream out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

from damamba.config import Section
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.features.stepper import PictureStepper, SoundStepper, Watcher
from damamba.media.track import MediaTrack, audio_of, video_of
from damamba.streams.stream import FeatureStream

ParamsT = TypeVar("ParamsT", bound=Section)
SOUND_LOOKAHEAD_S = 0.15
"""How far past its time a decoded sample may depend on sound, s: the filter to 16 kHz reads 0.01 s ahead, and the
rounding of its blocks depends on up to 0.12 s."""


@dataclass(frozen=True)
class ExtractorInput:
    """What an extractor may read of one participant."""

    participant: Participant
    face_shard: Path | None = None
    """Face track, for `damamba.features.tracked_frames`; None where the cue has `reads: corpus`."""
    watchers: tuple[Watcher, ...] = ()
    """Other cues of the participant that see the frames which this one decodes."""

    @property
    def video(self) -> MediaTrack:
        """The participant's picture, for `damamba.media.decode.read_frames`."""
        return video_of(self.participant)

    @property
    def audio(self) -> MediaTrack:
        """The participant's sound, for `damamba.media.sound.read_waveform`."""
        return audio_of(self.participant)


class Extractor(ABC, Generic[ParamsT]):
    """Base of all extractors.

    A subclass is the only one in its module. It sets `Params` (its own keys in ``params.yaml: cues.<cue>``) and
    `media`, and implements `extract`. The key of a stream hashes the code that the module imports, so an extractor
    imports the decoder that it needs, and no other. `damamba.features.extract` takes care of sessions, workers,
    resuming and storing.
    """

    Params: ClassVar[type[Section]]
    media: ClassVar[Literal["video", "audio", "streams"]]
    """What is read: raw media, or streams that came with the corpus."""
    needs_faces: ClassVar[bool] = False
    """Whether the face track is read, for which the cue has `reads: faces`."""
    watches: ClassVar[bool] = False
    """Whether it has a `watcher`, and so needs no pass over the video of its own. Only for cues without a model: it is
    loaded beside that of another cue."""
    uses_device: ClassVar[bool] = False
    """Whether `load` puts a model on the accelerator, whose memory then bounds the number of workers."""

    def __init__(self, params: ParamsT) -> None:
        self.params = params

    def lacks(self, participant: Participant) -> str:
        """What the cue would need and the participant does not have, such as ``no audio``; "" where nothing lacks.

        Such a participant gets a stream without rows: the cue is not valid throughout.
        """
        return "" if getattr(participant, self.media) else f"no {self.media}"

    def input_key(self, participant: Participant) -> str:
        """A string that changes with everything that `extract` reads of a participant who lacks nothing."""
        if self.media == "video":
            track = f":{participant.video_track}" if participant.video_track else ""
            return f"{participant.video_sha256}:{participant.rate_hz}{track}"
        tracks = (participant.audio_track, participant.audio_channel)
        return participant.audio_sha256 + (f":{':'.join(tracks)}" if any(tracks) else "")

    @property
    def lookahead_s(self) -> float | None:
        """How far past its own time a row may depend on the media, s; None: as far as the recording goes.

        It follows from the class and its settings alone, before `load`. A causal grid uses a row only when this time
        has passed, and refuses cues whose lookahead is None.
        """
        return None

    def weights(self) -> list[Path]:
        """Local files or folders whose content changes the rows."""
        return []

    def load(self) -> None:
        """Import heavy packages and read the weights, once per process.

        Raises:
            InputError: A checkpoint is missing; the message names the commands that fetch or replace it.
        """

    def picture_stepper(self) -> PictureStepper:
        """State of a causal cue of pictures for one person, after `load`; it gives the rows of `extract` as they come.

        Raises:
            InputError: The cue has no such form.
        """
        raise self._without_steps()

    def sound_stepper(self, start_s: float) -> SoundStepper:
        """State of a causal cue of sound for one person, whose first sample is at `start_s`; see `picture_stepper`.

        Raises:
            InputError: The cue has no such form.
        """
        raise self._without_steps()

    def _without_steps(self) -> InputError:
        name = type(self).__module__.rpartition(".")[2]
        return InputError(f"extractor {name}: has no form for live media; train a model without this cue")

    def watcher(self, source: ExtractorInput) -> Watcher:
        """Computes the rows of `extract` from frames that another cue decodes, after `load`; where `watches`."""
        raise NotImplementedError

    @abstractmethod
    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Rows of one participant; raises `InputError` for media that cannot be used."""
