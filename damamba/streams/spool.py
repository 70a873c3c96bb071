"""Rows of a stream that are collected one after the other; beyond a few MB they wait on the disk, not in memory."""

import tempfile
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

MOST_BYTES = 16 << 20
"""Rows that are kept in memory."""


class SpooledRows:
    """Collects (n, width) float32 rows."""

    def __init__(self, width: int) -> None:
        self.width, self._n = width, 0
        self._pieces: list[np.ndarray] = []
        self._file: IO[bytes] | None = None
        self._held = 0

    def append(self, rows: np.ndarray) -> None:
        """Add (n, width) rows."""
        piece = np.ascontiguousarray(rows, np.float32)
        if piece.ndim != 2 or piece.shape[1] != self.width:
            raise ValueError(f"rows have shape {piece.shape}, expected (n, {self.width})")
        self._n += len(piece)
        self._pieces.append(piece)
        self._held += piece.nbytes
        if self._held > MOST_BYTES:
            self._file = self._file or tempfile.TemporaryFile(prefix="damamba-")  # noqa: SIM115 (it outlives this call)
            for held in self._pieces:
                self._file.write(held.data)
            self._pieces, self._held = [], 0

    def pad(self, n: int) -> None:
        """Add rows of NaN until there are `n`."""
        for first in range(self._n, n, 1000):
            self.append(np.full((min(1000, n - first), self.width), np.nan, np.float32))

    def place(self, numbers: Sequence[int], rows: np.ndarray) -> None:
        """Put rows at places after all others, in increasing order; those between are NaN."""
        for number, row in zip(numbers, rows, strict=True):
            self.pad(number)
            self.append(row[None])

    def blank(self) -> None:
        """Replace every row by NaN."""
        n, self._n, self._pieces, self._held = self._n, 0, [], 0
        if self._file is not None:
            self._file.close()
            self._file = None
        self.pad(n)

    def rows(self) -> "np.ndarray | RowsOnDisk":
        """All rows: an array, or what reads like one from the disk."""
        if self._file is None:
            return np.concatenate([np.empty((0, self.width), np.float32), *self._pieces])
        for held in self._pieces:
            self._file.write(held.data)
        self._pieces, self._held = [], 0
        self._file.flush()
        return RowsOnDisk(self._file, self._n, self.width)


class RowsOnDisk:
    """(n, width) float32 rows in a file, of which a slice is read at a time; other uses read all of them."""

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, file: IO[bytes], n: int, width: int) -> None:
        self._file = file
        self.shape = (n, width)

    def first(self, n: int) -> "RowsOnDisk":
        """The first n rows."""
        return RowsOnDisk(self._file, min(n, len(self)), self.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if not isinstance(index, slice) or index.step not in (None, 1):
            return np.asarray(self)[index]
        first, stop, _ = index.indices(len(self))
        self._file.seek(first * self.shape[1] * self.dtype.itemsize)
        content = self._file.read(max(stop - first, 0) * self.shape[1] * self.dtype.itemsize)
        return np.frombuffer(content, self.dtype).reshape(-1, self.shape[1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=bool(copy))
