"""Released streams as they really are: true rates, missing rows, and lengths compared with each other and the labels.

In NoXi and MPIIGI rows are 25 a second where a header's rate does not fit: row k of a stream, label k and grid frame k
/ 25 s belong together. In other corpora, such as PInSoRo with its 30 Hz, the headers' rates count. A participant lasts
as long as the longest of the streams and labels that agree within the slack; nothing is cut to the shortest.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from types import MappingProxyType

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.corpus.defects import Defect
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Participant, ReleasedStream
from damamba.corpus.release import ROWS_AT_LABEL_RATE
from damamba.corpus.ssi import SsiStream, read_stream

UNDETECTED = -1.0
SCAN_ROWS = 4096


@dataclass(frozen=True)
class CheckedRelease:
    """A participant of a release after its streams were read."""

    participant: Participant
    labels: Labels | None
    also: dict[str, Labels]
    defects: tuple[Defect, ...]


def check_released(
    participant: Participant, labels: Labels | None, slack_s: float, also: Mapping[str, Labels] = MappingProxyType({})
) -> CheckedRelease:
    """Read all streams of a participant once.

    Args:
        participant: With streams as their headers declare them.
        labels: As long as their file.
        slack_s: How much streams and labels may differ in length, s.
        also: Further labels.

    Returns:
        The participant with true rates, hashes and length; labels of that length; and the defects.

    Raises:
        InputError: A stream that cannot be used, or labels of another length.
    """
    defects: list[Defect] = []
    streams = [_with_hash(stream, participant, defects) if stream.path else stream for stream in participant.streams]
    present = [stream for stream in streams if stream.path]
    if participant.corpus in ROWS_AT_LABEL_RATE:
        common_s = _common_length_s(present, labels or next(iter(also.values()), None))
        streams = [_with_true_rate(s, common_s, participant, defects) if s.path else s for s in streams]
    else:
        common_s = _length_by_headers_s(present)
    lengths_s = {stream.name: stream.rows / stream.rate_hz for stream in streams if stream.path}
    step_s = {stream.name: 1 / stream.rate_hz for stream in streams if stream.path}
    fitting_s = {
        name: length for name, length in lengths_s.items() if abs(length - common_s) <= max(slack_s, step_s[name])
    }
    if lengths_s and not fitting_s:
        listed = ", ".join(f"{name} {length:.2f} s" for name, length in sorted(lengths_s.items()))
        raise InputError(
            f"{participant.name}: its streams differ in length, and none fits the others: {listed}; fetch them again, "
            "correct sr in the header that is wrong, or raise corpus.label_slack_s"
        )
    for name in lengths_s.keys() - fitting_s.keys():
        what = f"{lengths_s[name]:.2f} s, the others {common_s:.2f} s"
        defects.append(Defect("other_length", participant.name, what, name))
    # the last row of a stream of few rows, such as text at 2 Hz, may reach beyond the end of the session
    exact_s = {name: length for name, length in fitting_s.items() if step_s[name] <= 1 / LABEL_RATE_HZ} or fitting_s
    frames = {name: round(length * LABEL_RATE_HZ) for name, length in exact_s.items()}
    if labels is not None:
        _check_label_length(participant, labels, common_s, slack_s)
        frames["labels"] = len(labels)
        if invalid := int((~labels.valid).sum()):
            what = f"{invalid} of {len(labels)} label frames are empty or nan"
            defects.append(Defect("invalid_labels", participant.name, what, count=invalid))
    for name, other in also.items():
        _check_label_length(participant.of_label(name), other, common_s, slack_s)
        frames[name] = len(other)
    longest = max(frames.values(), default=0)
    if longest != min(frames.values(), default=0):
        listed = ", ".join(f"{name} {n}" for name, n in sorted(frames.items()))
        defects.append(Defect("length", participant.name, f"frames of 1/{LABEL_RATE_HZ} s: {listed}"))
    completed = replace(
        participant,
        streams=tuple(streams),
        duration_s=longest / LABEL_RATE_HZ,
        rate_hz=float(LABEL_RATE_HZ),
        n_frames=longest,
    )
    sized = {name: other.resized(longest) for name, other in also.items()}
    return CheckedRelease(completed, labels.resized(longest) if labels else None, sized, tuple(defects))


def _with_hash(stream: ReleasedStream, participant: Participant, defects: list[Defect]) -> ReleasedStream:
    """The stream with the hash of its content; adds the defects of its values."""
    header = Path(stream.path)
    ssi_stream = read_stream(header)
    defects += [Defect(d.kind, participant.name, d.detail, stream.name, d.rows) for d in ssi_stream.defects]
    if undetected := _undetected_rows(ssi_stream):
        what = f"{undetected} of {ssi_stream.rows} rows"
        defects.append(Defect("undetected", participant.name, what, stream.name, undetected))
    digest = hashlib.sha256(header.read_bytes())
    with header.with_name(f"{header.name}~").open("rb") as data:
        digest.update(hashlib.file_digest(data, "sha256").digest())
    return replace(stream, sha256=digest.hexdigest())


def _undetected_rows(stream: SsiStream) -> int:
    """Number of rows whose every value is -1."""
    number = 0
    for first in range(0, stream.rows, SCAN_ROWS):
        block = stream.x[first : first + SCAN_ROWS]
        candidates = block[block[:, 0] == UNDETECTED]
        number += int((candidates == UNDETECTED).all(axis=1).sum())
    return number


def _common_length_s(present: Sequence[ReleasedStream], labels: Labels | None) -> float:
    """Median length at 25 Hz of the streams with that rate in their header; without any, length of the labels, s."""
    trusted = [stream.rows / LABEL_RATE_HZ for stream in present if stream.rate_hz == LABEL_RATE_HZ]
    if not trusted and labels is not None:
        trusted = [len(labels) / LABEL_RATE_HZ]
    return float(median(trusted or [stream.rows / LABEL_RATE_HZ for stream in present]))


def _length_by_headers_s(present: Sequence[ReleasedStream]) -> float:
    """Median length of the streams at their headers' rates, s; raises `InputError` where one declares no rate."""
    for stream in present:
        if not 0 < stream.rate_hz < np.inf:
            raise InputError(f"{stream.path}: sr is {stream.rate_hz:g}; write the rate of its rows there")
    return float(median(stream.rows / stream.rate_hz for stream in present)) if present else 0.0


