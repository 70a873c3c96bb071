"""`damamba plan`: before the work, what it will take: media, disk, time, licences, and what is missing."""

import argparse
import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from damamba.config import CueParams, ModelParams, Params, WindowParams, split_run
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.data.shards import Aligned
from damamba.files import whole_file
from damamba.model.checkpoint import read_description
from damamba.planning.costs import Cost, Past, folder_size
from damamba.planning.readiness import licences, missing
from damamba.planning.workload import GIB, Workload, input_bytes, planned, released_s
from damamba.text import columns, duration, size

HALF_BYTES = 2
FLOAT_BYTES = 4


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "plan",
        help="hours of media, disk, time, licences and what is missing, before any work",
        description="For the sources, cues and runs of params.yaml, from scratch. Speeds and sizes are those of the "
        "last run in this folder where there was one, else of a table measured on two cores. Nothing is decoded.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Predict and print; raises `InputError` where a source cannot be read."""
    params = Params.load()
    plan = make_plan(params, planned(params), Path())
    print("\n".join(summary(plan)))
    if options.json:
        with whole_file(options.json) as temporary:
            temporary.write_text(json.dumps(plan, indent=1, allow_nan=False) + "\n", encoding="utf8")


def make_plan(params: Params, work: Workload, root: Path) -> dict[str, Any]:
    """What `work` will take with these parameters, JSON-ready.

    Args:
        params: Of the pipeline.
        work: From `planned`, or any other.
        root: Working folder, whose earlier runs tell speeds and sizes.

    Returns:
        ``media`` by corpus; ``disk`` in bytes and ``time`` in seconds, each a `Cost` by artefact and stage, with their
        sums; ``licences`` by checkpoint; ``missing``, a line each.
    """
    past = Past(root, params)
    disk = dict(disk_costs(params, work, past))
    time = dict(time_costs(params, work, past))
    more = sum(cost.value for cost in disk.values()) - folder_size(root / "data")
    return {
        "media": _media(work),
        "disk": {name: asdict(cost) for name, cost in disk.items()},
        "disk_bytes": sum(cost.value for cost in disk.values()),
        "free_bytes": shutil.disk_usage(root).free,
        "time": {name: asdict(cost) for name, cost in time.items()},
        "time_s": sum(cost.value for cost in time.values()),
        "jobs": past.jobs,
        "licences": licences(params),
        "missing": missing(params, work, more, shutil.disk_usage(root).free),
    }


def _media(work: Workload) -> dict[str, dict[str, float]]:
    corpora = {}
    for corpus in dict.fromkeys(seat.corpus for seat in work.seats):
        part = work.of([seat for seat in work.seats if seat.corpus == corpus])
        corpora[corpus] = {
            "sessions": part.sessions,
            "participants": len(part.seats),
            "labelled": sum(seat.labelled for seat in part.seats),
            "hours": part.hours,
            "input_bytes": part.gib * GIB,
        }
    return corpora


def disk_costs(params: Params, work: Workload, past: Past) -> Iterator[tuple[str, Cost]]:
    """Bytes of each artefact."""
    hourly = past.table["bytes_per_hour"]
    if work.simulated.filmed.seats:
        measured = past.bytes_per_hour(lambda p: [past.root / p.video, past.root / p.audio] if _is_made(p) else [])
        yield "data/raw", _sized(measured, hourly["raw"], work.simulated.filmed.hours)
    if _reads_faces(params):
        measured = past.bytes_per_hour(lambda p: [p.shard(past.root / "data/faces")])
        yield "data/faces", _sized(measured, hourly["faces"], work.filmed.hours)
    for name, cue in params.cues.items():
        measured = past.bytes_per_hour(past.cue_shards(name, cue))
        rate_hz = past.extractor_row(cue)[0]["rate_hz"]
        guess = _width(name, cue, work, past) * rate_hz * 3600 * FLOAT_BYTES * past.table["stream_compression"]
        yield f"data/features/{name}", _sized(measured, guess, work.hours)
    aligned = past.root / "data/aligned"
    same = _same_grid(params, aligned)
    measured = past.bytes_per_hour(lambda p: [p.shard(aligned, s) for s in (".arrow", ".parquet")]) if same else None
    guess = arrow_bytes_per_hour(params, work, past) * (1 + past.table["parquet_per_arrow"])
    yield "data/aligned", _sized(measured, guess, work.hours)
    labelled = work.of([seat for seat in work.seats if seat.labelled]).hours
    yield "data/corpus", Cost(hourly["corpus"] * work.hours, False)
    yield "data/predictions", Cost(hourly["predictions"] * labelled * len(params.runs), False)
    factors = [_size_factor(params.variant(split_run(run, params.variants)[0]), past) for run in params.runs]
    yield "data/models", Cost(past.table["model_bytes"] * sum(factors), False)


