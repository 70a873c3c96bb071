"""What earlier runs in a working folder took, and the table that stands in where there was none.

Time of a stage = start + core-seconds per unit × units / workers that had work. The last run of a stage is measured by
the shards that it wrote itself, which are those whose modification times lie within the run.
"""

import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from damamba.config import CueParams
from damamba.console import InputError
from damamba.corpus.manifest import Manifest, Participant
from damamba.streams.store import describe

RATES = Path(__file__).with_name("rates.yaml")
CLOCK_SLACK_S = 2.0
MIN_WORK_SHARE = 0.5
"""Share of a run's time that must be work rather than start; below this share the measured rate is unreliable."""
DoneBetween = Callable[[float, float], tuple[float, int]]
"""(start, end) of a run in seconds since the epoch -> units and tasks that a stage finished in it."""


@dataclass(frozen=True)
class Cost:
    """Seconds or bytes, and where the number comes from."""

    value: float
    measured: bool
    """Measured by a run in this folder; otherwise it comes from the table."""
    remark: str = ""


def read_rates() -> dict[str, Any]:
    """The table that ships with damamba."""
    return yaml.safe_load(RATES.read_text(encoding="utf8"))


def busy_workers(tasks: int, jobs: int) -> float:
    """Average number of busy workers when `tasks` equal tasks are distributed over `jobs` workers."""
    return tasks / math.ceil(tasks / max(jobs, 1)) if tasks else 1.0


class EarlierRuns:
    """What earlier runs left in a working folder.

    Args:
        root: The working folder.
        jobs: Worker processes (`extract.jobs`); 0 means one per core.
    """

    def __init__(self, root: Path, jobs: int) -> None:
        self.root = root
        self.jobs = jobs or os.cpu_count() or 1
        self.table = read_rates()

    @cached_property
    def participants(self) -> tuple[Participant, ...]:
        """Participants of the last `ingest`; empty where it never ran."""
        path = self.root / "data/corpus/manifest.jsonl"
        try:
            return Manifest.read(path).participants if path.is_file() else ()
        except InputError:  # written by another version: nothing to compare with
            return ()

    def seconds(
        self, stage: str, kind: str, units: float, tasks: int, done_between: DoneBetween, core_s: float | None = None
    ) -> Cost:
        """Wall seconds of a stage.

        Args:
            stage: Name of its timing file.
            kind: Its row in the table.
            units: Hours, GiB or steps of work.
            tasks: Number of tasks that the work splits into; 1 for a stage that is not parallel.
            done_between: Units and tasks of the last run.
            core_s: Core-seconds per unit, instead of the table's.
        """
        start_s = self._start_s(kind, tasks)
        core_s = core_s if core_s is not None else float(self.table["stages"][kind]["core_s"])
        workers = busy_workers(tasks, self.jobs)
        timing = self._timing(stage)
        if timing:
            wall_s, ended = timing
            last_units, last_tasks = done_between(ended - wall_s - CLOCK_SLACK_S, ended + CLOCK_SLACK_S)
            if last_units:
                last_start_s = self._start_s(kind, last_tasks)
                work_s = wall_s - last_start_s
                last_workers = busy_workers(last_tasks, self.jobs)
                if work_s > MIN_WORK_SHARE * wall_s:
                    return Cost(start_s + work_s * last_workers / last_units * units / workers, True)
                # The start hides the rate, but both are bounded by the whole run.
                start_s *= min(1.0, wall_s / last_start_s)
                core_s = min(core_s, wall_s * last_workers / last_units)
                return Cost(start_s + core_s * units / workers, False, "the run here was mostly start-up")
        return Cost(start_s + core_s * units / workers, False)

    def _start_s(self, kind: str, tasks: int) -> float:
        """Start of a stage and of its workers; one task or one job needs no workers."""
        row = self.table["stages"][kind]
        return row["start_s"] + (row.get("spawn_s", 0.0) if min(tasks, self.jobs) > 1 else 0.0)

    def _timing(self, stage: str) -> tuple[float, float] | None:
        """(wall seconds, time of its end) of a stage's last run."""
        path = self.root / "results/timing" / f"{stage}.json"
        try:
            return float(json.loads(path.read_text(encoding="utf8"))["seconds"]), path.stat().st_mtime
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def written_between(
        self,
        files: Callable[[Participant], Iterable[Path]],
        unit: Callable[[Participant], float],
        task: Callable[[Participant], object] = lambda participant: participant.key,
    ) -> DoneBetween:
        """`done_between` of a stage that writes `files` of each participant.

        Args:
            files: Outputs of one participant.
            unit: Work that a participant amounts to.
            task: Participants with equal values are one task.
        """

        def done_between(started: float, ended: float) -> tuple[float, int]:
            done = [p for p in self.participants if any(_modified_between(path, started, ended) for path in files(p))]
            return sum(map(unit, done)), len({task(p) for p in done})

        return done_between

    def bytes_per_hour(self, files: Callable[[Participant], Iterable[Path]]) -> float | None:
        """Size of existing files over the hours of their participants; None where there are none."""
        size, seconds = 0, 0.0
        for participant in self.participants:
            existing = [path for path in files(participant) if path.is_file()]
            if existing:
                size += sum(path.stat().st_size for path in existing)
                seconds += participant.duration_s
        return size / seconds * 3600 if seconds else None

    def cue_shards(self, name: str, cue: CueParams) -> Callable[[Participant], list[Path]]:
        """Streams of a cue that were extracted with the checkpoint that params.yaml names."""
        checkpoint = cue.settings().get("checkpoint")

        def shards(participant: Participant) -> list[Path]:
            path = participant.shard(self.root / "data/features" / name)
            header = describe(path) or {}
            return [path] if header and (checkpoint is None or header["checkpoint"] == checkpoint) else []

        return shards

    def cue_width(self, name: str, cue: CueParams) -> int | None:
        """Channels of a cue in an extracted stream; None where there is none."""
        paths = (path for participant in self.participants for path in self.cue_shards(name, cue)(participant))
        path = next(paths, None)
        return int(str((describe(path) or {})["width"])) if path else None

    def extractor_row(self, cue: CueParams) -> tuple[dict[str, Any], str]:
        """The table's row for a cue's extractor and checkpoint, and a remark where the table does not list them."""
        rows = self.table["extractors"].get(cue.extractor)
        if rows is None:
            return self.table["extractors"]["unknown"], f"extractor {cue.extractor} is not in the table: a guess"
        checkpoint = str(cue.settings().get("checkpoint") or cue.settings().get("reduce") or "")
        name = next((key for key in rows if key == checkpoint or checkpoint.endswith(f"/{key}")), None)
        if name:
            return rows[name], ""
        slowest = max(rows, key=lambda key: rows[key]["core_s"])
        return rows[slowest], f"checkpoint is not in the table: counted as {slowest}" if len(rows) > 1 else ""


def _modified_between(path: Path, started: float, ended: float) -> bool:
    try:
        return started <= path.stat().st_mtime <= ended
    except FileNotFoundError:
        return False


def folder_size(path: Path) -> int:
    """Bytes below a folder; 0 where it does not exist."""
    return sum(inner.stat().st_size for inner in path.rglob("*") if inner.is_file())
