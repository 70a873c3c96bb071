"""The plan of a pipeline run: hours of media, disk, time, licences and what is missing."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from damamba.config import (
    AlignParams,
    CueParams,
    EvaluateParams,
    ExtractParams,
    FacesParams,
    ModelParams,
    TrainParams,
    WindowParams,
)
from damamba.model import build_model
from damamba.planning.disk import disk_costs, planned_width
from damamba.planning.earlier_runs import EarlierRuns, folder_size
from damamba.planning.readiness import licences, missing
from damamba.planning.stage_times import data_stage_times, last_stage_times, run_times
from damamba.planning.workload import GIB, Workload
from damamba.text import columns, duration, size


def make_plan(
    work: Workload,
    root: Path,
    *,
    faces: FacesParams,
    extract: ExtractParams,
    cues: Mapping[str, CueParams],
    align: AlignParams,
    window: WindowParams,
    models: Mapping[str, ModelParams],
    train: TrainParams,
    evaluate: EvaluateParams,
) -> dict[str, Any]:
    """What `work` will take, JSON-ready.

    Args:
        work: Sessions to process.
        root: Working folder, whose earlier runs give speeds and sizes.
        models: Model of each run.
        faces, extract, cues, align, window, train, evaluate: Sections of params.yaml.

    Returns:
        ``media`` by corpus; ``disk`` in bytes and ``time`` in seconds, each a `Cost` by artefact and stage, with their
        sums; ``licences`` by checkpoint; ``missing``, one line each.
    """
    earlier = EarlierRuns(root, extract.jobs)
    parameters = _parameters(models, cues, window, work, earlier)
    disk = dict(disk_costs(cues, align, parameters, work, earlier))
    time = {
        **dict(data_stage_times(cues, align, work, earlier)),
        **dict(run_times(models, parameters, window, train, evaluate, work, earlier)),
        **dict(last_stage_times(earlier)),
    }
    disk_bytes = sum(cost.value for cost in disk.values())
    free_bytes = shutil.disk_usage(root).free
    more_bytes = disk_bytes - sum(folder_size(root / name) for name in disk)
    return {
        "media": _media(work),
        "disk": {name: asdict(cost) for name, cost in disk.items()},
        "disk_bytes": disk_bytes,
        "free_bytes": free_bytes,
        "time": {name: asdict(cost) for name, cost in time.items()},
        "time_s": sum(cost.value for cost in time.values()),
        "jobs": earlier.jobs,
        "licences": licences(cues, faces),
        "missing": missing(cues, faces, evaluate, work, more_bytes, free_bytes),
    }


def _parameters(
    models: Mapping[str, ModelParams],
    cues: Mapping[str, CueParams],
    window: WindowParams,
    work: Workload,
    earlier: EarlierRuns,
) -> dict[str, int]:
    """Number of model parameters of each run, at the widths that the cues will have."""
    widths: dict[str, dict[str, int]] = {}
    for name, cue in cues.items():
        widths.setdefault(cue.group, {})[name] = planned_width(name, cue, work, earlier)
    with torch.device("meta"):
        built = {run: build_model(widths, model, window.rate_hz) for run, model in models.items()}
    return {run: sum(weight.numel() for weight in model.parameters()) for run, model in built.items()}


def _media(work: Workload) -> dict[str, dict[str, float]]:
    corpora = {}
    for corpus in dict.fromkeys(seat.corpus for seat in work.seats):
        part = work.where(lambda seat, corpus=corpus: seat.corpus == corpus)
        corpora[corpus] = {
            "sessions": part.sessions,
            "participants": len(part.seats),
            "labelled": sum(seat.labelled for seat in part.seats),
            "hours": part.hours,
            "input_bytes": part.gib * GIB,
        }
    return corpora


def summary(plan: Mapping[str, Any]) -> list[str]:
    """Lines for the terminal: media, disk, time, licences and what is missing."""
    media = [
        [
            corpus,
            *(str(row[name]) for name in ("sessions", "participants", "labelled")),
            f"{row['hours']:.2f}",
            size(row["input_bytes"]) if row["input_bytes"] else "to be simulated",
        ]
        for corpus, row in plan["media"].items()
    ]
    lines = ["Media (one hour of a dyad is two participant-hours)", ""]
    lines += columns(["corpus", "sessions", "participants", "labelled", "hours", "files"], media)
    disk = f"Disk ({size(plan['free_bytes'])} free; DVC's cache needs as much again where it cannot link to the files)"
    time = f"Time from scratch with {plan['jobs']} workers (finished work is kept)"
    for title, key, total, shown in ((disk, "disk", "disk_bytes", size), (time, "time", "time_s", duration)):
        rows = [
            [name, "run here" if cost["measured"] else "table", shown(cost["value"])]
            for name, cost in plan[key].items()
        ]
        lines += ["", title, ""]
        lines += columns([key, "from", "amount"], [*rows, ["all", "", shown(plan[total])]], left=2)
        lines += [f"note: {name}: {cost['remark']}" for name, cost in plan[key].items() if cost["remark"]]
    lines += ["", "Licences of the checkpoints", ""]
    lines += columns(["checkpoint", "cues", "licence"], [list(row.values()) for row in plan["licences"]], left=3)
    lines += ["", *(f"missing: {line}" for line in plan["missing"])]
    return lines if plan["missing"] else [*lines, "Nothing is missing. Next: dvc repro"]
