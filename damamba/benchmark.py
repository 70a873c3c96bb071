"""What models cost before they know anything: parameters, peak memory, time; and what reading a window costs.

No data is needed. Each configuration runs in a process of its own, so that its peak memory is its own.
"""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from damamba.config import BenchmarkParams, ModelParams, WindowParams
from damamba.console import progress
from damamba.data.batch import Window, WindowReader
from damamba.data.shards import Aligned, AlignedSession, Cue, Seat, write_labels, write_shard
from damamba.data.windows import WindowGrid
from damamba.losses import align_loss, ccc_loss
from damamba.model import EngagementModel, build_model

WIDTHS = {
    "audio": {"wav2vec2": 768, "emotion": 1024},
    "visual": {"clip": 512, "flow": 76, "landmark_flow": 100},
}
"""Of the upstream encoders; parameters are counted at these."""
PARTICIPANTS = 2


@dataclass(frozen=True)
class Task:
    """One configuration to measure."""

    model: str
    params: ModelParams
    frames: int
    batch: int
    repeats: int
    rate_hz: int
    threads: int


@dataclass(frozen=True)
class Row:
    """What it cost."""

    model: str
    frames: int
    batch: int
    train_peak_mib: float
    """Above the memory before the first forward pass; parameters' gradients and the loss included."""
    infer_peak_mib: float
    train_ms: float
    infer_ms: float


def build(params: ModelParams, rate_hz: int) -> EngagementModel:
    """An untrained model at the upstream cue widths."""
    torch.manual_seed(0)
    return build_model(WIDTHS, params, rate_hz)


def parameters(params: ModelParams, rate_hz: int) -> int:
    """Trainable parameters at the upstream cue widths."""
    return sum(p.numel() for p in build(params, rate_hz).parameters() if p.requires_grad)


def _memory_mib(field: str) -> float:
    """VmRSS or VmHWM (its peak) of this process."""
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
            Path("/proc/self/clear_refs").write_text("5")  # the kernel's peak starts again from what is held now
            self.before = _memory_mib("VmRSS")

    def read(self) -> float:
        if self.cuda:
            return torch.cuda.max_memory_allocated() / 2**20 - self.before
        return _memory_mib("VmHWM") - self.before


def measure(task: Task) -> Row:
    """Measure one configuration in this process: inference first, then training."""
    torch.set_num_threads(task.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(task.params, task.rate_hz).to(device)
    shape = (task.batch, PARTICIPANTS, task.frames)
    cues = {
        name: torch.randn(*shape, width, device=device) for group in WIDTHS.values() for name, width in group.items()
    }
    valid = {name: torch.ones(shape, dtype=torch.bool, device=device) for name in cues}
    present = torch.ones(shape[:2], dtype=torch.bool, device=device)
    label = torch.rand(task.batch, task.frames, device=device)
    seen = torch.ones_like(label, dtype=torch.bool)

    def infer() -> None:
        with torch.inference_mode():
            model(cues, valid, present)

    def train() -> None:
        output = model(cues, valid, present)
        loss = ccc_loss(output.engagement, label, seen)
        if output.audio is not None and output.visual is not None:
            loss = loss + align_loss(
                output.audio,
                output.visual,
                seen,
                temperature=task.params.temperature,
                frames=task.params.align_frames,
                exclusion_frames=round(task.params.align_exclusion_s * task.rate_hz),
                generator=torch.Generator().manual_seed(0),
            )
        loss.backward()
        model.zero_grad(set_to_none=True)

    model.eval()
    infer_peak, infer_ms = _cost(infer, task.repeats, device)
    model.train()
    train_peak, train_ms = _cost(train, task.repeats, device)
    return Row(task.model, task.frames, task.batch, train_peak, infer_peak, train_ms, infer_ms)


def _cost(once, repeats: int, device: torch.device) -> tuple[float, float]:  # noqa: ANN001 (a closure)
    """Peak memory of the first call, MiB, and median time of the others, ms."""
    peak = _Peak(device)
    once()
    memory = peak.read()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        once()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - started))
    return round(memory, 1), round(statistics.median(times), 1)


def run(params: BenchmarkParams, window: WindowParams, variants: dict[str, ModelParams]) -> dict[str, Any]:
    """Everything that ``results/benchmark.json`` holds."""
    measured = [name for name in ("da_mamba", "transformer") if name in variants]
    threads = torch.get_num_threads()
    tasks = [
        Task(name, variants[name], frames, params.batch_windows, params.repeats, window.rate_hz, threads)
        for frames in params.frames
        for name in measured
    ]
    rows = []
    # a fresh process for each, one at a time: nothing else moves its peak or its clock
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for row in progress(pool.map(measure, tasks), "benchmark", total=len(tasks)):
            rows.append(asdict(row))
    return {
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "threads": threads,
        "cue_widths": WIDTHS,
        "parameters": {name: parameters(model, window.rate_hz) for name, model in variants.items()},
        "memory": rows,
        "window_read_ms": window_read_ms(WindowGrid.of(window)),
    }


def window_read_ms(grid: WindowGrid, minutes: float = 5.0, reads: int = 200) -> float:
    """Median time of reading one random window of all cues of a dyad, ms, from shards at 100 Hz."""
    rate_hz, rng = 100, np.random.default_rng(0)
    n_labels = int(minutes * 60 * 25)
    names: Sequence[str] = ("a", "b")
    session = AlignedSession("c", "s", "train", "", n_labels, tuple(Seat(n, n, n, True) for n in names))
    with tempfile.TemporaryDirectory() as folder:
        cues = {n: Cue(g, w, "", "", "") for g, group in WIDTHS.items() for n, w in group.items()}
        aligned = Aligned(Path(folder), rate_hz, cues, (session,), {})
        for name in names:
            frames = n_labels * rate_hz // 25
            columns = {
                cue: (rng.standard_normal((frames, c.width), np.float32), np.ones(frames, bool))
                for cue, c in cues.items()
            }
            write_shard(aligned.path(session, name, ""), columns, "")
            write_labels(aligned.path(session, name, ".label.arrow"), rng.random(n_labels), np.ones(n_labels, bool))
        reader = WindowReader(aligned, grid)
        starts = rng.integers(0, n_labels - grid.core, reads)
        times = []
        for start in starts:
            began = time.perf_counter()
            reader.read([Window(session, int(start) % len(names), int(start))])
            times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 3)
