"""Feature streams on disk: ``<cue>/<corpus>/<session>/<participant>.parquet``.

Columns ``t_s`` float64, ``valid`` bool, ``score`` float32, ``x`` fixed_size_list<float32>[D]; what describes the
stream stands in the file's metadata under ``damamba`` as JSON. Pages carry checksums. Same stream, same bytes.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.console import InputError
from damamba.files import whole_file
from damamba.streams.stream import FeatureStream

SCHEMA = 1
ROWS_A_GROUP = 3000  # 2 min of video: a reader of a piece need not decode a session


def write_stream(path: Path, stream: FeatureStream) -> None:
    """Write whole or not at all."""
    flat = pa.array(np.ascontiguousarray(stream.x, np.float32).reshape(-1))
    table = pa.table(
        {
            "t_s": pa.array(stream.t_s, pa.float64()),
            "valid": pa.array(stream.valid, pa.bool_()),
            "score": pa.array(stream.score, pa.float32()),
            "x": pa.FixedSizeListArray.from_arrays(flat, stream.width),
        }
    )
    described = {
        "schema": SCHEMA,
        "rate_hz": stream.rate_hz,
        "width": stream.width,
        "channels": stream.channels,
        "extractor": stream.extractor,
        "checkpoint": stream.checkpoint,
        "revision": stream.revision,
        "key": stream.key,
    }
    table = table.replace_schema_metadata({"damamba": json.dumps(described)})
    with whole_file(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            row_group_size=ROWS_A_GROUP,
            use_dictionary=False,  # numbers hardly repeat
            write_statistics=False,
            write_page_checksum=True,
        )


def describe(path: Path) -> dict[str, Any] | None:
    """What the file says of itself, or None where there is no readable file of this schema."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        described = json.loads(metadata[b"damamba"])
    except (FileNotFoundError, pa.ArrowInvalid, OSError, KeyError, ValueError):
        return None
    return described if described.get("schema") == SCHEMA else None


class StoredStream:
    """A stream on disk, read in pieces: times and mask are held, values are decoded a row group at a time.

    Use it as a context manager.
    """

    def __init__(self, path: Path, remedy: str) -> None:
        """Open; raises `InputError` as `read_stream`."""
        self._path, self._remedy = path, remedy
        with _readable(self._path, self._remedy):
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            described = json.loads(self._file.schema_arrow.metadata[b"damamba"])
            if described["schema"] != SCHEMA:
                raise InputError(f"{path}: schema {described['schema']}, expected {SCHEMA}; make it again: {remedy}")
            self.rate_hz: float = described["rate_hz"]
            self.width: int = described["width"]
            small = self._file.read(columns=["t_s", "valid"])
            self.t_s = small["t_s"].to_numpy()
            """(N,) s."""
            self.valid = small["valid"].to_numpy()
            """(N,) bool."""
        groups = [self._file.metadata.row_group(i).num_rows for i in range(self._file.metadata.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(groups)]).astype(int)
        self._held: tuple[int, np.ndarray] | None = None

    def __enter__(self) -> "StoredStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def rows(self, first: int, stop: int) -> np.ndarray:
        """(stop - first, D) values; raises `InputError` where the file is damaged."""
        pieces = [np.empty((0, self.width), np.float32)]
        for group in range(len(self._starts) - 1):
            start, end = self._starts[group], self._starts[group + 1]
            if start < stop and first < end:
                pieces.append(self._group(group)[max(first - start, 0) : stop - start])
        return pieces[1] if len(pieces) == 2 else np.concatenate(pieces)

    def _group(self, group: int) -> np.ndarray:
        """Values of a row group; the last one is kept, since readers go forward."""
        if self._held is None or self._held[0] != group:
            self._held = None
            with _readable(self._path, self._remedy):
                column = self._file.read_row_group(group, columns=["x"])["x"]
            self._held = (group, _values(column, self.width))
        return self._held[1]


def _values(column: pa.ChunkedArray, width: int) -> np.ndarray:
    """(N, D) of a column of lists."""
    x = column.combine_chunks()
    flat = x.flatten() if isinstance(x, pa.FixedSizeListArray) else x.chunk(0).flatten()
    return flat.to_numpy().reshape(-1, width)


@contextmanager
def _readable(path: Path, remedy: str) -> Iterator[None]:
    """Turn what a missing or damaged file raises into one line."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {remedy}") from None
    except (pa.ArrowInvalid, OSError, KeyError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: damaged ({reason}); remove it and make it again: rm {path} && {remedy}") from None


def read_stream(path: Path, remedy: str) -> FeatureStream:
    """Read and verify.

    Args:
        path: File of `write_stream`.
        remedy: Command that makes the file again, for the message.

    Raises:
        InputError: The file is missing or damaged.
    """
    with _readable(path, remedy):
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
        )
