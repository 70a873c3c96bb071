"""Whether two runs of the pipeline left the same artefacts: python benchmarks/artefacts.py BEFORE AFTER.

For a change that moves code and must not change a number. Compares everything below ``data/``: Parquet and Arrow files
by their columns and metadata, the key of a shard aside, which names the code; weights, predictions, labels and media by
their bytes; of a model's description what training decided. Exit code 1 where anything differs.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FOLDERS = ("raw", "corpus", "faces", "features", "aligned", "models", "predictions")
DECIDED = ("cues", "rate_hz", "variant", "seed", "window", "step", "validation")
"""Keys of a model's description that depend on data and training, not on how parameters are named."""

UNEQUAL = ("sha256", "seal", "schema")
"""Keys of the index of shards that hold hashes of files that hold keys."""


def columns(table: pa.Table) -> bytes:
    """Schema and values, NaN by their bits, without metadata."""
    sink = pa.BufferOutputStream()
    plain = table.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(sink, plain.schema) as stream:
        stream.write_table(plain)
    return sink.getvalue().to_pybytes()


def described(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """Metadata of a table without its key."""
    found: dict[str, Any] = {
        name.decode(): value for name, value in (metadata or {}).items() if name not in (b"key", b"seal")
    }
    if "damamba" in found:
        found["damamba"] = {name: value for name, value in json.loads(found["damamba"]).items() if name != "key"}
    return {name: value for name, value in found.items() if not name.startswith("ARROW:")}


def content(path: Path) -> object:
    """What must be equal of a file."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return hashlib.sha256(columns(table)).hexdigest(), described(table.schema.metadata)
    if path.suffix == ".arrow":
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return hashlib.sha256(columns(table)).hexdigest(), described(table.schema.metadata)
    if path.name == "model.json":
        description = json.loads(path.read_text(encoding="utf8"))
        return {name: description.get(name) for name in DECIDED}
    if path.name == "index.json":
        return {name: value for name, value in json.loads(path.read_text()).items() if name not in UNEQUAL}
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(root: Path) -> dict[str, Path]:
    """Artefacts below ``data``, markers with keys aside."""
    found = (path for folder in FOLDERS for path in (root / "data" / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): path
        for path in found
        if not path.name.startswith(".") and not path.name.endswith("session.json")
    }


def main() -> None:
    """Compare, print what differs, and a count by folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="repository in which the pipeline has run")
    parser.add_argument("after", type=Path, help="another")
    options = parser.parse_args()
    before, after = files(options.before), files(options.after)
    lines = [f"only in {options.before}: {name}" for name in sorted(before.keys() - after.keys())]
    lines += [f"only in {options.after}: {name}" for name in sorted(after.keys() - before.keys())]
    both = sorted(before.keys() & after.keys())
    lines += [f"differs: {name}" for name in both if content(before[name]) != content(after[name])]
    print("\n".join(lines[:50]))
    counts = Counter(name.split("/")[1] for name in both)
    print(", ".join(f"{folder} {counts[folder]}" for folder in FOLDERS) + f" files compared; {len(lines)} differ")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
