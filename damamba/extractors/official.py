"""Cues from the streams that the challenge released; raw media are not read.

Stream: (N, D) float32, row k at k / rate s. Row k of a 25 Hz stream belongs to label k, the challenge's own pairing;
the chunk times in a header are ignored. In a folder of one's own, rows stand at the times of their file
instead. Rows that the data file lacks, and rows with a value that is not finite, are not valid.

Widths come from the headers. `invalid: minus_one` is for OpenPose, where -1 means that a point was not detected. A row
without any point is then not valid. A single missing point is interpolated in time between its neighbours if these are
at most `MAX_BRIDGE_S` apart, and else takes the median of its channel, so that its value does not stand out. Where
`lookahead_s` is stated, nothing may come from later rows: the point stays where it was last detected. `score` is the
share of points that were detected.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from damamba.console import InputError
from damamba.corpus.manifest import Participant, ReleasedStream
from damamba.corpus.own_stream import Rows, open_own
from damamba.corpus.ssi import read_stream
from damamba.features.extractor import ExtractorInput
from damamba.features.stream_cue import StreamCue, StreamCueParams
from damamba.streams.stream import FeatureStream

UNDETECTED = -1.0
MAX_BRIDGE_S = 1.0
ROWS_AT_ONCE = 1500
"""A minute at 25 Hz: rows that are in memory as a copy of the result."""


class OfficialCueParams(StreamCueParams):
    """Keys of the cue in params.yaml."""

    stream: str
    """Name in `corpus.official.streams`."""
    drop: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Columns to leave out because they are not features, such as OpenFace's frame counter, face number, time stamp."""
    invalid: Literal["none", "minus_one"] = "none"
    """Value that means missing, besides NaN."""
    rate_hz: Annotated[float, Field(gt=0)] | None = None
    """Rate of the rows, Hz, instead of the one that `ingest` derived from the header and the other streams; null: that
    one."""
    lookahead_s: Annotated[float, Field(ge=0)] | None = None
    """How far past its own time a row depends on the recording, s; null: unknown, since headers do not state it. With a
    number, missing points are filled from earlier rows alone."""


