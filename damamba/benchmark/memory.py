"""Peak memory and time of a training and of an inference step, by length of the window.

On a CPU one thread is measured, by the processor's time: other programs then hardly enter. On CUDA it is the device's
memory, and the clock.
"""

import contextlib
import ctypes
import math
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from damamba.config import LossParams, ModelParams
from damamba.losses import Prediction, make_losses, total_loss
from damamba.model import EngagementModel, build_model, recompute_blocks

WIDTHS = {
    "audio": {"wav2vec2": 768, "emotion": 1024},
    "visual": {"clip": 512, "flow": 76, "landmark_flow": 100},
}
"""Of the upstream encoders; parameters are counted at these."""
PARTICIPANTS = 2
LONG = 384  # frames from which the exponent is fitted


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    name: str
    variant: str
    checkpointing: bool = False
    """Blocks are computed again in the backward pass."""
    materialised: bool = False
    """Attention writes its whole matrix to memory, as code did before fused kernels."""


KINDS = (
    Kind("da_mamba", "da_mamba"),
    Kind("da_mamba, checkpointing", "da_mamba", checkpointing=True),
    Kind("transformer", "transformer"),
    Kind("dat, as published", "dat", materialised=True),
    Kind("dat, fused attention", "dat"),
)


def rows_to_measure(variants: Mapping[str, ModelParams]) -> list[Kind]:
    """Those whose variant there is."""
    return [kind for kind in KINDS if kind.variant in variants]


@dataclass(frozen=True)
class Task:
    """One configuration to measure."""

    kind: Kind
    params: ModelParams
    losses: Mapping[str, LossParams]
    frames: int
    batch: int
    repeats: int
    """Calls that are timed, after the one whose memory is; 0: that one is timed."""
    rate_hz: int
    limit_gib: float


@dataclass(frozen=True)
class Row:
    """What it cost; None: out of memory."""

    model: str
    frames: int
    batch: int
    train_peak_mib: float | None
    """Above the memory before the first forward pass; parameters' gradients and the loss included."""
    infer_peak_mib: float | None
    train_ms: float | None
    infer_ms: float | None


def build(params: ModelParams, rate_hz: int) -> EngagementModel:
    """An untrained model at the upstream cue widths."""
    torch.manual_seed(0)
    return build_model(WIDTHS, params, rate_hz)


def parameters(params: ModelParams, rate_hz: int) -> int:
    """Trainable parameters at the upstream cue widths."""
    return sum(p.numel() for p in build(params, rate_hz).parameters() if p.requires_grad)


def measure(task: Task) -> Row:
    """Measure one configuration in this process: inference first, then training."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(task.params, task.rate_hz).to(device)
    if task.kind.checkpointing:
        recompute_blocks(model)
        # its first use imports 60 MiB, which are not the step's
        checkpoint(torch.sin, torch.ones(1, requires_grad=True), use_reentrant=False).backward()
    shape = (task.batch, PARTICIPANTS, task.frames)
    cues = {
        name: torch.randn(*shape, width, device=device) for group in WIDTHS.values() for name, width in group.items()
    }
    valid = {name: torch.ones(shape, dtype=torch.bool, device=device) for name in cues}
    present = torch.ones(shape[:2], dtype=torch.bool, device=device)
    label = torch.rand(task.batch, task.frames, device=device)
    seen = torch.ones_like(label, dtype=torch.bool)
    losses = make_losses(task.losses, task.rate_hz)

    def infer() -> None:
        with torch.inference_mode():
            model(cues, valid, present)

    def train() -> None:
        output = model(cues, valid, present)
        observed = dict.fromkeys(output.aligned, seen)
        generator = torch.Generator().manual_seed(0)
        prediction = Prediction(output.engagement, label, seen, output.aligned, observed, generator)
        total_loss(prediction, losses, dict.fromkeys(losses, 1.0)).total.backward()
        model.zero_grad(set_to_none=True)

    _limit_memory(task.limit_gib, device)
    with sdpa_kernel(SDPBackend.MATH) if task.kind.materialised else contextlib.nullcontext():
        infer_peak, infer_ms = _cost(infer, model.eval(), task.repeats, device)
        train_peak, train_ms = _cost(train, model.train(), task.repeats, device)
    return Row(task.kind.name, task.frames, task.batch, train_peak, infer_peak, train_ms, infer_ms)


def exponents(rows: Sequence[Row]) -> dict[str, float]:
    """Of training memory over length, from `LONG` frames on: 1 is linear, 2 quadratic; least squares in logarithms."""
    result = {}
    for model in dict.fromkeys(row.model for row in rows):
        points = [
            (math.log(row.frames), math.log(row.train_peak_mib))
            for row in rows
            if row.model == model and row.frames >= LONG and row.batch == 1 and row.train_peak_mib
        ]
        if len(points) > 1:
            result[model] = round(statistics.linear_regression(*zip(*points, strict=True)).slope, 3)
    return result


def _limit_memory(gib: float, device: torch.device) -> None:
    """What is asked for beyond `gib` more than is held now is refused, instead of ending other processes."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + gib * 2**30) / total))
    else:
        held = int(_memory_mib("VmData") * 2**20)
        resource.setrlimit(resource.RLIMIT_DATA, (held + int(gib * 2**30), resource.RLIM_INFINITY))


def _memory_mib(field: str) -> float:
    """VmRSS, VmHWM (its peak) or VmData of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {field}: peak memory is measured on Linux or on CUDA")


class _Peak:
    """Peak memory since it was made, MiB: of the device where that is CUDA, else of the process."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated() / 2**20
        else:
            # What earlier steps left with the allocator would be used again, and not be seen as this step's.
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")  # the kernel's peak starts again from what is held now
            self.before = _memory_mib("VmRSS")

    def read(self) -> float:
        if self.cuda:
            return torch.cuda.max_memory_allocated() / 2**20 - self.before
        return _memory_mib("VmHWM") - self.before


def _cost(
    once: Callable[[], None], model: torch.nn.Module, repeats: int, device: torch.device
) -> tuple[float | None, float | None]:
    """Peak memory of the first call, MiB, and median time of the others, ms; (None, None): out of memory."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    if device.type == "cuda":  # kernels are tuned at their first call, in memory of their own: neither is counted
        with contextlib.suppress(torch.OutOfMemoryError):
            once()
        model.zero_grad(set_to_none=True)
    peak, times = _Peak(device), []
    memory = math.nan
    for call in range(1 + repeats):
        started = clock()
        try:
            once()
        except (torch.OutOfMemoryError, MemoryError):
            return None, None
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):
                raise
            return None, None
        finally:
            model.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (clock() - started))
        if call == 0:
            memory = peak.read()
    return round(memory, 1), round(statistics.median(times[1:] or times), 1)
