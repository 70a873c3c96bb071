"""Compiled functions, cached for each process apart.

Two processes that fill one cache of numba at the same time can overwrite each other's functions: its index then names
the machine code of another signature, and every later process that loads it crashes. So each running process has a
folder of its own, which the next one takes over.
"""

import fcntl
import logging
import os
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

logger = logging.getLogger(__name__)
VARIABLE = "NUMBA_CACHE_DIR"
PREFIX = "process-"


@cache
def own_cache() -> Path:
    """Let numba keep its compiled functions where no other running process does; call it before librosa is loaded.

    The folders lie below ``NUMBA_CACHE_DIR`` where that is set, else in the user's cache.
    """
    from numba.core import config

    base = Path(os.environ.get(VARIABLE) or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "damamba", "numba"))
    if base.name.startswith(PREFIX):  # inherited from the process that started this one
        base = base.parent
    try:
        folder = _claim(base.expanduser())
    except OSError as error:
        folder = Path(mkdtemp(prefix="damamba-numba-"))
        logger.warning("%s: cannot be written (%s); functions are compiled anew in %s", base, error.strerror, folder)
    os.environ[VARIABLE] = str(folder)
    config.reload_config()
    return folder


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function to machine code, once for each process's cache."""
    own_cache()
    import numba

    return numba.njit(cache=True, fastmath=True, nogil=True)(function)


def _claim(base: Path) -> Path:
    """The first folder that no process holds; held, by an open file, until this process ends."""
    for number in count():
        folder = base / f"{PREFIX}{number}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # numba unpickles what lies there
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder
        except BlockingIOError:
            os.close(lock)
    raise AssertionError("count() ends never")
