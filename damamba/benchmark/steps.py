"""Peak memory and time of a training and of an inference step, by length of the window.

On a CPU, one thread is measured in processor time, which other programs hardly affect. On CUDA, the memory of the
device and elapsed time are measured.
"""

import contextlib
import ctypes
import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from damamba.benchmark.models import CUE_WIDTHS, PARTICIPANTS, ModelForm, build
from damamba.config import LossParams, ModelParams
from damamba.losses import Prediction, make_losses, total_loss
from damamba.model import recompute_blocks

LONG_FRAMES = 384
"""Shortest window that enters the exponent."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
SMALL_BLOCK, LARGE_BLOCK = 2**16, 2**25


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
    train_peak_mib: int | None
    """Above the memory before the first forward pass; gradients of the parameters and the loss included."""
    infer_peak_mib: int | None
    train_ms: float | None
    infer_ms: float | None


def measure_step(task: StepTask) -> StepCost:
    """Measure one configuration in this process: inference first, then training."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(task.params, task.rate_hz).to(device)
    if task.form.checkpointing:
        recompute_blocks(model)
        # Its first use imports modules of 60 MiB, which are not part of the step.
        checkpoint(torch.sin, torch.ones(1, requires_grad=True), use_reentrant=False).backward()
    shape = (task.batch, PARTICIPANTS, task.frames)
    cues = {
        name: torch.randn(*shape, width, device=device)
        for group in CUE_WIDTHS.values()
        for name, width in group.items()
    }
    valid = {name: torch.ones(shape, dtype=torch.bool, device=device) for name in cues}
    present = torch.ones(shape[:2], dtype=torch.bool, device=device)
    label = torch.rand(task.batch, task.frames, device=device)
    observed = torch.ones_like(label, dtype=torch.bool)
    losses = make_losses(task.losses, task.rate_hz)

    def infer() -> None:
        with torch.inference_mode():
            model(cues, valid, present)

    def train() -> None:
        output = model(cues, valid, present)
        groups = dict.fromkeys(output.aligned, observed)
        generator = torch.Generator().manual_seed(0)
        prediction = Prediction(output.engagement, label, observed, output.aligned, groups, generator)
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
        present = int(_memory_mib("VmData") * 2**20)
        resource.setrlimit(resource.RLIMIT_DATA, (present + int(gib * 2**30), resource.RLIM_INFINITY))


def _memory_mib(field: str) -> float:
    """VmRSS, VmHWM (its peak) or VmData of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {field}: peak memory is measured on Linux or on CUDA")


def _cost(
    step: Callable[[], None], model: torch.nn.Module, repeats: int, device: torch.device
) -> tuple[int | None, float | None]:
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


def _cuda_peak_mib(run: Callable[[], None]) -> int:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return _whole_mib((torch.cuda.max_memory_allocated() - before) / 2**20)


def _cpu_peak_mib(run: Callable[[], None]) -> int:
    libc = ctypes.CDLL(None)
    with _separate_blocks(libc):
        libc.malloc_trim(0)  # so that no memory of earlier steps is reused unseen
        Path("/proc/self/clear_refs").write_text("5")  # the kernel's peak starts again from the present size
        before = _memory_mib("VmRSS")
        run()
        return _whole_mib(_memory_mib("VmHWM") - before)


@contextlib.contextmanager
def _separate_blocks(libc: ctypes.CDLL) -> Iterator[None]:
    """Give every tensor pages of its own, which return to the system when it is freed.

    On the shared heap, what freed tensors leave depends on where the heap lies, and peaks of the same step differ by
    several percent from run to run. Separate pages take time, so the heap serves all blocks again afterwards.
    """
    libc.mallopt(M_MMAP_THRESHOLD, SMALL_BLOCK)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BLOCK)


def _whole_mib(peak: float) -> int:
    """Whole MiB with at most three significant digits: what is the same in every run."""
    return int(float(f"{peak:.3g}")) if peak >= 100 else round(peak)


def _median_ms(run: Callable[[], None], repeats: int, clock: Callable[[], float]) -> float:
    times = []
    for _ in range(1 + repeats):
        started = clock()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(1000 * (clock() - started))
    return round(statistics.median(times[1:] or times), 1)
