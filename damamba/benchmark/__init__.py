"""What models cost before they know anything: parameters, peak memory, time; beside which peers, and how fast.

No data is needed. Each configuration runs in a process of its own, so that its peak memory is its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import torch

from damamba.benchmark.memory import WIDTHS, Row, Task, exponents, measure, parameters, rows_to_measure
from damamba.benchmark.process import alone
from damamba.benchmark.reading import window_read_ms
from damamba.benchmark.speed import speed
from damamba.benchmark.streaming import stream_steps
from damamba.config import BenchmarkParams, LossParams, ModelParams, WindowParams
from damamba.console import progress
from damamba.data.windows import WindowGrid

__all__ = ["run", "sizes"]


def run(
    params: BenchmarkParams, window: WindowParams, variants: dict[str, ModelParams], losses: Mapping[str, LossParams]
) -> dict[str, Any]:
    """Everything that ``results/benchmark.json`` holds."""
    peers = alone(speed, params.length_frames, params.speed_repeats)
    return {**sizes(params, window, variants, losses, params.repeats), **peers}


def sizes(
    params: BenchmarkParams,
    window: WindowParams,
    variants: dict[str, ModelParams],
    losses: Mapping[str, LossParams],
    repeats: int,
    known: Iterable[Row] = (),
) -> dict[str, Any]:
    """What depends on the sizes of the models: everything but the speed of a layer beside its peers.

    `repeats` steps are timed after the one whose memory is measured; with 0, that one is. Rows that are `known` are not
    measured.
    """
    found = {(row.model, row.frames, row.batch): row for row in known}
    tasks = [
        Task(row, variants[row.variant], losses, frames, batch, again, window.rate_hz, params.memory_limit_gib)
        for row in rows_to_measure(variants)
        for frames, batch, again in (
            *((frames, params.batch_windows, repeats) for frames in params.frames),
            *((frames, 1, 0) for frames in params.long_frames),
        )
    ]
    rows: list[Row] = []
    for task in progress(tasks, "benchmark"):
        rows.append(found.get((task.kind.name, task.frames, task.batch)) or alone(measure, task))
    return {
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "threads": 1,
        "memory_limit_gib": params.memory_limit_gib,
        "cue_widths": WIDTHS,
        "parameters": {name: parameters(model, window.rate_hz) for name, model in variants.items()},
        "memory": [asdict(row) for row in rows],
        "exponent": exponents(rows),
        "stream_step_ms": alone(stream_steps, variants["da_mamba"], window.rate_hz, params.stream_frames),
        "window_read_ms": window_read_ms(WindowGrid.of(window)),
    }
