"""Base class of the cues that are feature streams beside the recordings: of a release, or of one's own."""

from typing import Annotated, ClassVar, TypeVar

from pydantic import Field

from damamba.config import Section
from damamba.corpus.manifest import Participant
from damamba.features.extractor import Extractor


class StreamCueParams(Section):
    """Keys that these cues share in params.yaml."""

    stream: str
    """Name of the stream."""
    lookahead_s: Annotated[float, Field(ge=0)] | None = None
    """How far past its own time a row depends on the recording, s; null: unknown."""


ParamsT = TypeVar("ParamsT", bound=StreamCueParams)


class StreamCue(Extractor[ParamsT]):
    """A stream as a cue; media are not read."""

    media = "streams"
    kind: ClassVar[str] = "stream"
    """What it is called in messages."""

    @property
    def lookahead_s(self) -> float | None:
        """As the settings state it."""
        return self.params.lookahead_s

    def lacks(self, participant: Participant) -> str:
        """A stream that other participants have; recordings without any stream are refused in `extract`."""
        name = self.params.stream
        has_others = participant.streams and all(stream.name != name for stream in participant.streams)
        return f"no {self.kind} {name!r}" if has_others else ""
