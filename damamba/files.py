"""Files: write them atomically, hash their content, remove those that are no longer wanted."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which replaces `path` if the block succeeds and is removed if it raises.

    An existing file is replaced, never opened for writing: DVC's cache may be linked to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to a file, which is complete or not there."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def sha256(path: Path) -> str:
    """Hash of a file's content, or of the names and contents of all files in a folder."""
    if path.is_dir():
        digest = hashlib.sha256()
        for inner in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{inner.relative_to(path).as_posix()}:{sha256(inner)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def prune(folder: Path, keep: set[Path]) -> list[Path]:
    """Remove every file below `folder` that is not in `keep`, and empty folders; returns the removed files."""
    removed = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in keep]
    for path in removed:
        path.unlink()
    for inner in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if not any(inner.iterdir()):
            inner.rmdir()
    return removed
