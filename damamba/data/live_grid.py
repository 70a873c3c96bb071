"""Cues of one person on a causal grid while rows arrive: what `StreamOnGrid` and `pool` make of whole streams."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from damamba.config import LABEL_RATE_HZ, AlignParams
from damamba.data.grid import grid_lag_s, hold
from damamba.data.pooling import pool
from damamba.data.shard_writer import LARGEST_HALF


@dataclass(frozen=True)
class LiveCue:
    """A cue whose rows arrive."""

    width: int
    lookahead_s: float
    rate_hz: float
    """Nominal rate of the rows."""


class _Arrived:
    """The last rows of a cue, as far back as a frame of the grid may still use them."""

    def __init__(self, cue: LiveCue, lag_s: float) -> None:
        self.cue, self._delay_s = cue, cue.lookahead_s + lag_s
        self.known_s, self.x, self.valid = np.empty(0), np.empty((0, cue.width), np.float32), np.empty(0, bool)

    def add(self, t_s: np.ndarray, x: np.ndarray, valid: np.ndarray) -> None:
        self.known_s = np.concatenate([self.known_s, t_s + self._delay_s])
        self.x, self.valid = np.concatenate([self.x, x]), np.concatenate([self.valid, valid])

    def forget_before(self, grid_s: float) -> None:
        """Drop the rows that no frame from `grid_s` on uses: all but the last one before it."""
        kept = max(int(np.searchsorted(self.known_s, grid_s, side="right")) - 1, 0)
        self.known_s, self.x, self.valid = self.known_s[kept:], self.x[kept:].copy(), self.valid[kept:]


class LiveGrid:
    """Frames of a model from rows that arrive, one label after the other; memory does not grow.

    Args:
        cues: By name.
        params: Of the grid that the model was trained on; causal.
        rate_hz: Frames a second that the model runs at, 25 or more.
    """

    def __init__(self, cues: Mapping[str, LiveCue], params: AlignParams, rate_hz: int) -> None:
        self._params, self._pool = params, params.rate_hz // rate_hz
        self._rows = params.rate_hz // LABEL_RATE_HZ
        self._arrived = {name: _Arrived(cue, grid_lag_s(params.rate_hz)) for name, cue in cues.items()}

    def add(self, cue: str, t_s: np.ndarray, x: np.ndarray, valid: np.ndarray) -> None:
        """The next rows of a cue: (n,) times, (n, D) values, (n,) mask."""
        if len(t_s):
            self._arrived[cue].add(t_s, x, valid)

    def label(self, number: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Cue -> (K, D) float32 and (K,) mask of the K frames of a label; labels are taken in increasing order."""
        grid_s = np.arange(number * self._rows, (number + 1) * self._rows) / self._params.rate_hz
        frames = {}
        for name, arrived in self._arrived.items():
            arrived.forget_before(grid_s[0])
            x, valid = hold(
                arrived.known_s, arrived.x, arrived.valid, grid_s, self._params.max_gap_s, arrived.cue.rate_hz
            )
            frames[name] = pool(_as_stored(x, valid), valid, self._pool)
        return frames


def _as_stored(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """With the precision of shards, on which the model was trained."""
    largest = float(np.abs(x).max(where=valid[:, None], initial=0))
    return x.astype(np.float16) if largest < LARGEST_HALF else x
