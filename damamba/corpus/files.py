"""Files that are whole or absent: write beside, flush to disk, rename."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name `path` when the block ends well, else it goes.

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
    """Write `content` whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
