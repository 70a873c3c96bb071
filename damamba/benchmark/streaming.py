"""What one frame of a stream costs."""

import time

import torch
from torch import nn

from damamba.benchmark.memory import PARTICIPANTS, WIDTHS, build
from damamba.benchmark.speed import D_MODEL, D_STATE, EXPAND, HEADDIM
from damamba.config import ModelParams
from damamba.model.architectures.da_mamba import DAMamba
from damamba.model.block_params import BlockParams
from damamba.model.hybrid import HybridBlock
from damamba.model.stream_state import Memory

BLOCKS = 6


def stream_steps(params: ModelParams, rate_hz: int, frames: int) -> dict[str, float]:
    """Median processor time of a step on one thread, ms: of six causal hybrid blocks, and of the model with a dyad.

    Args:
        params: Of the model; made causal.
        rate_hz: Frames a second.
        frames: Steps that are timed, after as many as a block looks back.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    causal = params.model_copy(update={"settings": {**params.settings, "causal": True}})
    sizes = {"d_state": D_STATE, "headdim": HEADDIM, "expand": EXPAND, "n_heads": D_MODEL // HEADDIM}
    model = build(causal, rate_hz).eval()
    assert isinstance(model, DAMamba)
    with torch.inference_mode():
        return {
            f"{BLOCKS} hybrid blocks, d {D_MODEL}": _blocks(model.params.model_copy(update=sizes), frames),
            "da_mamba, a dyad": _model(model, frames),
        }


def _blocks(params: BlockParams, frames: int) -> float:
    blocks = nn.ModuleList(HybridBlock(D_MODEL, params) for _ in range(BLOCKS)).eval()
    valid = torch.ones(1, dtype=torch.bool)
    states: list[Memory | None] = [None] * BLOCKS
    times = []
    for _ in range(params.chunk_frames + frames):
        x = torch.randn(1, D_MODEL)
        started = time.process_time()
        for i, block in enumerate(blocks):
            assert isinstance(block, HybridBlock)
            x, states[i] = block.step(x, valid, states[i])
        times.append(time.process_time() - started)
    return _median_ms(times[params.chunk_frames :])


def _model(model: DAMamba, frames: int) -> float:
    shape = (1, PARTICIPANTS, 1)
    valid = {name: torch.ones(shape, dtype=torch.bool) for name in model.widths}
    present = torch.ones(shape[:2], dtype=torch.bool)
    state, times = model.stream(), []
    for _ in range(model.params.chunk_frames + frames):
        cues = {name: torch.randn(*shape, width) for group in WIDTHS.values() for name, width in group.items()}
        started = time.process_time()
        _, state = model.extend(cues, valid, present, state)
        times.append(time.process_time() - started)
    return _median_ms(times[model.params.chunk_frames :])


def _median_ms(times: list[float]) -> float:
    return round(1000 * sorted(times)[len(times) // 2], 2)
