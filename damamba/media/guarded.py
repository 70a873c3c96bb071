"""Read files of unknown origin in a process of its own, with limits of time and memory: a hang costs one file.

The process serves one file after the other and is started anew after one that it did not survive.
"""

import atexit
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, TypeVar

from damamba.console import InputError
from damamba.media.track import MediaTrack, as_track

ResultT = TypeVar("ResultT")
START_S = 60.0
BYTES_A_SECOND = 1e6
"""The slowest disk and decoder that a limit allows for."""
MEMORY_BYTES = 4 << 30
"""On top of what the process needs to start."""
READY = "ready"
PR_SET_PDEATHSIG = 1


def allowance_s(media: Path | MediaTrack) -> float:
    """Time in which a file of this size must have been examined, s."""
    path = as_track(media).path
    return START_S + (path.stat().st_size / BYTES_A_SECOND if path.is_file() else 0.0)


def guarded(
    function: Callable[..., ResultT], media: Path | MediaTrack, *arguments: Any, limit_s: float | None = None
) -> ResultT:
    """`function(media, *arguments)`, computed in the guarded process.

    Args:
        function: At the top of a module that the process can import; its result must be sendable.
        media: File that it reads, for the limit and for messages.
        arguments: Further arguments.
        limit_s: Seconds that it may take; None: `allowance_s`.

    Raises:
        InputError: That of the function; or the file took too long, too much memory, or ended the process.
        RuntimeError: Any other error of the function, with its traceback.
    """
    most_s = allowance_s(media) if limit_s is None else limit_s
    child = _Child.running()
    try:
        child.connection.send((Path.cwd(), function, media, arguments))
        if not child.connection.poll(most_s):
            child.stop()
            raise InputError(
                f"{media}: reading it took longer than {most_s:.0f} s, the limit for a file of its size; it is "
                "damaged: encode it again, or remove its row from the manifest"
            )
        kind, answer = child.connection.recv()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        fate = child.stop()
        raise InputError(
            f"{media}: the process that read it {fate}; it is damaged: encode it again, or remove its row from the "
            "manifest"
        ) from None
    if kind == "input":
        raise InputError(answer)
    if kind == "memory":
        raise InputError(
            f"{media}: reading it took more than {MEMORY_BYTES >> 30} GiB of memory; it is damaged or its pictures are "
            "too large: encode it again, or remove its row from the manifest"
        )
    if kind == "error":
        raise RuntimeError(f"in the process that read {media}:\n{answer}")
    return answer


class _Child:
    """The guarded process and the way to it."""

    current: "_Child | None" = None

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        command = [sys.executable, "-m", __name__, str(theirs.fileno()), str(os.getpid())]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # the code beside this one, wherever it was found
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self.owner = os.getpid()
        if not self.connection.poll(START_S) or self.connection.recv() != READY:
            raise RuntimeError(f"the process that reads media did not start: {' '.join(command)}")

    @classmethod
    def running(cls) -> "_Child":
        """The process; started if there is none yet or the last one has ended."""
        child = cls.current
        if child is None or child.owner != os.getpid() or child.process.poll() is not None:
            child = cls.current = cls()
            atexit.register(child.stop)
        return child

    def stop(self) -> str:
        """End the process; how it ended, in words."""
        if self.owner != os.getpid():
            return "belongs to another process"
        atexit.unregister(self.stop)
        self.connection.close()
        try:
            code = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if _Child.current is self:
            _Child.current = None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _serve(connection: Connection, parent: int) -> None:
    """Answer requests until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
        _limit_memory()
    connection.send(READY)
    while True:
        try:
            folder, function, media, arguments = connection.recv()
        except EOFError:
            return
        os.chdir(folder)
        try:
            answer = pickle.dumps(("result", function(media, *arguments)))
        except InputError as error:
            answer = pickle.dumps(("input", str(error)))
        except MemoryError:
            answer = pickle.dumps(("memory", ""))
        except Exception:
            answer = pickle.dumps(("error", traceback.format_exc()))
        connection.send_bytes(answer)


def _limit_memory() -> None:
    """Let allocations fail beyond `MEMORY_BYTES` more than there are now."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), int(sys.argv[2]))
