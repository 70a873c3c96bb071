"""Write a participant's shard; `damamba.data.shards` describes the files and reads them.

It is a module of its own, because the key of every shard hashes it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.data.moments import ChannelMoments
from damamba.files import BLANK_SEAL, whole_file

SCHEMA = 1
ROWS_A_BATCH = 6000  # a minute at 100 Hz: frames that a writer or an exchange reader has in memory
LARGEST_HALF = 60_000.0
"""A cue with larger values is stored in single precision."""
Piece = tuple[np.ndarray, np.ndarray]
"""(K, D) values with NaN where not valid, and the (K,) mask."""


def write_shard(path: Path, cues: Mapping[str, Piece], key: str) -> None:
    """Write a participant's Arrow and Parquet files from whole arrays; see `write_shard_in_pieces`."""
    n_frames = len(next(iter(cues.values()))[1])

    def piece(name: str, first: int, stop: int) -> Piece:
        x, valid = cues[name]
        return x[first:stop], valid[first:stop]

    write_shard_in_pieces(path, tuple(cues), n_frames, piece, key)


def write_shard_in_pieces(
    path: Path, cues: Sequence[str], n_frames: int, piece: Callable[[str, int, int], Piece], key: str
) -> None:
    """Write a participant's Arrow and Parquet files, `ROWS_A_BATCH` frames in memory at a time.

    `piece` is called twice for every piece, since the schema, which comes first in the file, has the type and the
    moments of each cue.

    Args:
        path: Path without suffix.
        cues: Names.
        n_frames: Rows of the shard.
        piece: Maps (cue, first, stop) to the frames [first, stop) of the cue.
        key: Hash of all that the shard depends on.
    """
    bounds = [(first, min(first + ROWS_A_BATCH, n_frames)) for first in range(0, n_frames, ROWS_A_BATCH)]
    metadata: dict[str, str | bytes] = {"schema": str(SCHEMA), "key": key, "seal": BLANK_SEAL}
    fields: list[pa.Field] = []
    for name in cues:
        moments, largest = _survey(piece(name, first, stop) for first, stop in bounds or [(0, 0)])
        kind = pa.float16() if largest < LARGEST_HALF else pa.float32()
        fields += [pa.field(name, pa.list_(kind, len(moments.mean))), pa.field(f"{name}.valid", pa.bool_())]
        metadata[f"moments.{name}"] = np.concatenate([[moments.n], moments.mean, moments.m2]).tobytes()
    schema = pa.schema(fields, metadata)
    with (
        whole_file(path.with_name(f"{path.name}.parquet"), sealed=True) as for_exchange,  # a name may have a dot
        whole_file(path.with_name(f"{path.name}.arrow"), sealed=True) as for_training,
        pq.ParquetWriter(
            for_exchange,
            schema,
            compression="zstd",
            use_dictionary=False,  # numbers hardly repeat
            write_statistics=False,
            write_page_checksum=True,
        ) as parquet,
        pa.OSFile(str(for_training), "wb") as sink,
        pa.ipc.new_file(sink, schema) as arrow,
    ):
        for first, stop in bounds:
            columns = (_columns(*piece(name, first, stop), schema.field(name).type) for name in cues)
            batch = pa.RecordBatch.from_arrays(list(chain.from_iterable(columns)), schema=schema)
            parquet.write_batch(batch, row_group_size=ROWS_A_BATCH)
            arrow.write_batch(batch)


def _survey(pieces: Iterable[Piece]) -> tuple[ChannelMoments, float]:
    """Moments and largest magnitude of a cue, which the schema needs before the first row is written."""
    moments: list[ChannelMoments] = []
    largest = 0.0
    for x, valid in pieces:
        moments.append(ChannelMoments.of(x, valid))
        largest = max(largest, float(np.abs(x).max(where=valid[:, None], initial=0)))
    return reduce(ChannelMoments.__add__, moments), largest


def _columns(x: np.ndarray, valid: np.ndarray, kind: pa.FixedSizeListType) -> tuple[pa.Array, pa.Array]:
    flat = np.ascontiguousarray(x, kind.value_type.to_pandas_dtype()).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), kind.list_size), pa.array(valid)
