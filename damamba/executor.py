"""Parallel work on sessions, through a `concurrent.futures.Executor`.

A Dask client (`Client.get_executor()`) or a Slurm executor has the same `submit`: to use one, return it from
`open_executor`; nothing else changes.
"""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Literal, TypeVar

from damamba.console import InputError, progress

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
ExecutorKind = Literal["processes", "serial"]


class _Serial(Executor):
    """Runs each call at once in this process, for debugging and tests."""

    def submit(self, fn: Callable[..., ResultT], /, *args: object, **kwargs: object) -> "Future[ResultT]":
        future: Future[ResultT] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _prepare_worker() -> None:
    """Use one thread per worker, since there is a worker for every core."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = "1"
    os.environ.pop("OMP_PROC_BIND", None)  # bound workers would all sit on the first core
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, _stop_worker)


def _stop_worker(signum: int, frame: object) -> None:
    """Let the worker remove the file that it is writing; by default, SIGTERM would end it on the spot."""
    raise SystemExit(128 + signum)


@contextmanager
def open_executor(kind: ExecutorKind, jobs: int) -> Iterator[Executor]:
    """An executor of `jobs` workers (0 = one per core); the end of the block cancels calls that have not started."""
    if kind == "serial" or jobs == 1:
        yield _Serial()
        return
    # libraries of a spawned process read the environment before `_prepare_worker` runs
    before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OMP_PROC_BIND")}
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["OMP_PROC_BIND"] = "false"
    pool = ProcessPoolExecutor(
        jobs or os.cpu_count(), mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_worker
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_all(
    function: Callable[[TaskT], ResultT],
    tasks: Sequence[TaskT],
    jobs: int,
    kind: ExecutorKind,
    what: str,
) -> list[ResultT]:
    """Apply `function` to every task, with a progress bar; results come in the order of `tasks`.

    A task that fails on bad input does not stop the others; at the end their messages are raised together.

    Args:
        function: A module-level function, since it is sent to other processes.
        tasks: One per session or participant.
        jobs: Worker processes; 0 = one per core.
        kind: Worker processes, or one call after the other in this process.
        what: Label of the progress bar.

    Raises:
        InputError: The messages of all tasks that failed on bad input, one per line.
    """
    results: dict[int, ResultT] = {}
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
                f"{what}: a worker process was killed (out of memory?); finished participants are kept; "
                "run again, with fewer jobs if memory is short"
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
