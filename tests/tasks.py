"""Tasks of the tests of the executor; a worker that imports this module starts at once."""

import os
import signal
import time
from multiprocessing.connection import Connection

from damamba.console import InputError


def act(what: str) -> str:
    """What a task does, by its name."""
    if what == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hangs":
        time.sleep(60)
    if what == "bad":
        raise InputError("bad.mp4: no picture")
    if what == "wrong":
        import av

        raise av.error.InvalidDataError(1, "x", "y")
    return what


def threads(_: int) -> tuple[int, int, str]:
    """Process of a task, and its threads."""
    import cv2
    import torch

    return os.getpid(), torch.get_num_threads(), f"{cv2.getNumThreads()} {os.environ['OMP_NUM_THREADS']}"


def compiled(number: int) -> int:
    """A task that leaves torch with work at the exit of the process."""

    return number


def waits(connection: Connection) -> str:
    """A task that tells that it has begun, and ends when it is told to."""
    connection.send("begun")
    return connection.recv()
