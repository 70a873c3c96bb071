"""Frames of the grid from a stream on disk, without reading all of it."""

import numpy as np

from damamba.config import AlignParams
from damamba.data.grid import grid_lag_s, hold, last_known, resample
from damamba.data.shard_writer import Piece
from damamba.streams.reader import StoredStream


class StreamOnGrid:
    """A stream on the grid, piece by piece; equals `resample` or, on a causal grid, `hold` of the whole stream."""

    def __init__(self, stream: StoredStream, params: AlignParams) -> None:
        """Put `stream` on the grid; raises ValueError where the grid is causal and the stream's lookahead unbounded."""
        self._stream, self._params = stream, params
        self._valid_rows = np.flatnonzero(stream.valid)
        if params.causal:
            if stream.lookahead_s is None:
                raise ValueError("a causal grid takes no stream that depends on its whole recording")
            self._known_s = stream.t_s + (stream.lookahead_s + grid_lag_s(params.rate_hz))
            """(N,) times of the grid from which the rows may be used."""

    def frames(self, first: int, stop: int) -> Piece:
        """Frames [first, stop) of the grid."""
        stream = self._stream
        grid_s = np.arange(first, stop) / self._params.rate_hz
        if self._params.causal:
            return self._held(grid_s)
        a, b = self._rows_around(grid_s)
        t_s, x, valid = stream.t_s[a:b], stream.rows(a, b), stream.valid[a:b]
        if valid.all() and np.array_equal(t_s, grid_s):
            return x, valid  # the stream has the grid's rate: interpolation would only copy
        return resample(t_s, x, valid, grid_s, self._params.max_gap_s, stream.rate_hz)

    def _held(self, grid_s: np.ndarray) -> Piece:
        stream, last = self._stream, last_known(self._known_s, grid_s[[0, -1]] if len(grid_s) else grid_s)
        a, b = (max(int(last[0]), 0), int(last[1]) + 1) if len(last) else (0, 0)
        params = self._params
        return hold(self._known_s[a:b], stream.rows(a, b), stream.valid[a:b], grid_s, params.max_gap_s, stream.rate_hz)

    def _rows_around(self, grid_s: np.ndarray) -> tuple[int, int]:
        """Rows from the last valid one before the piece to the first valid one after it."""
        rows = self._valid_rows
        if not len(rows) or not len(grid_s):
            return 0, 0
        t_s = self._stream.t_s[rows]
        left, right = np.searchsorted(t_s, grid_s[[0, -1]]).clip(0, len(rows) - 1)
        if t_s[left] > grid_s[0]:
            left = max(left - 1, 0)
        return int(rows[left]), int(rows[right]) + 1
