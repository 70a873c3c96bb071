"""The health table of a cue: what was left out of whom, and why."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from damamba.corpus.manifest import Participant
from damamba.files import whole_file
from damamba.streams.reader import StoredStream

HEALTH = "health.csv"
"""In the folder of the cue."""
COLUMNS = ("corpus", "session", "participant", "rows", "valid", "longest_gap_s", "note")
LOW = 0.5
"""Below this share of valid rows, a participant gets a line in the log."""


def write_health(participants: Sequence[Participant], folder: Path) -> list[str]:
    """Write one row for each participant with a shard; returns one line for each of whom something was left out.

    Raises:
        InputError: A shard is damaged.
    """
    lines: list[str] = []
    with whole_file(folder / HEALTH) as temporary, temporary.open("w", newline="", encoding="utf8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for participant in participants:
            shard = participant.shard(folder)
            if not shard.is_file():
                continue
            with StoredStream(shard, f"rm {shard}, then run the stage again") as stream:
                rows, valid = len(stream.t_s), int(np.count_nonzero(stream.valid))
                gap_s = longest_gap_s(stream.t_s, stream.valid, participant.duration_s)
                writer.writerow([*participant.key, rows, valid, f"{gap_s:.2f}", stream.note])
                if stream.note or valid < LOW * rows:
                    share = f"{valid} of {rows} rows are valid"
                    lines.append(f"{participant.name}: {stream.note or share}")
    return lines


def read_notes(folder: Path) -> list[str]:
    """What was left out or noticed, a line a participant; none where the folder has no table."""
    if not (folder / HEALTH).is_file():
        return []
    with (folder / HEALTH).open(encoding="utf8", newline="") as file:
        return [f"{row['session']}/{row['participant']}: {row['note']}" for row in csv.DictReader(file) if row["note"]]


def longest_gap_s(t_s: np.ndarray, valid: np.ndarray, end_s: float) -> float:
    """Longest time without a valid row, from 0 to the end of the recording, s."""
    seen = t_s[valid]
    moments = np.concatenate([[0.0], seen, [max(end_s, seen[-1] if len(seen) else 0.0)]])
    return float(np.diff(moments).max())
