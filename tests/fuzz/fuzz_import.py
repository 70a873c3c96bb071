"""Feature files of other programs: tables and JSON."""

from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["damamba.importing"]):
    from damamba.importing.feature_file import ReadOptions
    from damamba.importing.read import formats, read_file
    from damamba.importing.rows import FACES, Timing, on_clock, people

from harness import fuzz

from damamba.console import InputError


def read(folder: Path) -> None:
    """Read both files as far as a stream of each person."""
    refused = None
    for name in ("a.csv", "a.json"):
        try:
            for face, rows in people(read_file(folder / name, ReadOptions()), FACES):
                stream = on_clock(rows, Timing(), face).stream
                assert np.isfinite(stream.x[stream.valid]).all()
        except InputError as error:
            refused = error
    if refused:
        raise refused


SEEDS = [
    [b"frame, face_id, timestamp, confidence, success, AU01_r\n1, 0, 0.0, 0.9, 1, 2\n2, 0, 0.04, 0.9, 0, 3\n", b"[{}]"],
    [b"@relation x\n@attribute frameTime numeric\n@attribute u numeric\n@data\n0,1\n1,?\n", b'{"frames": []}'],
    [
        b"time;u\n0;1,5\n1;2,5\n",
        b'[{"t": 1, "face_blendshapes": [[{"category_name": "a", "score": 1}]]}, {"t": 2, "face_blendshapes": []}]',
    ],
]

if __name__ == "__main__":
    formats()  # imports them
    fuzz(read, ["a.csv", "a.json"], SEEDS)
