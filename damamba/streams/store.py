"""Feature streams on disk: ``<cue>/<corpus>/<session>/<participant>.parquet``.

Columns are ``t_s`` float64, ``valid`` bool, ``score`` float32, ``x`` fixed_size_list<float32>[D]. The file's metadata
describes the stream, as JSON under ``damamba``, and holds the seal. The same stream gives the same bytes.

`damamba.streams.reader` reads them. It is a module of its own, because the key of every stream hashes this one.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.files import BLANK_SEAL, check_seal, whole_file
from damamba.streams.stream import FeatureStream

SCHEMA = 1
ROWS_A_GROUP = 3000  # 2 min of video, so that reading a piece does not decode a whole session


def write_stream(path: Path, stream: FeatureStream) -> None:
    """Write a stream, one row group in memory at a time; the file is complete or not there."""
    described = {
        "schema": SCHEMA,
        "rate_hz": stream.rate_hz,
        "width": stream.width,
        "channels": stream.channels,
        "extractor": stream.extractor,
        "checkpoint": stream.checkpoint,
        "revision": stream.revision,
        "key": stream.key,
        "lookahead_s": stream.lookahead_s,
        "note": stream.note,
    }
    columns = {"t_s": pa.float64(), "valid": pa.bool_(), "score": pa.float32()}
    schema = pa.schema(
        [*columns.items(), ("x", pa.list_(pa.float32(), stream.width))],
        {"damamba": json.dumps(described), "seal": BLANK_SEAL},
    )
    with (
        whole_file(path, sealed=True) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            use_dictionary=False,  # numbers hardly repeat
            write_statistics=False,
            write_page_checksum=True,
        ) as writer,
    ):
        for first in range(0, len(stream.t_s), ROWS_A_GROUP):
            rows = slice(first, first + ROWS_A_GROUP)
            arrays = [pa.array(getattr(stream, name)[rows], kind) for name, kind in columns.items()]
            flat = pa.array(np.ascontiguousarray(stream.x[rows], np.float32).reshape(-1))
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=schema.field("x").type))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROWS_A_GROUP)


def describe(path: Path) -> dict[str, Any] | None:
    """Description of the stream in a file's metadata; None where there is no undamaged file of this schema."""
    try:
        check_seal(path)
        metadata = pq.read_schema(path).metadata or {}
        described = json.loads(metadata[b"damamba"])
    except (FileNotFoundError, pa.ArrowInvalid, OSError, KeyError, ValueError):
        return None
    return described if described.get("schema") == SCHEMA else None