class Official(StreamCue[OfficialCueParams]):
    """A released stream as a cue."""

    Params = OfficialCueParams
    kind = "released stream"

    def input_key(self, participant: Participant) -> str:
        """Content of the one stream that is read, and its properties in the manifest."""
        stream = participant.stream(self.params.stream)
        rows = self._rows(participant, stream)
        return f"{stream.sha256}:{stream.rate_hz}:{stream.width}:{rows}"

    def extract(self, source: ExtractorInput) -> FeatureStream:
        """Rows of one participant.

        Raises:
            InputError: The participant's corpus has no such stream, or `drop` or `rate_hz` does not fit it.
        """
        participant = source.participant
        stream = participant.stream(self.params.stream)
        rate_hz = self._rate_hz(stream)
        self._check_rate(participant, stream, rate_hz)
        kept = self._kept(participant, stream)
        rows = self._rows(participant, stream)
        x, valid = self._read(stream, rows, kept)
        score = valid.astype(np.float32)
        if self.params.invalid == "minus_one":
            if self.params.lookahead_s is None:
                score = _fill_undetected(x, valid, max(round(MAX_BRIDGE_S * rate_hz), 1))
            else:
                score = _hold_detected(x, valid)
            valid = score > 0
            x[~valid] = np.nan
        return FeatureStream(
            t_s=_times_s(stream, rows, rate_hz),
            x=x,
            valid=valid,
            score=score,
            rate_hz=rate_hz,
            channels=tuple(f"{stream.name}.{channel}" for channel in kept),
            extractor="official",
            checkpoint=stream.name,
        )

    def _rate_hz(self, stream: ReleasedStream) -> float:
        return self.params.rate_hz or stream.rate_hz

    def _rows(self, participant: Participant, stream: ReleasedStream) -> int:
        """Rows that begin inside the session: a stream may be much longer than the others."""
        if stream.end_s is not None:
            return stream.rows
        return min(stream.rows, math.ceil(round(participant.duration_s * self._rate_hz(stream), 6)))

    def _check_rate(self, participant: Participant, stream: ReleasedStream, rate_hz: float) -> None:
        if self.params.rate_hz and stream.end_s is not None:
            raise InputError(
                f"params.yaml: rate_hz {rate_hz:g} of a cue from {stream.name}: {stream.path} has its own times; set "
                "it to null, and correct sr in the header if it is wrong"
            )
        length_s = stream.rows / rate_hz
        if self.params.rate_hz and length_s > participant.duration_s + 1:
            raise InputError(
                f"params.yaml: rate_hz {rate_hz:g} of a cue from {stream.name}: {stream.rows} rows would last "
                f"{length_s:.1f} s, but {participant.name} lasts {participant.duration_s:.1f} s; set it to null"
            )

    def _kept(self, participant: Participant, stream: ReleasedStream) -> list[int]:
        kept = [channel for channel in range(stream.width) if channel not in self.params.drop]
        if len(kept) + len(set(self.params.drop)) != stream.width or not kept:
            raise InputError(
                f"params.yaml: `drop` of a cue from {stream.name} is {list(self.params.drop)}; {participant.name} has "
                f"the channels 0 to {stream.width - 1}: list some of these, each once, and not all"
            )
        return kept

    def _read(self, stream: ReleasedStream, rows: int, kept: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """(rows, D) with NaN where not valid, and the mask."""
        x = np.full((rows, len(kept)), np.nan, np.float32)
        if not stream.path:
            return x, np.zeros(rows, bool)
        with _opened(stream) as read:
            for first in range(0, rows, ROWS_AT_ONCE):
                block, _ = read(first, min(first + ROWS_AT_ONCE, rows))
                x[first : first + len(block)] = block[:, kept]
        valid: np.ndarray = np.isfinite(x).all(axis=1)  # type: ignore[assignment]
        x[~valid] = np.nan
        return x, valid


@contextmanager
def _opened(stream: ReleasedStream) -> Iterator[Callable[[int, int], Rows]]:
    """What reads rows of a stream."""
    if stream.end_s is None:
        yield read_stream(Path(stream.path), scan=False).read
    else:
        with open_own(Path(stream.path)) as own:
            yield own.read


def _times_s(stream: ReleasedStream, rows: int, rate_hz: float) -> np.ndarray:
    """(rows,) time of each row."""
    if stream.end_s is None:
        return np.arange(rows) / rate_hz
    with open_own(Path(stream.path)) as own:
        return own.t_s


def _fill_undetected(x: np.ndarray, valid: np.ndarray, bridge: int) -> np.ndarray:
    """Replace -1 in the valid rows of `x`, in place.

    Args:
        x: (N, D); a channel that was never detected keeps its -1.
        valid: (N,) bool.
        bridge: Longest step between detected rows that is interpolated, in rows.

    Returns:
        (N,) share of the channels that were detected.
    """
    seen = (x != UNDETECTED) & valid[:, None]
    row = np.arange(len(x))
    for channel in range(x.shape[1]):
        known = np.flatnonzero(seen[:, channel])
        missing = np.flatnonzero(~seen[:, channel] & valid)
        if not len(known) or not len(missing):
            continue
        values = x[known, channel]
        after = np.searchsorted(known, missing).clip(0, len(known) - 1)
        before = np.searchsorted(known, missing, side="right").clip(1) - 1
        near = (known[after] - known[before] <= bridge) & (known[before] < missing) & (missing < known[after])
        bridged = np.interp(missing, row[known], values)
        x[missing, channel] = np.where(near, bridged, np.median(values))
    return seen.mean(axis=1, dtype=np.float32)


def _hold_detected(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """As `_fill_undetected`, from earlier rows alone: the last value that was detected; -1 before the first one."""
    seen = (x != UNDETECTED) & valid[:, None]
    row = np.arange(len(x))
    for channel in range(x.shape[1]):
        last = np.maximum.accumulate(np.where(seen[:, channel], row, -1))
        missing = ~seen[:, channel] & valid & (last >= 0)
        x[missing, channel] = x[last[missing], channel]
    return seen.mean(axis=1, dtype=np.float32)