def _with_true_rate(
    stream: ReleasedStream, common_s: float, participant: Participant, defects: list[Defect]
) -> ReleasedStream:
    """The stream with 25 Hz instead of the header's rate if its length then fits the others better."""
    at_header_rate_s = stream.rows / stream.rate_hz if stream.rate_hz > 0 else np.inf
    at_label_rate_s = stream.rows / LABEL_RATE_HZ
    if stream.rate_hz == LABEL_RATE_HZ or abs(at_header_rate_s - common_s) <= abs(at_label_rate_s - common_s):
        return stream
    what = f"{stream.rate_hz:g} Hz in the header; {stream.rows} rows in {common_s:.2f} s are {LABEL_RATE_HZ} Hz"
    defects.append(Defect("header_rate", participant.name, what, stream.name))
    return replace(stream, rate_hz=float(LABEL_RATE_HZ))


def _check_label_length(participant: Participant, labels: Labels, common_s: float, slack_s: float) -> None:
    if abs(len(labels) / LABEL_RATE_HZ - common_s) > max(slack_s, 1 / LABEL_RATE_HZ):
        raise InputError(
            f"{participant.label}: {len(labels)} labels are {len(labels) / LABEL_RATE_HZ:.2f} s at {LABEL_RATE_HZ} Hz, "
            f"but the streams of {participant.name} last {common_s:.2f} s; use the label file of this session and "
            "role, or raise corpus.label_slack_s"
        )
