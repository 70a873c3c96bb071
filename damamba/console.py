"""Output and exit codes of stages: log lines, progress with time left, one line for bad input."""

import errno
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
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

ItemT = TypeVar("ItemT")
logger = logging.getLogger(__name__)


class InputError(Exception):
    """Something outside the code is wrong: a file, a parameter, a disk.

    The message is for the user and complete: which file, which place, what was expected, what to do. A stage prints it
    without a traceback and exits with 1.
    """


def printable(text: str) -> str:
    """The text with every character that controls a terminal shown as its code; line ends stay."""
    return "".join(char if char == "\n" or char.isprintable() else ascii(char)[1:-1] for char in text)


def progress(items: Iterable[ItemT], what: str, total: int | None = None, unit: str = "it") -> Iterator[ItemT]:
    """Yield `items` and show a progress bar with time left on stderr.

    If stderr is not a terminal, the bar is printed as a line every half minute.
    """
    terminal = sys.stderr.isatty()
    return iter(
        tqdm(
            items,
            desc=what,
            total=total,
            unit=unit,
            dynamic_ncols=terminal,
            mininterval=0.1 if terminal else 30.0,
            maxinterval=10.0 if terminal else 60.0,
            delay=0.0 if terminal else 5.0,
        )
    )


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


def run_stage(name: str, main: Callable[[], str], timed: bool = True) -> None:
    """Run a stage's `main` and print the summary line that it returns; then exit.

    Exit codes: 0, 1 after an `InputError` or a failed write, 130 after Ctrl-C, 143 after SIGTERM.

    Args:
        name: Name of the stage, in messages and file names.
        main: The stage.
        timed: Write wall seconds and peak memory to ``results/timing/<name>.json``.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    started = time.perf_counter()
    try:
        summary = main()
        seconds = time.perf_counter() - started
        if timed:
            write_timing(Path("results/timing") / f"{name}.json", seconds)
    except InputError as error:
        print(f"{name}: error: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"{name}: error: cannot write{where}: {error.strerror}; "
            "free some space or fix the permissions, then run again; finished sessions are kept",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{name}: stopped; run again to continue", file=sys.stderr)
        sys.exit(130)
    print(f"{name}: {summary} · {seconds:.1f} s")
    sys.exit(0)


def write_timing(path: Path, seconds: float) -> None:
    """Write wall seconds, and peak memory (MiB) of this process and of its largest worker."""
    own, workers = (
        resource.getrusage(which).ru_maxrss / 1024 for which in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"seconds": round(seconds, 2), "peak_mib": round(own), "worker_peak_mib": round(workers)}
    path.write_text(json.dumps(record, indent=1) + "\n")


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
