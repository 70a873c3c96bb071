"""Label files, and annotations as CSV."""

import contextlib
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["damamba.corpus"]):
    from damamba.console import InputError
    from damamba.corpus.annotation_csv import read_labels
    from damamba.corpus.annotations import read_annotation

from harness import fuzz

SEEDS = [
    b"0.5\n\nnan\n-nan(ind)\n1\n",
    b"0;1;0.5\n1;2.5;nan\n",
    b"start;value;confidence\n0;0.1;1\n0.04;0.2;1\n",
    b"\xef\xbb\xbfvalue,start,end\r\n0.5,0,1\r\n",
    b"0\t1\t0,5\t1\n1,000.5\t2,000.5\t1\t1\n",
]


def read(folder: Path) -> None:
    """Read labels of the release, then an annotation."""
    path = folder / "a.csv"
    with contextlib.suppress(InputError):
        labels = read_labels(path)
        assert np.isfinite(labels.value[labels.valid]).all()
    annotation = read_annotation(path)
    assert ((annotation.value[annotation.valid] >= 0) & (annotation.value[annotation.valid] <= 1)).all()


if __name__ == "__main__":
    fuzz(read, ["a.csv"], [[seed] for seed in SEEDS])
