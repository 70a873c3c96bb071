"""Read the feature streams that `damamba.streams.store` writes, whole or in pieces."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.console import InputError
from damamba.files import check_seal
from damamba.streams.store import SCHEMA
from damamba.streams.stream import FeatureStream


class StoredStream:
    """A stream on disk, read in pieces: times and mask are in memory, values are decoded one row group at a time.

    Use it as a context manager.
    """

    def __init__(self, path: Path, remedy: str) -> None:
        """Open a file; arguments and errors as of `read_stream`."""
        self._path, self._remedy = path, remedy
        with _readable(self._path, self._remedy):
            check_seal(path)
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            described = json.loads(self._file.schema_arrow.metadata[b"damamba"])
            if described["schema"] != SCHEMA:
                raise InputError(f"{path}: schema {described['schema']}, expected {SCHEMA}; make it again: {remedy}")
            self.rate_hz: float = described["rate_hz"]
            self.width: int = described["width"]
            self.lookahead_s: float | None = described.get("lookahead_s")
            """See `FeatureStream`."""
            self.note: str = described.get("note", "")
            """What was lost or repaired on the way; "" if nothing was."""
            small = self._file.read(columns=["t_s", "valid", "score"])
            self.t_s = small["t_s"].to_numpy()
            """(N,) s."""
            self.valid = small["valid"].to_numpy()
            """(N,) bool."""
            self.score = small["score"].to_numpy()
            """(N,) float32."""
        groups = [self._file.metadata.row_group(i).num_rows for i in range(self._file.metadata.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(groups)]).astype(int)
        self._last: tuple[int, np.ndarray] | None = None
        """Number and values of the row group that was decoded last."""

    def __enter__(self) -> "StoredStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def rows(self, first: int, stop: int) -> np.ndarray:
        """(stop - first, D) values of the rows [first, stop); raises `InputError` where the file is damaged."""
        pieces = [np.empty((0, self.width), np.float32)]
        for group in range(len(self._starts) - 1):
            start, end = self._starts[group], self._starts[group + 1]
            if start < stop and first < end:
                pieces.append(self._group(group)[max(first - start, 0) : stop - start])
        return pieces[1] if len(pieces) == 2 else np.concatenate(pieces)

    def _group(self, group: int) -> np.ndarray:
        """Values of a row group; only the last one stays in memory, since rows are read in order."""
        if self._last is None or self._last[0] != group:
            self._last = None
            with _readable(self._path, self._remedy):
                column = self._file.read_row_group(group, columns=["x"])["x"]
            self._last = (group, _values(column, self.width))
        return self._last[1]


def _values(column: pa.ChunkedArray, width: int) -> np.ndarray:
    """(N, D) array of a column of lists."""
    if not len(column):
        return np.empty((0, width), np.float32)
    x = column.combine_chunks()
    flat = x.flatten() if isinstance(x, pa.FixedSizeListArray) else x.chunk(0).flatten()
    return flat.to_numpy().reshape(-1, width)


@contextmanager
def _readable(path: Path, remedy: str) -> Iterator[None]:
    """Turn the errors of a missing or damaged file into one line."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {remedy}") from None
    except (pa.ArrowInvalid, OSError, KeyError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: damaged ({reason}); remove it and make it again: rm {path} && {remedy}") from None


def read_stream(path: Path, remedy: str) -> FeatureStream:
    """Read a stream and verify its checksums.

    Args:
        path: File written by `write_stream`.
        remedy: Command that makes the file again, for messages.

    Raises:
        InputError: The file is missing or damaged.
    """
    with _readable(path, remedy):
        check_seal(path)
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        described = json.loads(table.schema.metadata[b"damamba"])
        if described["schema"] != SCHEMA:
            raise InputError(f"{path}: schema {described['schema']}, expected {SCHEMA}; make it again: {remedy}")
        return FeatureStream(
            t_s=table["t_s"].to_numpy(),
            x=_values(table["x"], described["width"]),
            valid=table["valid"].to_numpy(),
            score=table["score"].to_numpy(),
            rate_hz=described["rate_hz"],
            channels=tuple(described["channels"]),
            extractor=described["extractor"],
            checkpoint=described["checkpoint"],
            revision=described["revision"],
            key=described["key"],
            lookahead_s=described.get("lookahead_s"),
            note=described.get("note", ""),
        )
