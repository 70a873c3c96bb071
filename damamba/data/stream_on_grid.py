"""Frames of the grid from a stream on disk, without reading all of it."""

import numpy as np

from damamba.config import AlignParams
from damamba.data.grid import resample
from damamba.data.shard_writer import Piece
from damamba.streams.reader import StoredStream


class StreamOnGrid:
    """A stream on the grid, piece by piece; equals `resample` of the whole stream."""

    def __init__(self, stream: StoredStream, params: AlignParams) -> None:
        self._stream, self._params = stream, params
        self._valid_rows = np.flatnonzero(stream.valid)

    def frames(self, first: int, stop: int) -> Piece:
        """Frames [first, stop) of the grid."""
        stream = self._stream
        grid_s = np.arange(first, stop) / self._params.rate_hz
        a, b = self._rows_around(grid_s)
        t_s, x, valid = stream.t_s[a:b], stream.rows(a, b), stream.valid[a:b]
        if valid.all() and np.array_equal(t_s, grid_s):
            return x, valid  # the stream has the grid's rate: interpolation would only copy
        return resample(t_s, x, valid, grid_s, self._params.max_gap_s, stream.rate_hz)

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