def _sized(measured: float | None, guess: float, hours: float) -> Cost:
    return Cost((guess if measured is None else measured) * hours, measured is not None)


def _is_made(participant: Participant) -> bool:
    return participant.video.startswith("data/raw/")


def _reads_faces(params: Params) -> bool:
    return any(cue.reads == "faces" for cue in params.cues.values())


def _width(name: str, cue: CueParams, work: Workload, past: Past) -> int:
    """Channels of a cue: of its streams, of the released stream's header, or of the table."""
    settings = cue.settings()
    released = work.width(str(settings.get("stream")))
    if released is not None:
        return released - len(settings.get("drop") or ())
    return past.cue_width(name, cue) or past.extractor_row(cue)[0]["width"]


def arrow_bytes_per_hour(params: Params, work: Workload, past: Past) -> float:
    """Of the shards that training maps: halves and a mask a cue and grid frame."""
    widths = [_width(name, cue, work, past) for name, cue in params.cues.items()]
    return (HALF_BYTES * sum(widths) + len(widths) / 8) * params.align.rate_hz * 3600


def _same_grid(params: Params, aligned: Path) -> bool:
    """Whether the shards that are there hold these cues at this rate."""
    try:
        index = Aligned.read(aligned)
    except InputError:
        return False
    return index.rate_hz == params.align.rate_hz and set(index.cues) == set(params.cues)


def time_costs(params: Params, work: Workload, past: Past) -> Iterator[tuple[str, Cost]]:
    """Wall seconds of each stage."""
    if filmed := work.simulated.filmed.seats:
        made = past.made_between(lambda p: [past.root / p.video] if _is_made(p) else [], _hours)
        yield "simulate", past.seconds("simulate", "simulate", work.simulated.filmed.hours, len(filmed), made)
    raw_gib = work.gib + past.table["bytes_per_hour"]["raw"] * work.simulated.filmed.hours / GIB
    manifest = past.made_between(
        lambda p: [past.root / "data/corpus/manifest.jsonl"], lambda p: input_bytes(p, past.root) / GIB
    )
    kind = "ingest-streams" if all(seat.widths for seat in work.seats) else "ingest"
    yield "ingest", past.seconds("ingest", kind, raw_gib, len(work.seats), manifest)
    if _reads_faces(params):
        made = past.made_between(lambda p: [p.shard(past.root / "data/faces")], _hours)
        yield "track_faces", past.seconds("track_faces", "track_faces", work.filmed.hours, len(work.filmed.seats), made)
    for name, cue in params.cues.items():
        row, remark = past.extractor_row(cue)
        made = past.made_between(past.cue_shards(name, cue), _hours)
        core_s = row["core_s"] * (_width(name, cue, work, past) if cue.extractor == "official" else 1)
        kind = "extract" if cue.settings().get("checkpoint") else "extract-light"
        cost = past.seconds(f"extract-{name}", kind, work.hours, len(work.seats), made, core_s)
        yield f"extract-{name}", Cost(cost.value, cost.measured, cost.remark or ("" if cost.measured else remark))
    aligned = past.root / "data/aligned"
    hourly_gib = arrow_bytes_per_hour(params, work, past) / GIB
    made = past.made_between(
        lambda p: [p.shard(aligned, ".arrow")],
        lambda p: p.shard(aligned, ".arrow").stat().st_size / GIB,
        lambda p: (p.corpus, p.session),
    )
    yield "align", past.seconds("align", "align", hourly_gib * work.hours, work.sessions, made)
    yield from run_costs(params, work, past)
    for stage in ("ablate", "benchmark", "report"):
        yield stage, past.seconds(stage, stage, 1, 1, _once(1))


