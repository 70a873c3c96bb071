"""Rows and samples that are collected one after the other; beyond a few MB they wait on the disk, not in memory."""

import tempfile
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

MOST_BYTES = 16 << 20
"""Rows that are kept in memory."""


class _File:
    """A file without a name, closed and gone with the last of its readers."""

    def __init__(self) -> None:
        self.open: IO[bytes] = tempfile.TemporaryFile(prefix="damamba-")  # noqa: SIM115 (it outlives this call)

    def __del__(self) -> None:
        self.open.close()


class SpooledRows:
    """Collects float32 rows of a width, or samples without one."""

    def __init__(self, width: int | None) -> None:
        """Start without rows; `width` is None for samples, which are rows without a second axis."""
        self._shape = () if width is None else (width,)
        self.n = 0
        self._pieces: list[np.ndarray] = []
        self._file: _File | None = None
        self._held = 0

    def append(self, rows: np.ndarray) -> None:
        """Add (n, width) rows, or (n,) samples."""
        piece = np.ascontiguousarray(rows, np.float32)
        if piece.shape[1:] != self._shape:
            raise ValueError(f"rows have shape {piece.shape}, expected (n, *{self._shape})")
        self.n += len(piece)
        self._pieces.append(piece)
        self._held += piece.nbytes
        if self._held > MOST_BYTES:
            self._file = self._file or _File()
            for held in self._pieces:
                self._file.open.write(held.data)
            self._pieces, self._held = [], 0

    def pad(self, n: int) -> None:
        """Add rows of NaN until there are `n`."""
        for first in range(self.n, n, 1000):
            self.append(np.full((min(1000, n - first), *self._shape), np.nan, np.float32))

    def place(self, numbers: Sequence[int], rows: np.ndarray) -> None:
        """Put rows at places after all others, in increasing order; those between are NaN."""
        for number, row in zip(numbers, rows, strict=True):
            self.pad(number)
            self.append(row[None])

    def blank(self) -> None:
        """Replace every row by NaN."""
        n, self.n, self._pieces, self._held = self.n, 0, [], 0
        self._file = None
        self.pad(n)

    def rows(self) -> "np.ndarray | RowsOnDisk":
        """All rows: an array, or what reads like one from the disk."""
        if self._file is None:
            return np.concatenate([np.empty((0, *self._shape), np.float32), *self._pieces])
        for held in self._pieces:
            self._file.open.write(held.data)
        self._pieces, self._held = [], 0
        self._file.open.flush()
        return RowsOnDisk(self._file, (self.n, *self._shape))


class RowsOnDisk:
    """(n, width) float32 rows or (n,) samples in a file, of which a slice is read at a time; other uses read all."""

    dtype = np.dtype(np.float32)

    def __init__(self, file: _File, shape: tuple[int, ...]) -> None:
        self._file = file
        self.shape = shape

    @property
    def ndim(self) -> int:
        """Axes."""
        return len(self.shape)

    def first(self, n: int) -> "RowsOnDisk":
        """The first n rows."""
        return RowsOnDisk(self._file, (min(n, len(self)), *self.shape[1:]))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if not isinstance(index, slice) or index.step not in (None, 1):
            return np.asarray(self)[index]
        first, stop, _ = index.indices(len(self))
        row_bytes = int(np.prod(self.shape[1:], dtype=int)) * self.dtype.itemsize
        self._file.open.seek(first * row_bytes)
        content = self._file.open.read(max(stop - first, 0) * row_bytes)
        return np.frombuffer(content, self.dtype).reshape(-1, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=bool(copy))
