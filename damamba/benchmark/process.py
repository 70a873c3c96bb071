"""A fresh process for each measurement, so that nothing else affects its peak or its clock."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def alone(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The function's result, computed in a process that does nothing else.

    Processes are forked from a server that has imported torch and computed nothing, so a start costs milliseconds.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler, which counts memory, logs to stderr otherwise
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["damamba.benchmark.steps"])
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(function, *args, **kwargs).result()
