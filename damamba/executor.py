"""The one seam through which work on sessions runs in parallel: a `concurrent.futures.Executor`.

A Dask client (`Client.get_executor()`) or a Slurm executor has the same `submit`; it would be returned by
`open_executor`, nothing else would change.
"""

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Literal, TypeVar

from damamba.console import InputError, progress

Task = TypeVar("Task")
Result = TypeVar("Result")
Kind = Literal["processes", "serial"]
logger = logging.getLogger(__name__)


class _Serial(Executor):
    """Runs each call at once, in this process: for debugging and for tests."""

    def submit(self, fn: Callable[..., Result], /, *args: object, **kwargs: object) -> "Future[Result]":
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _prepare_worker() -> None:
    """One thread a worker: as many workers as cores would otherwise fight for them."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = "1"
    os.environ.pop("OMP_PROC_BIND", None)  # bound workers would all sit on the first core
    logging.basicConfig(level=logging.INFO, format="%(message)s")


@contextmanager
def open_executor(kind: Kind, jobs: int) -> Iterator[Executor]:
    """An executor of `jobs` workers (0 = one a core); cancels what has not started when the block is left early."""
    if kind == "serial" or jobs == 1:
        yield _Serial()
        return
    # spawned children read the environment before any Python runs, so it is set for them here
    kept = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OMP_PROC_BIND")}
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["OMP_PROC_BIND"] = "false"
    pool = ProcessPoolExecutor(
        jobs or os.cpu_count(), mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_worker
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_all(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    jobs: int,
    kind: Kind,
    what: str,
) -> list[Result]:
    """`function` of every task, in the order of `tasks`, behind a progress bar.

    One task that fails on bad input does not stop the others: what can be finished is, then all
    messages are raised together.

    Args:
        function: A module-level function (it is sent to other processes).
        tasks: One a session or participant.
        jobs: Worker processes; 0 = one a core.
        kind: How they run.
        what: Label of the progress bar.

    Raises:
        InputError: The messages of all tasks that failed so, one a line.
    """
    results: dict[int, Result] = {}
    problems: dict[int, str] = {}
    with open_executor(kind, min(jobs or os.cpu_count() or 1, max(len(tasks), 1))) as executor:
        futures = {executor.submit(function, task): index for index, task in enumerate(tasks)}
        try:
            for future in progress(as_completed(futures), what, total=len(futures)):
                try:
                    results[futures[future]] = future.result()
                except InputError as error:
                    problems[futures[future]] = str(error)
        except BrokenProcessPool:
            raise InputError(
                f"{what}: a worker process was ended from outside (out of memory?); "
                "finished participants are kept: run again, with fewer jobs if memory is short"
            ) from None
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    if problems:
        lines = [problems[index] for index in sorted(problems)]
        raise InputError(
            "\n".join([*lines, f"{what}: {len(lines)} of {len(tasks)} failed, {len(results)} are done and kept"])
        )
    return [results[index] for index in range(len(tasks))]
