"""Feature streams on disk: ``<cue>/<corpus>/<session>/<participant>.parquet``.

Columns ``t_s`` float64, ``valid`` bool, ``score`` float32, ``x`` fixed_size_list<float32>[D]; what describes the
stream stands in the file's metadata under ``damamba`` as JSON. Pages carry checksums. Same stream, same bytes.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.console import InputError
from damamba.features.files import whole_file
from damamba.features.stream import FeatureStream

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
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROWS_A_GROUP, write_page_checksum=True)


def describe(path: Path) -> dict[str, object] | None:
    """What the file says of itself, or None where there is no readable file of this schema."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        described = json.loads(metadata[b"damamba"])
    except (FileNotFoundError, pa.ArrowInvalid, OSError, KeyError, ValueError):
        return None
    return described if described.get("schema") == SCHEMA else None


def read_stream(path: Path, remedy: str) -> FeatureStream:
    """Read and verify.

    Args:
        path: File of `write_stream`.
        remedy: Command that makes the file again, for the message.

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        described = json.loads(table.schema.metadata[b"damamba"])
        if described["schema"] != SCHEMA:
            raise InputError(f"{path}: schema {described['schema']}, expected {SCHEMA}; make it again: {remedy}")
        x = table["x"].combine_chunks()
        values = x.flatten() if isinstance(x, pa.FixedSizeListArray) else x.chunk(0).flatten()
        return FeatureStream(
            t_s=table["t_s"].to_numpy(),
            x=values.to_numpy().reshape(-1, described["width"]),
            valid=table["valid"].to_numpy(),
            score=table["score"].to_numpy(),
            rate_hz=described["rate_hz"],
            channels=tuple(described["channels"]),
            extractor=described["extractor"],
            checkpoint=described["checkpoint"],
            revision=described["revision"],
            key=described["key"],
        )
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {remedy}") from None
    except (pa.ArrowInvalid, OSError, KeyError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: damaged ({reason}); remove it and make it again: rm {path} && {remedy}") from None
