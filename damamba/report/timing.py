"""Times, memory and kind of machine, apart from the results: ``results/timing.json`` and ``results/timing.md``.

Text that states minutes links to these files; it holds no such number itself.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from damamba.console import InputError, machine
from damamba.report.markdown import table
from damamba.scoring.reading import read_json

ORDER = (
    "simulate",
    "ingest",
    "track_faces",
    "rendering",
    "extract",
    "align",
    "train",
    "evaluate",
    "ablate",
    "benchmark",
)
MACHINE = {"memory_gib": "memory, GiB"}
"""Title of a fact of `damamba.console.machine` where it is not the key."""


def read_timing(folder: Path, runs: Collection[str], cues: Collection[str]) -> dict[str, Any]:
    """What each stage of this pipeline took, their sum, and the machine.

    Args:
        folder: ``results/timing``, where each stage leaves its record.
        runs: Runs of this pipeline; the records of others are left out.
        cues: Cues, likewise.

    Returns:
        ``{"machine": {…}, "seconds": …, "stages": {<stage>: {"seconds", "peak_mib", "worker_peak_mib"}}}``.

    Raises:
        InputError: There is no record, or one is damaged.
    """
    stages = {}
    for path in sorted(folder.glob("*.json"), key=_place):
        stage, _, item = path.stem.partition("-")
        if item and item not in (cues if stage == "extract" else runs):
            continue
        stages[path.stem] = read_json(path, f"dvc repro -f {stage}{f'@{item}' if item else ''}")
    if not stages:
        raise InputError(f"{folder}: no stage has left a record of its time and memory; run them: dvc repro")
    return {
        "machine": machine(),
        "seconds": round(sum(stage["seconds"] for stage in stages.values()), 2),
        "stages": stages,
    }


def _place(path: Path) -> tuple[int, str]:
    """Stages in the order of the pipeline, then by name."""
    stage = path.stem.partition("-")[0]
    return ORDER.index(stage) if stage in ORDER else len(ORDER), path.stem


def elapsed(seconds: float) -> str:
    """12.3 s, 13 min 31 s or 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def timing_table(timing: Mapping[str, Any]) -> str:
    """``timing.md``: the whole pipeline in one sentence, then every stage."""
    stages, facts = timing["stages"], timing["machine"]
    peak = max(max(stage["peak_mib"], stage["worker_peak_mib"]) for stage in stages.values())
    where = f"{facts['processor']}, {facts['memory_gib']:g} GiB, {facts['system']}, Python {facts['python']}"
    lines = [
        "# Time and memory of the pipeline",
        "",
        f"**{elapsed(timing['seconds'])}** for all stages one after the other, at most **{peak:,} MiB** in one "
        f"process, on {facts['cores']} cores ({where}).",
        "",
        "Written by the stage `report`. A stage that was up to date keeps the record of the run that made it: the sum "
        "is that of one run only where everything ran.",
        "",
        *table(
            ["stage", "time", "peak, MiB", "largest worker, MiB"],
            (
                [f"`{name}`", elapsed(cost["seconds"]), f"{cost['peak_mib']:,}", f"{cost['worker_peak_mib']:,}"]
                for name, cost in stages.items()
            ),
        ),
    ]
    return "\n".join(lines) + "\n"
