"""SSI streams."""

import tempfile
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["damamba.corpus"]):
    from damamba.corpus.ssi import read_stream, write_stream

from harness import fuzz


def read(folder: Path) -> None:
    """Open the stream and read its last rows."""
    stream = read_stream(folder / "a.stream")
    assert stream.rows <= stream.declared_rows <= 2 * stream.rows + 1
    x, valid = stream.read(max(stream.declared_rows - 100, 0))
    assert x.shape == (len(valid), stream.width)
    assert np.isfinite(x[valid]).all()


def seeds() -> list[list[bytes]]:
    """Good streams of several types."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.stream"
        for kind, file_type, chunks in (
            ("<f4", "BINARY", None),
            ("<f4", "ASCII", [(0.0, 3), (2.0, 5)]),
            ("<f8", "BINARY", [(0.0, 3), (2.0, 5)]),
            ("<i2", "ASCII", None),
            ("|b1", "ASCII", None),
        ):
            write_stream(path, np.arange(24).reshape(8, 3).astype(kind), 25, file_type=file_type, chunks=chunks)
            files.append([path.read_bytes(), path.with_name("a.stream~").read_bytes()])
    return files


if __name__ == "__main__":
    fuzz(read, ["a.stream", "a.stream~"], seeds())
