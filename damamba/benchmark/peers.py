"""The scan and the block compared with alternatives: same input, one thread, interleaved calls in one run.

Times are medians of processor time, which other programs hardly affect.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from damamba.encoders.torchvision_import import declare_operators
from damamba.model.mamba import DT_RANGE, MambaBlock
from damamba.scan import ssd_scan

BATCH, FRAMES = 32, 96
D_MODEL, D_STATE, HEADDIM, EXPAND = 256, 64, 64, 2
HEADS = EXPAND * D_MODEL // HEADDIM
THEIR_CHUNKS = {"transformers, chunks of 32": 32, "transformers, chunks of 64": 64}
"""Chunk lengths of transformers' scan; with its default of 256 it is five times as slow at this length."""
Calls = Mapping[str, Callable[[], object]]


def interleaved(calls: Calls, repeats: int) -> dict[str, float]:
    """Median processor time of each call, s; calls alternate, and the first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(1 + repeats):
        for name, call in calls.items():
            started = time.process_time()
            call()
            times[name].append(time.process_time() - started)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


def training(call: Callable[..., Any], inputs: Sequence[Tensor]) -> Callable[[], object]:
    """Forward and backward pass, to the gradients of `inputs`."""
    weight = torch.randn_like(call(*inputs).detach())
    return lambda: torch.autograd.grad(call(*inputs), inputs, weight)


def inference(call: Callable[..., Any], inputs: Sequence[Tensor]) -> Callable[[], object]:
    """Forward pass without gradients."""

    def run() -> None:
        with torch.inference_mode():
            call(*inputs)

    return run


def module_calls(modules: Mapping[str, nn.Module], batch: int, frames: int) -> dict[str, Callable[[], object]]:
    """Training of each module on the same input."""
    x = torch.randn(batch, frames, D_MODEL, requires_grad=True)

    def call(module: nn.Module) -> Callable[[], object]:
        return training(lambda x, *_: module(x), [x, *module.parameters()])

    return {name: call(module) for name, module in modules.items()}


def scan_inputs() -> list[Tensor]:
    """x, dt, A, B, C as an untrained Mamba-2 layer produces them."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    low, high = DT_RANGE
    dt = low * (high / low) ** torch.rand(BATCH, FRAMES, HEADS, generator=generator)
    A = -1 - 15 * torch.rand(HEADS, generator=generator)
    tensors = [normal(BATCH, FRAMES, HEADS, HEADDIM), dt, A, *(normal(BATCH, FRAMES, 1, D_STATE) for _ in range(2))]
    return [tensor.requires_grad_() for tensor in tensors]


def scans() -> dict[str, Callable[..., Any]]:
    """Our scan, and transformers' chunk scan with several chunk lengths."""
    declare_operators()
    from transformers.models.mamba2.modeling_mamba2 import mamba2_chunk_scan

    def theirs(chunk: int) -> Callable[..., Any]:
        return lambda *inputs: mamba2_chunk_scan(*inputs, chunk)

    return {"ours": ssd_scan, **{name: theirs(chunk) for name, chunk in THEIR_CHUNKS.items()}}


def blocks() -> dict[str, nn.Module]:
    """Our block, transformers' Mamba-2, and common layers with about as many parameters."""
    declare_operators()
    from transformers import Mamba2Config
    from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

    ours = MambaBlock(D_MODEL, D_STATE, HEADDIM, EXPAND)

    def mixer(chunk: int) -> nn.Module:
        return Mamba2Mixer(
            Mamba2Config(
                hidden_size=D_MODEL,
                state_size=D_STATE,
                head_dim=HEADDIM,
                num_heads=HEADS,
                expand=EXPAND,
                n_groups=1,
                chunk_size=chunk,
                use_bias=False,
            ),
            layer_idx=0,
        )

    size = count(ours)
    return {
        "ours": ours,
        **{name: mixer(chunk) for name, chunk in THEIR_CHUNKS.items()},
        "nn.TransformerEncoderLayer": closest_in_size(transformer_layer, range(64, 1025, 2), size),
        "LSTM": closest_in_size(LSTMLayer, range(64, 513, 2), size),
    }


