"""What a stage takes and leaves, by its last run here or else by the table that comes with damamba.

Time of a stage = start + core-seconds a unit × units / workers that had something to do. A stage's last run counts
for the shards that it made itself: those written while it ran.
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

from damamba.config import CueParams, Params
from damamba.console import InputError
from damamba.corpus.manifest import Manifest, Participant
from damamba.streams.store import describe

RATES = Path(__file__).with_name("rates.yaml")
CLOCK_SLACK_S = 2.0
LEAST_SHARE = 0.5
"""Of a run's time that must be work, not start, lest its speed be a guess."""


@dataclass(frozen=True)
class Cost:
    """Seconds or bytes, and how they are known."""

    value: float
    measured: bool
    """By a run here; else by the table."""
    remark: str = ""


def rates() -> dict[str, Any]:
    """The table that comes with damamba."""
    return yaml.safe_load(RATES.read_text(encoding="utf8"))


def at_once(tasks: int, jobs: int) -> float:
    """Workers that are busy on average, when `tasks` equal tasks are dealt out to `jobs`."""
    return tasks / math.ceil(tasks / max(jobs, 1)) if tasks else 1.0


class Past:
    """What earlier runs left in a working folder."""

    def __init__(self, root: Path, params: Params) -> None:
        self.root, self.params = root, params
        self.jobs = params.extract.jobs or os.cpu_count() or 1
        self.table = rates()

    @cached_property
    def people(self) -> tuple[Participant, ...]:
        """Participants of the last `ingest`; none where there was no such run."""
        path = self.root / "data/corpus/manifest.jsonl"
        try:
            return Manifest.read(path).participants if path.is_file() else ()
        except InputError:  # of another version: nothing that could be compared
            return ()

    def seconds(
        self,
        stage: str,
        kind: str,
        units: float,
        tasks: int,
        made: Callable[[float, float], tuple[float, int]],
        rate: float | None = None,
    ) -> Cost:
        """Wall seconds of a stage.

        Args:
            stage: Name of its timing file.
            kind: Its row in the table.
            units: Hours, GiB or steps that it has to do.
            tasks: Into how many tasks they fall; 1 for a stage that is one task.
            made: Units and tasks of the last run, from the times at which it began and ended.
            rate: Core-seconds a unit instead of the table's.
        """
        start_s = self._start_s(kind, tasks)
        core_s = self.table["stages"][kind]["core_s"] if rate is None else rate
        spread = at_once(tasks, self.jobs)
        timing = self._timing(stage)
        if timing:
            wall_s, ended = timing
            units_then, tasks_then = made(ended - wall_s - CLOCK_SLACK_S, ended + CLOCK_SLACK_S)
            if units_then:
                start_then_s = self._start_s(kind, tasks_then)
                work_s = wall_s - start_then_s
                spread_then = at_once(tasks_then, self.jobs)
                if work_s > LEAST_SHARE * wall_s:
                    return Cost(start_s + work_s * spread_then / units_then * units / spread, True)
                # its speed is lost in its start; that it took no longer is all that is known
                start_s *= min(1.0, wall_s / start_then_s)
                core_s = min(core_s, wall_s * spread_then / units_then)
                return Cost(start_s + core_s * units / spread, False, "the run here was mostly start")
        return Cost(start_s + core_s * units / spread, False)

    def _start_s(self, kind: str, tasks: int) -> float:
        """Start of a stage and of its workers; with one task or one job there are none."""
        row = self.table["stages"][kind]
        return row["start_s"] + (row.get("spawn_s", 0.0) if min(tasks, self.jobs) > 1 else 0.0)

    def _timing(self, stage: str) -> tuple[float, float] | None:
        """(wall seconds, time of its end) of a stage's last run."""
        path = self.root / "results/timing" / f"{stage}.json"
        try:
            return float(json.loads(path.read_text(encoding="utf8"))["seconds"]), path.stat().st_mtime
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def made_between(
        self,
        files: Callable[[Participant], Iterable[Path]],
        unit: Callable[[Participant], float],
        task: Callable[[Participant], object] = lambda participant: participant.key,
    ) -> Callable[[float, float], tuple[float, int]]:
        """`made` for a stage that writes `files` of each participant; `task` tells which of them are one task."""

        def made(begun: float, ended: float) -> tuple[float, int]:
            written = [p for p in self.people if any(_between(path, begun, ended) for path in files(p))]
            return sum(map(unit, written)), len({task(p) for p in written})

        return made

    def bytes_per_hour(self, files: Callable[[Participant], Iterable[Path]]) -> float | None:
        """Size of the files of participants who have them, by their hours; None where nobody has."""
        size, seconds = 0, 0.0
        for participant in self.people:
            there = [path for path in files(participant) if path.is_file()]
            if there:
                size += sum(path.stat().st_size for path in there)
                seconds += participant.duration_s
        return size / seconds * 3600 if seconds else None

    def cue_shards(self, name: str, cue: CueParams) -> Callable[[Participant], list[Path]]:
        """Streams of a cue that were made by the checkpoint that params.yaml names."""
        wanted = cue.settings().get("checkpoint")

        def shards(participant: Participant) -> list[Path]:
            path = participant.shard(self.root / "data/features" / name)
            said = describe(path) or {}
            return [path] if said and (wanted is None or said["checkpoint"] == wanted) else []

        return shards

    def cue_width(self, name: str, cue: CueParams) -> int | None:
        """Channels of a cue, from a stream that is there."""
        paths = (path for participant in self.people for path in self.cue_shards(name, cue)(participant))
        path = next(paths, None)
        return int(str((describe(path) or {})["width"])) if path else None

    def extractor_row(self, cue: CueParams) -> tuple[dict[str, Any], str]:
        """The table's row for a cue's extractor and checkpoint, and a remark where the checkpoint is unknown to it."""
        rows = self.table["extractors"].get(cue.extractor)
        if rows is None:
            return self.table["extractors"]["unknown"], f"extractor {cue.extractor} is not in the table: a guess"
        checkpoint = str(cue.settings().get("checkpoint") or cue.settings().get("reduce") or "")
        name = next((key for key in rows if key == checkpoint or checkpoint.endswith(f"/{key}")), None)
        if name:
            return rows[name], ""
        slowest = max(rows, key=lambda key: rows[key]["core_s"])
        return rows[slowest], f"checkpoint unknown to the table: as {slowest}" if len(rows) > 1 else ""


def _between(path: Path, begun: float, ended: float) -> bool:
    try:
        return begun <= path.stat().st_mtime <= ended
    except FileNotFoundError:
        return False


def folder_size(path: Path) -> int:
    """Bytes below a folder, 0 where it is not there."""
    return sum(inner.stat().st_size for inner in path.rglob("*") if inner.is_file())
