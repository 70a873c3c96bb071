"""Files: write them whole or not at all, recognise damage, keep what is removed, let one process at a time work.

Damage: an artefact has a seal, the sha256 of its own bytes with the digits of the seal as zeros. The writer puts
`BLANK_SEAL` where the format has room for a text (metadata of Parquet, Arrow and safetensors, a key of JSON), and
`whole_file` fills it in; every reader calls `check_seal` first.
"""

import errno
import fcntl
import hashlib
import mmap
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

BLANK_SEAL = "damamba-sha256:" + "0" * 64
ASIDE = Path("state/pruned")
"""Where `prune` moves files, below the working folder; outside of all outputs."""
CLOCK_NS = 10**9
"""More than a tick of any file system's clock."""
MANY = 10
"""Removals that need no permission."""
PERMISSION = "DAMAMBA_PRUNE"
"""Environment variable that permits to remove more than half of many files."""
_SEAL = re.compile(rb"damamba-sha256:([0-9a-f]{64})")
PATIENCE_S = 0.3
"""For a lock that `is_held` may have for a moment."""
_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)

_STAT = ("st_size", "st_ino", "st_mtime_ns", "st_ctime_ns")
"""Fields that change whenever the content does; a program can reset all of them but the last."""


class FileError(Exception):
    """A file cannot be written, was changed by others or must not be removed; the message is one complete line."""


@contextmanager
def whole_file(path: Path, sealed: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which replaces `path` if the block succeeds and is removed if it raises.

    An existing file is replaced, never opened for writing: DVC's cache may be linked to it. The temporary file is
    locked while this process lives, so that `prune` of another process leaves it alone.

    Args:
        path: Its folder is made where it does not exist.
        sealed: Whether the block writes `BLANK_SEAL`, which is filled in.

    Raises:
        FileError: The disk is full or read-only, or the folder is not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
    size = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield temporary
            if sealed:
                _seal(temporary)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            size = os.fstat(lock).st_size  # some writers have removed the name
            temporary.unlink(missing_ok=True)
            os.close(lock)
    except OSError as error:
        own = error.filename is None or Path(error.filename) in (temporary, *path.parents)
        if error.errno not in _DISK or not own:
            raise
        reason = f"{os.strerror(error.errno)}, after {size} bytes" if size else os.strerror(error.errno)
        raise FileError(
            f"{path}: cannot be written ({reason}); free space or make the folder writable, then run again: "
            "what is finished is kept"
        ) from None


def disk_problem(error: OSError) -> str | None:
    """A line about a failed write outside of `whole_file`, such as to a temporary file; None for other errors."""
    if error.errno not in _DISK:
        return None
    where = error.filename or f"{tempfile.gettempdir()} or the working folder"
    return f"{where}: cannot be read or written ({os.strerror(error.errno)}); free space or correct the permissions"


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes, sealed: bool = False) -> None:
    """Write `content` to a file, which is complete or not there; arguments and errors as of `whole_file`."""
    with whole_file(path, sealed) as temporary:
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


def check_seal(path: Path) -> str:
    """Compare a file with its seal; returns the digits.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It was changed after it was written, or has no seal.
    """
    with path.open("rb") as stream, _mapped(stream.fileno(), mmap.ACCESS_READ) as content:
        seals = list(_SEAL.finditer(content))
        if not seals:
            raise ValueError("it has no checksum")
        expected = seals[0][1].decode()
        places = [seal.start(1) for seal in seals if seal[1].decode() == expected]
        del seals  # they hold the map open
        if _digest(content, places) != expected:
            raise ValueError("its content does not fit its checksum")
        return expected


def check_once(path: Path) -> str:
    """`check_seal`, once a process while size, inode and times of the file stay the same."""
    stat = path.stat()
    if time.time_ns() - stat.st_ctime_ns < CLOCK_NS:
        return check_seal(path)  # another file of the same moment may have the same times and inode
    return _checked(path, *(getattr(stat, name) for name in _STAT))


@cache
def _checked(path: Path, *stat: int) -> str:
    return check_seal(path)


def _seal(path: Path) -> None:
    with path.open("r+b") as stream, _mapped(stream.fileno(), mmap.ACCESS_WRITE) as content:
        places = [match.start() + len(BLANK_SEAL) - 64 for match in re.finditer(BLANK_SEAL.encode(), content)]
        if not places:
            raise RuntimeError(f"{path}: the writer left no room for the seal")
        digits = _digest(content, places).encode()
        for place in places:
            content[place : place + 64] = digits


