"""Causal models: shards that contain the past alone, and how far scores lag behind the media."""

from collections.abc import Iterable, Mapping
from typing import TypedDict

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.data.grid import grid_lag_s
from damamba.data.shards import Aligned


class Delay(TypedDict):
    """How far the scores of a causal model lag behind the media, s; stands in ``model.json``."""

    score_s: float
    """From the time of a score's label until nothing that it depends on is still to come."""
    cues_s: dict[str, float]
    """From the time of a cue's row until the row is on the grid."""
    total_s: float
    """From the time of a row of the slowest cue until it is in a complete score."""


def require_causal(aligned: Aligned, causal: bool) -> None:
    """Raise `InputError` where the model is `causal` and the shards are not."""
    if causal and not aligned.causal:
        raise InputError(
            f"{aligned.root / 'index.json'}: the model has `causal: true`, but frames of these shards contain later "
            "rows of the cues; set align.causal: true and `causal: true` of the cues, and make them again: "
            "dvc repro align"
        )


def delay_of(aligned: Aligned, cues: Iterable[str], rate_hz: int) -> Delay:
    """Delay of a causal model.

    Args:
        aligned: Shards of a causal grid.
        cues: Cues that the model uses.
        rate_hz: Frames a second that the model runs at.
    """
    require_causal(aligned, True)
    return delay_with({name: aligned.cues[name].lookahead_s or 0.0 for name in cues}, aligned.rate_hz, rate_hz)


def delay_with(ahead: Mapping[str, float], grid_rate_hz: int, rate_hz: int) -> Delay:
    """Delay of a causal model.

    Args:
        ahead: Cue -> lookahead, s.
        grid_rate_hz: Frames a second of the grid.
        rate_hz: Frames a second that the model runs at.
    """
    lag_s = grid_lag_s(grid_rate_hz)
    score_s = _score_delay_s(rate_hz)
    return Delay(
        score_s=score_s,
        cues_s={name: round(ahead_s + lag_s, 6) for name, ahead_s in ahead.items()},
        total_s=round(max(ahead.values()) + lag_s + score_s, 6),
    )


def _score_delay_s(rate_hz: int) -> float:
    """0 where a label has a frame of its own: frames of a causal grid end at their label's time.

    A frame of n labels ends at its last label, and scores after its middle are interpolated to the next frame.
    """
    n = LABEL_RATE_HZ // rate_hz
    return (2 * n - 2 - (n - 1) // 2) / LABEL_RATE_HZ if n > 1 else 0.0
