"""Wall seconds of every stage of the pipeline, from scratch."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from damamba.config import AlignParams, CueParams, EvaluateParams, ModelParams, TrainParams, WindowParams
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.ingest.sources.base import input_bytes, released_s
from damamba.model.checkpoint import read_description
from damamba.planning.disk import arrow_bytes_per_hour, planned_width, reads_faces, simulated_media
from damamba.planning.earlier_runs import Cost, DoneBetween, EarlierRuns
from damamba.planning.workload import GIB, Workload


def data_stage_times(
    cues: Mapping[str, CueParams], align: AlignParams, work: Workload, earlier: EarlierRuns
) -> Iterator[tuple[str, Cost]]:
    """The stages up to the aligned shards."""
    simulated = work.simulated.filmed
    if simulated.seats:
        done = earlier.written_between(lambda p: simulated_media(p, earlier.root)[:1], _hours)
        yield "simulate", earlier.seconds("simulate", "simulate", simulated.hours, len(simulated.seats), done)

    raw_gib = work.gib + earlier.table["bytes_per_hour"]["raw"] * simulated.hours / GIB
    manifest = earlier.root / "data/corpus/manifest.jsonl"
    done = earlier.written_between(lambda p: [manifest], lambda p: input_bytes(p, earlier.root) / GIB)
    kind = "ingest-streams" if all(seat.widths for seat in work.seats) else "ingest"
    yield "ingest", earlier.seconds("ingest", kind, raw_gib, len(work.seats), done)

    if reads_faces(cues):
        filmed = work.filmed
        done = earlier.written_between(lambda p: [p.shard(earlier.root / "data/faces")], _hours)
        yield "track_faces", earlier.seconds("track_faces", "track_faces", filmed.hours, len(filmed.seats), done)

    for name, cue in cues.items():
        yield f"extract-{name}", _extraction(name, cue, work, earlier)

    folder = earlier.root / "data/aligned"
    done = earlier.written_between(
        lambda p: [p.shard(folder, ".arrow")],
        lambda p: p.shard(folder, ".arrow").stat().st_size / GIB,
        lambda p: (p.corpus, p.session),
    )
    arrow_gib = arrow_bytes_per_hour(cues, align, work, earlier) * work.hours / GIB
    yield "align", earlier.seconds("align", "align", arrow_gib, work.sessions, done)


def _extraction(name: str, cue: CueParams, work: Workload, earlier: EarlierRuns) -> Cost:
    row, remark = earlier.extractor_row(cue)
    done = earlier.written_between(earlier.cue_shards(name, cue), _hours)
    # Reading released streams is the one extraction whose time grows with the number of channels.
    core_s = row["core_s"] * (planned_width(name, cue, work, earlier) if cue.extractor in ("official", "stream") else 1)
    kind = "extract" if cue.settings().get("checkpoint") else "extract-light"
    cost = earlier.seconds(f"extract-{name}", kind, work.hours, len(work.seats), done, core_s)
    return Cost(cost.value, cost.measured, cost.remark or ("" if cost.measured else remark))


def run_times(
    models: Mapping[str, ModelParams],
    parameters: Mapping[str, int],
    window: WindowParams,
    train: TrainParams,
    evaluate: EvaluateParams,
    work: Workload,
    earlier: EarlierRuns,
) -> Iterator[tuple[str, Cost]]:
    """Training and evaluation, each summed over all runs.

    Args:
        models: Model of each run.
        parameters: Number of model parameters of each run.
        window, train, evaluate: Sections of params.yaml.
        work: Sessions to process.
        earlier: Runs to take speeds from.
    """
    scored = work.where(lambda seat: seat.split == evaluate.split and seat.labelled)
    reference, stages = earlier.table["train"], earlier.table["stages"]
    speedup = reference["speedup"] if earlier.jobs > 1 else 1
    training, evaluation = [], []
    for run, model in models.items():
        size = parameters[run] / reference["parameters"] * window.frames / reference["window_frames"]
        same = _is_same_model(earlier.root / "data/models" / run, model, window)

        steps = _steps(earlier.root / "results/curves" / f"{run}.csv") if same else 0
        step_s = stages["train"]["core_s"] * size * train.batch_windows / speedup
        training.append(earlier.seconds(f"train-{run}", "train", train.steps, 1, _one_task(steps), step_s))

        predictions = earlier.root / "data/predictions" / run
        done = _one_task(0)
        if same:
            done = earlier.written_between(lambda p, folder=predictions: [p.shard(folder)], _hours, lambda p: 0)
        hour_s = stages["evaluate"]["core_s"] * size
        evaluation.append(earlier.seconds(f"evaluate-{run}", "evaluate", scored.hours, 1, done, hour_s))
    yield "train", _sum(training)
    yield "evaluate", _sum(evaluation)


def last_stage_times(earlier: EarlierRuns) -> Iterator[tuple[str, Cost]]:
    """The stages whose time hardly depends on the parameters."""
    for stage in ("ablate", "benchmark", "report"):
        yield stage, earlier.seconds(stage, stage, 1, 1, _one_task(1))


def _sum(costs: list[Cost]) -> Cost:
    unmeasured = sum(not cost.measured for cost in costs)
    remark = f"{unmeasured} of {len(costs)} runs are estimated from the table: rough" if unmeasured else ""
    return Cost(sum(cost.value for cost in costs), not unmeasured, remark)


def _one_task(units: float) -> DoneBetween:
    """`done_between` of a stage that finished `units` in one task, whenever it ran."""
    return lambda started, ended: (units, 1)


def _is_same_model(checkpoint: Path, model: ModelParams, window: WindowParams) -> bool:
    try:
        description = read_description(checkpoint)
    except InputError:
        return False
    same = (description.architecture, description.settings) == (model.architecture, model.settings)
    return same and description.extra.get("window") == window.model_dump()


def _steps(curve: Path) -> int:
    """Optimiser steps of a learning curve; 0 where the file does not exist."""
    try:
        with curve.open(newline="") as stream:
            return sum(1 for _ in csv.DictReader(stream))
    except FileNotFoundError:
        return 0


def _hours(participant: Participant) -> float:
    return (participant.duration_s or released_s(participant)) / 3600