def run_costs(params: Params, work: Workload, past: Past) -> Iterator[tuple[str, Cost]]:
    """Training and scoring, a line each for all runs together."""
    scored = work.of([seat for seat in work.seats if seat.split == params.evaluate.split and seat.labelled])
    train, evaluate = [], []
    for name in params.runs:
        model = params.variant(split_run(name, params.variants)[0])
        factor = _size_factor(model, past) * params.window.frames / past.table["train"]["window_frames"]
        same = _same_model(past.root / "data/models" / name, model, params.window)
        steps = _steps(past.root / "results/curves" / f"{name}.csv") if same else 0
        speedup = past.table["train"]["speedup"] if past.jobs > 1 else 1
        per_step = past.table["stages"]["train"]["core_s"] * factor * params.train.batch_windows / speedup
        train.append(past.seconds(f"train-{name}", "train", params.train.steps, 1, _once(steps), per_step))
        scores = past.root / "data/predictions" / name
        made = past.made_between(lambda p, scores=scores: [p.shard(scores)], _hours, lambda p: 0) if same else _once(0)
        rate = past.table["stages"]["evaluate"]["core_s"] * factor
        evaluate.append(past.seconds(f"evaluate-{name}", "evaluate", scored.hours, 1, made, rate))
    for stage, costs in (("train", train), ("evaluate", evaluate)):
        n_measured = sum(cost.measured for cost in costs)
        known_all = n_measured == len(costs)
        remark = "" if known_all else f"{len(costs) - n_measured} of {len(costs)} runs by the table: rough"
        yield stage, Cost(sum(cost.value for cost in costs), known_all, remark)


def _once(units: float) -> Callable[[float, float], tuple[float, int]]:
    """`made` of a stage that did `units` in one task, whenever it ran."""
    return lambda begun, ended: (units, 1)


def _size_factor(model: ModelParams, past: Past) -> float:
    """Weights of a model over those of the table's: widths count squared, blocks once."""
    reference = past.table["train"]

    def weights(d_model: int, d_fusion: int, group_layers: int, context_layers: int) -> float:
        return d_model**2 * (5 + 13 * group_layers) + d_fusion**2 * (2 + context_layers)

    keys = ("d_model", "d_fusion", "group_layers", "context_layers")
    own = weights(*(int(model.settings.get(key, reference[key])) for key in keys))
    return own / weights(*(reference[key] for key in keys))


def _same_model(checkpoint: Path, model: ModelParams, window: WindowParams) -> bool:
    try:
        description = read_description(checkpoint)
    except InputError:
        return False
    same = (description.architecture, description.settings) == (model.architecture, model.settings)
    return same and description.extra.get("window") == window.model_dump()


def _steps(curve: Path) -> int:
    """Optimiser steps behind a learning curve, 0 where there is none."""
    try:
        with curve.open(newline="") as stream:
            return sum(1 for _ in csv.DictReader(stream))
    except FileNotFoundError:
        return 0


def _hours(participant: Participant) -> float:
    return (participant.duration_s or released_s(participant)) / 3600


def summary(plan: dict[str, Any]) -> list[str]:
    """Media, disk, time, licences and what is missing."""
    media = [
        [
            corpus,
            *(str(row[name]) for name in ("sessions", "participants", "labelled")),
            f"{row['hours']:.2f}",
            size(row["input_bytes"]) if row["input_bytes"] else "to be made",
        ]
        for corpus, row in plan["media"].items()
    ]
    lines = ["Media; an hour of a dyad is two participant-hours", ""]
    lines += columns(["corpus", "sessions", "participants", "labelled", "hours", "files"], media)
    for title, key, total, shown in (("Disk", "disk", "disk_bytes", size), ("Time", "time", "time_s", duration)):
        rows = [[name, _basis(cost), shown(cost["value"])] for name, cost in plan[key].items()]
        lines += ["", f"{title}{_explained(key, plan)}", ""]
        lines += columns([key, "by", "amount"], [*rows, ["all", "", shown(plan[total])]], left=2)
        lines += [f"note: {name}: {cost['remark']}" for name, cost in plan[key].items() if cost["remark"]]
    lines += ["", "Licences of the checkpoints", ""]
    lines += columns(["checkpoint", "cues", "licence"], [list(row.values()) for row in plan["licences"]], left=3)
    lines += ["", *(f"missing: {line}" for line in plan["missing"])]
    return lines if plan["missing"] else [*lines, "Nothing is missing. Next: dvc repro"]


def _basis(cost: dict[str, Any]) -> str:
    return "run here" if cost["measured"] else "table"


def _explained(key: str, plan: dict[str, Any]) -> str:
    if key == "disk":
        free = size(plan["free_bytes"])
        return f"; {free} are free. DVC's cache links to these files, or where it cannot, takes as much again"
    return f" from scratch, {plan['jobs']} workers; what is made already is kept"
