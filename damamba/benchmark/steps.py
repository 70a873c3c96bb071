"""Peak memory and time of a training and of an inference step, by length of the window.

Memory is that of tensors, as the allocators of torch count it, and the same in every run. Time on a CPU is processor
time of one thread, which other programs hardly affect; on CUDA it is elapsed time.
"""

import contextlib
import math
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch.autograd.profiler import profile
from torch.nn.attention import SDPBackend, sdpa_kernel

from damamba.benchmark.models import CUE_WIDTHS, PARTICIPANTS, ModelForm, build
from damamba.config import LossParams, ModelParams
from damamba.device import choose_device
from damamba.losses import Prediction, make_losses, total_loss
from damamba.losses.ccc import CCCLoss, CCCParams
from damamba.model import recompute_blocks

LONG_FRAMES = 384
"""Shortest window that enters the exponent."""


@dataclass(frozen=True)
class StepTask:
    """One configuration to measure."""

    form: ModelForm
    params: ModelParams
    losses: Mapping[str, LossParams]
    frames: int
    batch: int
    repeats: int
    """Timed steps, after an untimed one; 0 times one step without any before it."""
    rate_hz: int
    limit_gib: float
    """Memory that a step may take."""


@dataclass(frozen=True)
class StepCost:
    """Cost of the steps of one configuration; None where they ran out of memory."""

    model: str
    frames: int
    batch: int
    train_peak_mib: float | None
    """Above the memory before the first forward pass; gradients of the parameters and the loss included."""
    infer_peak_mib: float | None
    train_ms: float | None
    infer_ms: float | None


def measure_step(task: StepTask) -> StepCost:
    """Measure one configuration in this process: inference first, then training."""
    torch.set_num_threads(1)
    device = choose_device()
    model = build(task.params, task.rate_hz).to(device)
    if task.form.checkpointing:
        recompute_blocks(model)
    shape = (task.batch, PARTICIPANTS, task.frames)
    widths = {name: width for group in CUE_WIDTHS.values() for name, width in group.items()}
    cues = {name: torch.randn(*shape, width, device=device) for name, width in widths.items()}
    valid = {name: torch.ones(shape, dtype=torch.bool, device=device) for name in cues}
    present = torch.ones(shape[:2], dtype=torch.bool, device=device)
    label = torch.rand(task.batch, task.frames, device=device)
    observed = torch.ones_like(label, dtype=torch.bool)
    seat, start = torch.arange(task.batch, device=device), torch.zeros(task.batch, device=device)
    # the models have a score as their only head, whatever the labels of the project
    made = make_losses(task.losses, task.rate_hz)
    losses = {name: loss for name, loss in made.items() if "continuous" in loss.kinds and not loss.label}
    losses = losses or {"ccc": CCCLoss(CCCParams(), task.rate_hz)}

    def infer() -> None:
        with torch.inference_mode():
            model(cues, valid, present)

    def train() -> None:
        output = model(cues, valid, present)
        groups = dict.fromkeys(output.aligned, observed)
        generator = torch.Generator().manual_seed(0)
        prediction = Prediction(output.engagement, label, observed, output.aligned, groups, seat, start, generator)
        total_loss(prediction, losses, dict.fromkeys(losses, 1.0)).total.backward()
        model.zero_grad(set_to_none=True)

    _limit_memory(task.limit_gib, device)
    with sdpa_kernel(SDPBackend.MATH) if task.form.explicit_attention else contextlib.nullcontext():
        infer_peak, infer_ms = _cost(infer, model.eval(), task.repeats, device)
        train_peak, train_ms = _cost(train, model.train(), task.repeats, device)
    return StepCost(task.form.name, task.frames, task.batch, train_peak, infer_peak, train_ms, infer_ms)


def exponents(costs: Sequence[StepCost]) -> dict[str, float]:
    """Growth of training memory with length from `LONG_FRAMES` on: 1 is linear, 2 quadratic; least squares of logs."""
    result = {}
    for model in dict.fromkeys(cost.model for cost in costs):
        points = [
            (math.log(cost.frames), math.log(cost.train_peak_mib))
            for cost in costs
            if cost.model == model and cost.frames >= LONG_FRAMES and cost.batch == 1 and cost.train_peak_mib
        ]
        if len(points) > 1:
            result[model] = round(statistics.linear_regression(*zip(*points, strict=True)).slope, 2)
    return result


def _limit_memory(gib: float, device: torch.device) -> None:
    """Let allocations of `gib` beyond the present ones fail, instead of the system ending other processes."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + gib * 2**30) / total))
    else:
        allocated = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line)
        limit = int(allocated.split()[1]) * 2**10 + int(gib * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))


def _cost(
    step: Callable[[], None], model: torch.nn.Module, repeats: int, device: torch.device
) -> tuple[float | None, float | None]:
    """Peak memory of a step, MiB, and median time of further ones, ms; (None, None) where memory runs out."""

    def run() -> None:
        try:
            step()
        finally:
            model.zero_grad(set_to_none=True)

    try:
        if device.type == "cuda":
            run()  # the first call tunes kernels, in memory of their own
            return _cuda_peak_mib(run), _median_ms(run, repeats, time.perf_counter)
        return _cpu_peak_mib(run), _median_ms(run, repeats, time.process_time)
    except (torch.OutOfMemoryError, MemoryError):
        return None, None
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        return None, None


def _cuda_peak_mib(run: Callable[[], None]) -> float:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return _rounded_mib(torch.cuda.max_memory_allocated() - before)


def _cpu_peak_mib(run: Callable[[], None]) -> float:
    profiler: Any = profile(use_cpu=True, profile_memory=True, acc_events=False)
    with profiler:
        run()
    events = [event for event in profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = (event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    return _rounded_mib(max(accumulate(changes, initial=0)))


def _rounded_mib(n_bytes: int) -> float:
    """Three significant digits, which small changes of torch leave alone."""
    return float(f"{n_bytes / 2**20:.3g}")


def _median_ms(run: Callable[[], None], repeats: int, clock: Callable[[], float]) -> float:
    times = []
    for _ in range(1 + repeats):
        started = clock()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(1000 * (clock() - started))
    return round(statistics.median(times[1:] or times), 1)
