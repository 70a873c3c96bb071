"""What stages do with files: write them whole, know them by their content, remove what is no longer wanted."""

import hashlib
from pathlib import Path

from damamba.corpus.files import whole_file

__all__ = ["prune", "sha256", "whole_file"]


def sha256(path: Path) -> str:
    """Content hash of a file, or of all files of a folder with their names."""
    if path.is_dir():
        digest = hashlib.sha256()
        for inner in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{inner.relative_to(path).as_posix()}:{sha256(inner)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def prune(folder: Path, keep: set[Path]) -> list[Path]:
    """Remove every file below `folder` that is not in `keep`, and folders left empty; returns what went."""
    gone = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in keep]
    for path in gone:
        path.unlink()
    for inner in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if not any(inner.iterdir()):
            inner.rmdir()
    return gone
