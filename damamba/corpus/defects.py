"""Known defects of released data: each has a name, an outcome and a count; none is repaired in silence."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

KINDS = {
    "header_rate": "the header's rate does not fit its rows; the rate at which they last as long as the others is used",
    "truncated": "the data end before the header says; the missing rows are not valid",
    "surplus": "the data go on after the header's last row; that rest is not read",
    "times": "chunks of the stream begin before the ones in front of them; rows are taken one after the other",
    "not_finite": "NaN, infinite or ±3.689e19; these rows are not valid",
    "undetected": "every value of the row is -1; not valid in a cue with `invalid: minus_one`",
    "length": "lengths differ by a few rows; the longest counts, what is shorter is not valid at its end",
    "other_length": "a stream is much longer or shorter than the others; they set the session's length",
    "media_length": "raw media end earlier or later than the streams; these set the session's length",
    "absent_stream": "this stream of the participant is not there; its cue is not valid throughout",
    "empty_seat": "nobody sits there; the seat is left out",
    "unlabelled": "streams and no label; the participant is a partner, never a target",
    "invalid_labels": "labels that are empty or nan; these frames are neither trained on nor scored",
    "withheld_labels": "a test split without labels; it is predicted, not scored",
    "missing_session": "sessions of the official list that are not there; the split is of the others",
    "unlisted_session": "a folder that is in no official list; not read",
    "scene_view": "files of the scene view; not read",
    "unknown_language": "no language.annotation.csv; the language is `unknown`",
}
"""Name of a defect to what becomes of it."""


@dataclass(frozen=True)
class Defect:
    """One finding."""

    kind: str
    """Key of `KINDS`."""
    where: str
    """corpus/session/participant, or what of it is meant."""
    what: str
    """With numbers."""
    stream: str = ""
    count: int = 1
    """Rows, frames, files or sessions that it concerns."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no kind of defect {self.kind!r}")

    def __str__(self) -> str:
        return f"{self.where}{f' {self.stream}' if self.stream else ''}: {self.kind}: {self.what}"


def counts(defects: Iterable[Defect]) -> dict[str, int]:
    """Kind -> how often it was found, in the order of `KINDS`; kinds that were not found are left out."""
    found = Counter(defect.kind for defect in defects)
    return {kind: found[kind] for kind in KINDS if found[kind]}


def write_report(path: Path, defects: Iterable[Defect]) -> None:
    """``defects.json``: counts by kind, what becomes of each kind, and every finding."""
    found = sorted(defects, key=lambda d: (list(KINDS).index(d.kind), d.where, d.stream))
    number = counts(found)
    held = {
        "counts": number,
        "outcomes": {kind: KINDS[kind] for kind in number},
        "defects": [asdict(defect) for defect in found],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
