"""The true engagement and channels of a participant, from which labels and media are made."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ
from damamba.files import whole_file

SCHEMA = 1


def write_truth(path: Path, engagement: np.ndarray, channels: dict[str, np.ndarray]) -> None:
    """Write ``<participant>.parquet``: ``t_s``, ``engagement`` and every channel; row k is at k / 25 s."""
    columns = {"t_s": pa.array(np.arange(len(engagement)) / LABEL_RATE_HZ)}
    for name, track in {"engagement": engagement, **channels}.items():
        columns[name] = pa.array(track if track.dtype == bool else track.astype(np.float32))
    metadata = {"damamba": json.dumps({"schema": SCHEMA, "rate_hz": LABEL_RATE_HZ})}
    with whole_file(path) as temporary:
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), temporary, compression="zstd")


def read_truth(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The named columns at 25 Hz, each (T,)."""
    table = pq.read_table(path, columns=list(names))
    return {name: table[name].to_numpy() for name in names}