def transformer_layer(feed_forward: int) -> nn.Module:
    """Full attention with fused kernels; with dropout torch would fall back to slower ones."""
    return nn.TransformerEncoderLayer(D_MODEL, D_MODEL // HEADDIM, feed_forward, dropout=0.0, batch_first=True)


class LSTMLayer(nn.Module):
    """An LSTM that returns only its output."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.layer = nn.LSTM(D_MODEL, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, D_MODEL) -> (batch, frames, hidden)."""
        return self.layer(x)[0]


def count(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in module.parameters())


def closest_in_size(make: Callable[[int], nn.Module], widths: Iterable[int], size: int) -> nn.Module:
    """The module whose number of parameters is closest to `size`."""
    with torch.device("meta"):
        best = min(widths, key=lambda width: abs(count(make(width)) - size))
    return make(best)


def compare_with_peers(lengths: Sequence[int], repeats: int) -> dict[str, Any]:
    """Time of the alternatives relative to ours, and the length from which on full attention takes longer.

    Args:
        lengths: Sequence lengths at which block and Transformer layer are compared, on equally many frames in total.
        repeats: Timed calls.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs, layers = scan_inputs(), blocks()
    calls = scans()
    x = [torch.randn(BATCH, FRAMES, D_MODEL)]
    seconds = {
        "scan, training": interleaved({name: training(call, inputs) for name, call in calls.items()}, repeats),
        "scan, inference": interleaved({name: inference(call, inputs) for name, call in calls.items()}, repeats),
        "block, training": interleaved(module_calls(layers, BATCH, FRAMES), repeats),
        "block, inference": interleaved({n: inference(layer.eval(), x) for n, layer in layers.items()}, repeats),
    }
    by_length = [
        {"frames": frames, **costs}
        for frames, costs in length_costs(
            {name: layers[name].train() for name in ("ours", "nn.TransformerEncoderLayer")}, lengths, repeats
        ).items()
    ]
    return {
        "setting": {
            "batch": BATCH,
            "frames": FRAMES,
            "d_model": D_MODEL,
            "d_inner": EXPAND * D_MODEL,
            "threads": 1,
        },
        "layer_parameters": {name: count(layer) for name, layer in layers.items()},
        "ms": {
            operation: {name: round(1000 * taken, 2) for name, taken in times.items()}
            for operation, times in seconds.items()
        },
        "speedup": {
            operation: {name: round(taken / times["ours"], 2) for name, taken in times.items() if name != "ours"}
            for operation, times in seconds.items()
        },
        "us_per_frame": by_length,
        "crossover_frames": crossover(by_length),
    }


def length_costs(modules: Mapping[str, nn.Module], lengths: Sequence[int], repeats: int) -> dict[int, dict[str, float]]:
    """Training time per frame, µs, by length; every length processes the same total of frames, in alternating calls."""
    total = max(lengths)
    calls = {
        (frames, name): call
        for frames in lengths
        for name, call in module_calls(modules, max(1, round(total / frames)), frames).items()
    }
    taken = interleaved({f"{frames} {name}": call for (frames, name), call in calls.items()}, repeats)
    return {
        frames: {
            name: round(1e6 * taken[f"{frames} {name}"] / (frames * max(1, round(total / frames))), 2)
            for name in modules
        }
        for frames in lengths
    }


def crossover(by_length: Sequence[Mapping[str, float]]) -> int | None:
    """Length from which on our block trains faster than the Transformer layer, interpolated linearly; None if never."""
    gains = [(row["frames"], row["nn.TransformerEncoderLayer"] - row["ours"]) for row in by_length]
    if gains[-1][1] < 0:
        return None
    for (short, before), (long, after) in reversed(list(pairwise(gains))):
        if before < 0 <= after:
            return round(short - before * (long - short) / (after - before))
    return round(gains[0][0])
