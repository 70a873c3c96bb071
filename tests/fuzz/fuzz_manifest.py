"""Manifests of own recordings."""

from pathlib import Path

import atheris

with atheris.instrument_imports(include=["damamba.corpus"]):
    from damamba.corpus.manifest_csv import COLUMNS, read_csv

from harness import fuzz

HEADER = ",".join(COLUMNS)
SEEDS = [
    f"{HEADER}\ns1,a,host,train,en,p1,manifest.csv,,manifest.csv\ns1,b,guest,train,en,p2,manifest.csv,manifest.csv,\n",
    f'corpus,{HEADER}\r\nown,s1,a,host,test,"d""e",p1,./manifest.csv,,../x\r\n',
    f"sep=,\n{HEADER}\ns1,a,host,train,en,p1,manifest.csv,,\n",
]


def read(folder: Path) -> None:
    """Read all rows; the only file that they can name is the manifest."""
    for row in read_csv(folder, "manifest.csv", "own"):
        assert (folder / "manifest.csv").samefile(row.video)


if __name__ == "__main__":
    fuzz(read, ["manifest.csv"], [[seed.encode()] for seed in SEEDS])