def _mapped(descriptor: int, access: int) -> mmap.mmap:
    if not os.fstat(descriptor).st_size:
        raise ValueError("it is empty")
    return mmap.mmap(descriptor, 0, access=access)


def _digest(content: mmap.mmap, places: list[int]) -> str:
    """Hash of the content with zeros for the 64 digits at each of `places`."""
    digest = hashlib.sha256()
    start = 0
    with memoryview(content) as view:
        for place in places:
            digest.update(view[start:place])
            digest.update(b"0" * 64)
            start = place + 64
        digest.update(view[start:])
    return digest.hexdigest()


@contextmanager
def unchanged(path: Path, expected: str, remedy: str) -> Iterator[None]:
    """Refuse a file that is not the one that was hashed earlier, before it is read and after it was.

    Args:
        path: File that the block reads.
        expected: Its sha256.
        remedy: What to do, for the message.

    Raises:
        FileError: It is missing or has changed.
    """
    changed = FileError(f"{path}: changed or removed since it was checked (sha256 is not {expected[:12]}…); {remedy}")
    try:
        before = path.stat()
        if sha256(path) != expected:
            raise changed
        yield
        after = path.stat()
        same = all(getattr(before, name) == getattr(after, name) for name in _STAT)
        if not same and sha256(path) != expected:
            raise changed
    except FileNotFoundError as error:
        if error.filename not in (str(path), path):
            raise
        raise changed from None


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Let one process at a time run the block; the kernel releases the lock when the process ends, however it ends.

    Args:
        path: File of the lock, which stays.
        what: Name of the work, for the message.

    Raises:
        FileError: Another process is in the block.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); make the folder writable") from None
    try:
        if not _locked_soon(lock):
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
            raise FileError(f"{what}: runs already in this folder, as process {holder}; wait until it ends")
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(lock)


def _locked_soon(lock: int) -> bool:
    """Lock an open file for this process alone; False where another one keeps it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(PATIENCE_S / 10)


def is_held(path: Path) -> bool:
    """Whether a living process has locked a file: a stage of `only_one`, the writer of a `whole_file`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def prune(folder: Path, keep: set[Path], aside: bool = False) -> list[Path]:
    """Remove every file below `folder` that is not in `keep`, and empty folders; returns the removed files.

    Files that a living process is writing stay.

    Args:
        folder: Where to look.
        keep: Files that stay.
        aside: Whether to move the files to `ASIDE`, where `take_back` finds them, instead of deleting them.

    Raises:
        FileError: `aside`, more than `MANY` files and more than half of all would be removed, without permission.
    """
    removed, stay = [], 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path in keep:
            stay += 1
        elif is_part(path.name):
            _remove_dead(path)
        else:
            removed.append(path)
    if aside and len(removed) > max(MANY, stay) and os.environ.get(PERMISSION) != "1":
        raise FileError(
            f"{folder}: {len(removed)} of {len(removed) + stay} files belong to nothing that the manifest lists, such "
            f"as {removed[0]}; correct corpus.sources or the manifest, or permit it: {PERMISSION}=1 dvc repro"
        )
    for path in removed:
        if aside:
            there = _aside(path)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, there)
        else:
            path.unlink()
    for inner in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        with suppress(OSError):  # not empty
            inner.rmdir()
    return removed


def take_back(path: Path) -> bool:
    """Move a file that `prune` has set aside to its place again; whether there was one."""
    if not _aside(path).is_file():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(_aside(path), path)
    return True


def told_aside(removed: list[Path]) -> str:
    """What `prune` has set aside, and how much lies there in all; "" if it was nothing."""
    if not removed:
        return ""
    size = sum(path.stat().st_size for path in ASIDE.rglob("*") if path.is_file())
    return f"{len(removed)} moved to {ASIDE}, which holds {size / 1e6:.1f} MB and may be deleted"


def _aside(path: Path) -> Path:
    whole = path.resolve()
    here = Path.cwd()
    return ASIDE / (whole.relative_to(here) if whole.is_relative_to(here) else whole.relative_to(whole.anchor))


def is_part(name: str) -> bool:
    """Whether it is the name of a temporary file of `whole_file`."""
    return name.startswith(".") and re.search(r"\.\d+\.part", name) is not None


def _remove_dead(path: Path) -> None:
    """Remove a temporary file whose process has ended: it is not locked any more."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)
