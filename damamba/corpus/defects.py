"""Known defects of released data. Each has a name, an outcome and a count; none is repaired silently."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from damamba.files import replace_file

KINDS = {
    "header_rate": "the header's rate does not fit its rows; the rate at which they last as long as the others is used",
    "truncated": "the data end before the header's last row; the missing rows are not valid",
    "surplus": "the data continue after the header's last row; the rest is not read",
    "times": "chunks of the stream begin before the ones in front of them; rows are taken in the order of the file",
    "not_finite": "NaN, infinite or ±3.689e19; these rows are not valid",
    "undetected": "every value of the row is -1; not valid in a cue with `invalid: minus_one`",
    "length": "lengths differ by a few rows; the longest counts, and the others are not valid at their ends",
    "other_length": "a stream is much longer or shorter than the others; they set the session's length",
    "media_length": "raw media end earlier or later than the streams; these set the session's length",
    "stream_end": "streams or media of a participant end at other times; what ends early is not valid after its end",
    "no_sound": "no sound track, or digital silence throughout; audio cues are not valid throughout",
    "media": "media with an oddity that is corrected, or with a part that cannot be read and is not valid",
    "other_width": "the corpus has this stream in another width than the others; its cue is not valid there",
    "absent_stream": "the participant does not have this stream; its cue is not valid throughout",
    "empty_seat": "no person in this role; it is left out",
    "unlabelled": "streams without a label; the participant is a partner, never a target",
    "invalid_labels": "labels that are empty or nan; these frames are neither trained on nor scored",
    "withheld_labels": "a test split without labels; it is predicted, not scored",
    "missing_session": "sessions of the official list that are missing; the split consists of the others",
    "unlisted_session": "a folder that is in no official list; not read",
    "scene_view": "files of the scene view; not read",
    "unknown_language": "no language.annotation.csv; the language is `unknown`",
}
"""Name of a defect -> its outcome."""


@dataclass(frozen=True)
class Defect:
    """One defect of one participant, session or split."""

    kind: str
    """Key of `KINDS`."""
    where: str
    """corpus/session/participant, corpus/session or ``corpus (split)``."""
    what: str
    """Description with numbers."""
    stream: str = ""
    count: int = 1
    """Rows, frames, files or sessions that are affected."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no kind of defect {self.kind!r}")

    def __str__(self) -> str:
        return f"{self.where}{f' {self.stream}' if self.stream else ''}: {self.kind}: {self.what}"


def counts(defects: Iterable[Defect]) -> dict[str, int]:
    """Number of defects of each kind that occurs, in the order of `KINDS`."""
    numbers = Counter(defect.kind for defect in defects)
    return {kind: numbers[kind] for kind in KINDS if numbers[kind]}


def write_report(path: Path, defects: Iterable[Defect]) -> None:
    """Write ``defects.json``: counts by kind, the outcome of each kind, and every defect."""
    ordered = sorted(defects, key=lambda d: (list(KINDS).index(d.kind), d.where, d.stream))
    number = counts(ordered)
    report = {
        "counts": number,
        "outcomes": {kind: KINDS[kind] for kind in number},
        "defects": [asdict(defect) for defect in ordered],
    }
    replace_file(path, (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
