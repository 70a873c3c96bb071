"""Time of one frame of a stream, on one thread."""

import statistics
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from damamba.benchmark.models import CUE_WIDTHS, PARTICIPANTS, StreamingModel, streaming_form
from damamba.benchmark.peers import D_MODEL, D_STATE, EXPAND, HEADDIM
from damamba.config import ModelParams
from damamba.model.block_params import BlockParams
from damamba.model.hybrid import HybridBlock
from damamba.model.stream_state import Memory

BLOCKS = 6
WARM_UP_FRAMES = 32
"""Untimed steps at the start, until the state has its full size."""
BLOCK = BlockParams(
    block="hybrid",
    d_model=D_MODEL,
    d_state=D_STATE,
    headdim=HEADDIM,
    expand=EXPAND,
    d_conv=4,
    group_layers=1,
    context_layers=1,
    dialogue_layers=1,
    n_heads=D_MODEL // HEADDIM,
    chunk_frames=16,
    ffn_expand=2,
    modality_fusion=True,
    dropout=0.0,
    causal=True,
)


def stream_steps_ms(variants: Mapping[str, ModelParams], rate_hz: int, frames: int) -> dict[str, float]:
    """Median processor time of a step, ms: of six causal hybrid blocks, and of each variant that can stream.

    Args:
        variants: Models to measure, with a dyad, in their causal form.
        rate_hz: Frames per second.
        frames: Timed steps.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    models = {name: streaming_form(params, rate_hz) for name, params in variants.items()}
    with torch.inference_mode():
        return {
            f"{BLOCKS} hybrid blocks, d {D_MODEL}": _blocks_ms(frames),
            **{f"{name}, a dyad": _model_ms(model, frames) for name, model in models.items() if model},
        }


def _blocks_ms(frames: int) -> float:
    blocks = [HybridBlock(D_MODEL, BLOCK).eval() for _ in range(BLOCKS)]
    valid = torch.ones(1, dtype=torch.bool)
    states: list[Memory | None] = [None] * BLOCKS
    times = []
    for _ in range(WARM_UP_FRAMES + frames):
        x: Tensor = torch.randn(1, D_MODEL)
        started = time.process_time()
        for i, block in enumerate(blocks):
            x, states[i] = block.step(x, valid, states[i])
        times.append(time.process_time() - started)
    return _median_ms(times)


def _model_ms(model: StreamingModel, frames: int) -> float:
    shape = (1, PARTICIPANTS, 1)
    widths = {name: width for group in CUE_WIDTHS.values() for name, width in group.items()}
    valid = {name: torch.ones(shape, dtype=torch.bool) for name in widths}
    present = torch.ones(shape[:2], dtype=torch.bool)
    state, times = model.stream(), []
    for _ in range(WARM_UP_FRAMES + frames):
        cues = {name: torch.randn(*shape, width) for name, width in widths.items()}
        started = time.process_time()
        _, state = model.extend(cues, valid, present, state)
        times.append(time.process_time() - started)
    return _median_ms(times)


def _median_ms(times: list[float]) -> float:
    return round(1000 * statistics.median(times[WARM_UP_FRAMES:]), 2)
