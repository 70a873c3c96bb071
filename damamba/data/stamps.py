"""Stamps of files: which of them changed since they were hashed, without reading them."""

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from damamba.files import sha256, whole_file


@dataclass(frozen=True)
class Stamp:
    """Size, time and hash of a file; while size and time stay the same, the file need not be hashed again."""

    size: int
    changed_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, known: "Stamp | None" = None) -> "Stamp":
        """Stamp of a file: `known` if size and time have not changed, else from its content."""
        stat = path.stat()
        if known and (stat.st_size, stat.st_mtime_ns) == (known.size, known.changed_ns):
            return known
        return cls(stat.st_size, stat.st_mtime_ns, sha256(path))


def read_stamps(root: Path) -> dict[str, Stamp]:
    """Stamps of files by their path below `root`; empty where they have not been written, or are damaged.

    Stamps are in a file beside `root`. DVC owns `root` and may link or copy its files, which are then hashed once more.
    """
    try:
        content = json.loads(_file(root).read_text(encoding="utf8"))
        return {name: Stamp(*stamp) for name, stamp in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_stamps(root: Path, stamps: Mapping[str, Stamp]) -> None:
    """Write the stamps that `read_stamps` reads."""
    with whole_file(_file(root)) as temporary:
        temporary.write_text(json.dumps({name: astuple(stamp) for name, stamp in stamps.items()}), encoding="utf8")


def _file(root: Path) -> Path:
    return root.with_name(f"{root.name}.stamps.json")
