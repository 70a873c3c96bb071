"""Streams of one's own as they are: hashes, rows that are not valid, and ends that are compared with each other."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from damamba.console import InputError
from damamba.corpus.defects import Defect
from damamba.corpus.manifest import Participant, ReleasedStream
from damamba.corpus.own_stream import open_own

ROWS_AT_ONCE = 3000


def check_own(participant: Participant, slack_s: float) -> tuple[Participant, list[Defect]]:
    """Read all streams of a participant once.

    Args:
        participant: With streams of one's own.
        slack_s: How much streams may differ at their ends, s, beside a row of each.

    Returns:
        The participant with hashes, lasting as long as the stream that ends last; and the defects.

    Raises:
        InputError: A stream cannot be read, or two of them end at different times.
    """
    defects: list[Defect] = []
    checked: list[ReleasedStream] = []
    for stream in participant.streams:
        with open_own(Path(stream.path)) as opened:
            defects += [Defect(d.kind, participant.name, d.detail, stream.name, d.rows) for d in opened.defects]
            rows, invalid = len(opened.t_s), 0
            for first in range(0, rows, ROWS_AT_ONCE):
                _, valid = opened.read(first, min(first + ROWS_AT_ONCE, rows))
                invalid += int((~valid).sum())
            if invalid:
                what = f"{invalid} of {rows} rows have no values"
                defects.append(Defect("not_finite", participant.name, what, stream.name, invalid))
            checked.append(replace(stream, sha256=_sha256(Path(stream.path)), end_s=opened.end_s))
    compare_ends(participant.name, checked, slack_s)
    duration_s = max((stream.end_s or 0.0 for stream in checked), default=0.0)
    return replace(participant, streams=tuple(checked), duration_s=duration_s), defects


def compare_ends(name: str, streams: Sequence[ReleasedStream], slack_s: float) -> None:
    """Compare where the streams of a participant end; where they begin does not matter, since rows have times.

    Args:
        name: Of the participant, in messages.
        streams: Of one's own; those without one rate are left out.
        slack_s: How much ends may differ, s, beside a row.

    Raises:
        InputError: Two streams end at different times.
    """
    if apart := furthest_ends(streams, slack_s):
        first, last = apart
        raise InputError(
            f"{name}: {first.path} ends at {first.end_s:.2f} s ({first.rows} rows, {first.rate_hz:g} Hz), {last.path} "
            f"at {last.end_s:.2f} s ({last.rows} rows, {last.rate_hz:g} Hz); one has a wrong rate or is of another "
            f"session. If it does end early, import it again with damamba import --length-s {last.end_s:g}"
        )


def furthest_ends(streams: Sequence[ReleasedStream], slack_s: float) -> tuple[ReleasedStream, ReleasedStream] | None:
    """The streams that end first and last; None where their ends differ by no more than `slack_s` and a row."""
    regular = sorted((s for s in streams if s.rows and s.rate_hz > 0 and not s.irregular), key=lambda s: s.end_s or 0.0)
    if len(regular) < 2:
        return None
    first, last = regular[0], regular[-1]
    off_s = (last.end_s or 0.0) - (first.end_s or 0.0)
    return (first, last) if off_s > slack_s + 1 / min(first.rate_hz, last.rate_hz) else None


def _sha256(path: Path) -> str:
    """Hash of a stream with all its files."""
    digest = hashlib.sha256(path.read_bytes())
    if path.suffix == ".stream":
        with path.with_name(f"{path.name}~").open("rb") as data:
            digest.update(hashlib.file_digest(data, "sha256").digest())
    return digest.hexdigest()
