"""Annotations of SSI and NOVA."""

import tempfile
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["damamba.corpus"]):
    from damamba.corpus.annotations import read_annotation
    from damamba.corpus.ssi_annotation import (
        ROW_DTYPES,
        Scheme,
        SsiAnnotation,
        read_ssi_annotation,
        write_ssi_annotation,
    )

from harness import fuzz


def read(folder: Path) -> None:
    """Read the rows, then engagement from them."""
    read_ssi_annotation(folder / "a.annotation")
    annotation = read_annotation(folder / "a.annotation")
    assert ((annotation.value[annotation.valid] >= 0) & (annotation.value[annotation.valid] <= 1)).all()
    assert (annotation.start_s < annotation.end_s).all()


def seeds() -> list[list[bytes]]:
    """One of each scheme and file type."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.annotation"
        for scheme, rows in (
            (Scheme("e", "CONTINUOUS", 25.0), [(0.5, 1), (np.nan, 0.5), (1, 1)]),
            (Scheme("e", "DISCRETE", classes={0: "0.5", 1: "1"}), [(0, 1, 0, 1), (1, 2.5, 1, 0.5), (3, 4, -1, 1)]),
            (Scheme("e", "FREE"), [(0, 1, "0.5", 1), (1, 2.5, "ü", 0.5)]),
        ):
            for file_type in ("ASCII", "BINARY"):
                table = np.array(rows, ROW_DTYPES[scheme.type])
                write_ssi_annotation(path, SsiAnnotation(scheme, table, "expert", "gold", file_type))
                files.append([path.read_bytes(), path.with_name("a.annotation~").read_bytes()])
    return files


if __name__ == "__main__":
    fuzz(read, ["a.annotation", "a.annotation~"], seeds())
