"""Output and exit codes of stages: log lines, progress with time left, one line for bad input."""

import ctypes
import io
import json
import logging
import os
import platform
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from damamba.files import FileError, disk_problem, only_one, replace_file

ItemT = TypeVar("ItemT")
logger = logging.getLogger(__name__)
LOCKS = Path("state/locks")
"""Below the working folder: a file a stage, locked while the stage runs."""
FAILED = Path("state/failed")
"""Below the working folder: a note for each stage whose last run failed."""
PR_SET_PDEATHSIG = 1  # linux/prctl.h
WATCH_S = 1.0


class InputError(FileError):
    """Something outside the code is wrong: a file, a parameter, a disk.

    The message is for the user and complete: which file, which place, what was expected, what to do. A stage prints it
    without a traceback and exits with 1.
    """


def note_of(shard: Path) -> Path:
    """Where the reason lies why a shard could not be made: beside it."""
    return shard.with_name(f"{shard.stem}.failed.json")


def write_note(note: Path, reason: str) -> None:
    """Keep the reason of a failure, for ``damamba failed``."""
    with suppress(FileError):  # of a full disk: the failure itself is reported, and must not be hidden
        replace_file(note, (json.dumps({"error": reason}, ensure_ascii=False) + "\n").encode())


@contextmanager
def noted(note: Path) -> Iterator[None]:
    """Keep the reason where the block fails, and remove an earlier one where it succeeds."""
    try:
        yield
    except Exception as error:
        write_note(note, str(error) if isinstance(error, FileError) else f"{type(error).__name__}: {error}")
        raise
    note.unlink(missing_ok=True)


def printable(text: str) -> str:
    """The text with every character that controls a terminal shown as its code; line ends stay."""
    return "".join(char if char == "\n" or char.isprintable() else ascii(char)[1:-1] for char in text)


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """Print a `FileError` or a problem of the disk as one line after `name`, without a traceback, and exit with 1."""
    try:
        yield
    except FileError as error:
        print(f"{name}: error: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if (line := disk_problem(error)) is None:
            raise
        print(f"{name}: error: {line}", file=sys.stderr)
        sys.exit(1)


def progress(
    items: Iterable[ItemT], what: str, total: int | None = None, unit: str = "it", shown: bool = True
) -> Iterator[ItemT]:
    """Yield `items` and show a progress bar with time left on stderr, unless another process shows it.

    If stderr is not a terminal, a line is printed every half minute.
    """
    terminal = sys.stderr.isatty()
    return iter(
        tqdm(
            items,
            desc=what,
            total=total,
            unit=unit,
            file=None if terminal else _Lines(),
            disable=not shown,
            dynamic_ncols=terminal,
            mininterval=0.1 if terminal else 30.0,
            maxinterval=10.0 if terminal else 60.0,
            delay=0.0 if terminal else 5.0,
        )
    )


class _Lines(io.TextIOBase):
    """stderr for what would write over one line again and again: each state of it is a line of its own."""

    def write(self, text: str) -> int:
        """Without what only moves the cursor."""
        if line := text.strip("\r\n "):
            print(line, file=sys.stderr, flush=True)
        return len(text)


def item_argument() -> dict[str, Any]:
    """Options of argparse for the name of the run or cue that a stage works on.

    Commands in dvc.yaml contain no names from params.yaml, which a shell would read. DVC sets DVC_STAGE to the name of
    the stage, such as ``train@da_mamba-0``; outside of DVC the name must be given.
    """
    _, at, item = os.environ.get("DVC_STAGE", "").rpartition("@")
    return {"nargs": "?", "default": item} if at else {}


def _terminate(signum: int, frame: object) -> None:
    signal.signal(signum, signal.SIG_DFL)  # a second signal ends at once
    raise SystemExit(128 + signum)


def plain_terminal() -> None:
    """Let characters that the terminal's encoding lacks appear as ``?``; to print them would be an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def end_with_parent(parent: int, signum: int = signal.SIGTERM) -> None:
    """Let this process get a signal when its parent ends, even by ``kill -9``.

    Args:
        parent: Process that started this one; it may have ended already.
        signum: The signal.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signum)
    else:
        _end_without(lambda: os.getppid() == parent, signum)


def _end_with_dvc() -> None:
    """Let this stage get SIGTERM when DVC ends, which started it itself or through a shell that lives on.

    DVC may have ended while Python was loading this stage. What took the stage over is outside of its session, as DVC
    was not.
    """
    parent = os.getppid()
    end_with_parent(parent)
    try:
        shell = b"-c" in Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")
        dvc = _parent_of(parent) if shell else parent
        gone = dvc > 0 and os.getsid(dvc) != os.getsid(0)
    except FileNotFoundError:  # no Linux
        return
    except ProcessLookupError:
        gone = True
    if gone:
        os.kill(os.getpid(), signal.SIGTERM)
    if shell:
        _end_without(lambda: _parent_of(parent) == dvc, signal.SIGTERM)


def _parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def _end_without(there: Callable[[], bool], signum: int) -> None:
    """Send this process a signal as soon as `there` is no longer true."""

    def watch() -> None:
        while there():
            time.sleep(WATCH_S)
        os.kill(os.getpid(), signum)

    threading.Thread(target=watch, daemon=True).start()


def run_stage(name: str, main: Callable[[], str], timed: bool = True, rank: int = 0) -> None:
    """Run a stage's `main` and print the summary line that it returns; then exit.

    A stage that runs already in the same folder is refused. A stage that DVC started ends with DVC.

    Exit codes: 0, 1 after a `FileError` such as an `InputError`, 130 after Ctrl-C, 143 after SIGTERM.

    Args:
        name: Name of the stage, in messages and file names.
        main: The stage.
        timed: Write wall seconds and peak memory to ``results/timing/<name>.json``.
        rank: Number of this process among those that do the stage together. All but 0 print errors alone.
    """
    plain_terminal()
    logging.basicConfig(level=logging.ERROR if rank else logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if "DVC_STAGE" in os.environ:
            _end_with_dvc()
    started = time.perf_counter()
    try:
        lock = nullcontext() if rank else only_one(LOCKS / f"{name}.lock", name)
        note = nullcontext() if rank else noted(FAILED / f"{name}.json")
        with one_line_errors(name), lock, note:
            summary = main()
            seconds = time.perf_counter() - started
            if timed and not rank:
                write_timing(Path("results/timing") / f"{name}.json", seconds)
    except KeyboardInterrupt:
        if not rank:
            print(f"{name}: stopped; run again to continue", file=sys.stderr)
        sys.exit(130)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # `torchrun` sends one where another process has failed
    if not rank:
        print(f"{name}: {summary} · {seconds:.1f} s")
    sys.exit(0)


def write_timing(path: Path, seconds: float) -> None:
    """Write wall seconds, and peak memory (MiB) of this process and of its largest worker."""
    own, workers = (
        resource.getrusage(which).ru_maxrss / 1024 for which in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    record = {"seconds": round(seconds, 2), "peak_mib": round(own), "worker_peak_mib": round(workers)}
    replace_file(path, (json.dumps(record, indent=1) + "\n").encode())


def machine() -> dict[str, object]:
    """Kind of machine, without its host name: system, processor, cores, memory in GiB, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
    }
