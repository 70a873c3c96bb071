"""Cues from feature streams of one's own (`damamba import`, docs/import.md); media are not read.

Each row stands at the time that its file holds; rows before the first, after the last and in gaps do not exist.
"""

from pathlib import Path

import numpy as np

from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.corpus.own_stream import open_own
from damamba.features.extractor import ExtractorInput
from damamba.features.stream_cue import StreamCue, StreamCueParams
from damamba.streams.stream import FeatureStream

ROWS_AT_ONCE = 3000


class StreamParams(StreamCueParams):
    """Keys of the cue in params.yaml."""

    stream: str
    """NAME of the files ``PARTICIPANT.NAME.parquet`` or ``PARTICIPANT.NAME.stream``."""
    drop: tuple[str, ...] = ()
    """Names of channels to leave out; in SSI's format, which has none, their numbers from 0 on."""


class Stream(StreamCue[StreamParams]):
    """A stream of one's own as a cue."""

    Params = StreamParams

    def input_key(self, participant: Participant) -> str:
        """Content of the one stream that is read."""
        return participant.stream(self.params.stream).sha256

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Rows of one participant.

        Raises:
            InputError: The participant's corpus has no such stream, the rows are paired with labels by their numbers,
                or `drop` does not fit it.
        """
        participant = source.participant
        stream = participant.stream(self.params.stream)
        if stream.end_s is None:
            raise InputError(
                f"params.yaml: extractor stream of a cue from {stream.name}: {participant.name} is of the challenge's "
                "release, whose rows have no times of their own; use the extractor official"
            )
        with open_own(Path(stream.path)) as opened:
            kept = self._kept(opened.channels, participant)
            rows = len(opened.t_s)
            x = np.empty((rows, len(kept)), np.float32)
            valid = np.empty(rows, bool)
            for first in range(0, rows, ROWS_AT_ONCE):
                stop = min(first + ROWS_AT_ONCE, rows)
                block, valid[first:stop] = opened.read(first, stop)
                x[first:stop] = block[:, kept]
            x[~valid] = np.nan
            return FeatureStream(
                t_s=opened.t_s,
                x=x,
                valid=valid,
                score=valid.astype(np.float32),
                rate_hz=opened.rate_hz,
                channels=tuple(f"{stream.name}.{opened.channels[channel]}" for channel in kept),
                extractor="stream",
                checkpoint=stream.name,
            )

    def _kept(self, channels: tuple[str, ...], participant: Participant) -> list[int]:
        drop = set(self.params.drop)
        kept = [i for i, name in enumerate(channels) if name not in drop]
        if unknown := sorted(drop - set(channels)) or ["all"] * (not kept):
            raise InputError(
                f"params.yaml: `drop` of a cue from {self.params.stream} has {', '.join(unknown)[:200]}; "
                f"{participant.name} has the channels {', '.join(channels)[:200]}: list some of these, and not all"
            )
        return kept
