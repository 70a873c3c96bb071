"""Parallel work on sessions and participants, in worker processes that fail one by one.

A task is computed on one thread, wherever it runs: it gives the same bytes beside seven others, alone, or in this
process. A worker that dies, or a task that runs over its limit, costs that task; the others go on.
"""

import logging
import math
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from damamba.cluster import PREFIX, on_dask
from damamba.console import InputError, end_with_parent, progress
from damamba.files import FileError

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"),
    "OMP_PROC_BIND": "false",  # bound workers would all sit on the first core
}
"""Environment from which native libraries read their number of threads when they are loaded."""
STOP_S = 3.0
"""Time that a worker has, after SIGTERM, to remove the file that it is writing."""


Outcome = tuple[int, Any, FileError | str | None]
"""Number of a task, its result, and what is wrong: bad input, or the fate of its worker."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and OpenCV compute on one thread, and every library that is loaded in the block."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    with ExitStack() as stack:
        if torch := sys.modules.get("torch"):
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
        if cv2 := sys.modules.get("cv2"):
            stack.callback(cv2.setNumThreads, cv2.getNumThreads())
            cv2.setNumThreads(1)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _stop_worker(signum: int, frame: object) -> None:
    """Let the worker remove the file that it is writing; by default, SIGTERM would end it on the spot."""
    signal.signal(signum, signal.SIG_IGN)  # libraries clean up at exit; a worker that takes too long is killed
    raise SystemExit(128 + signum)


def _serve(connection: Connection, function: Callable[[Any], Any], parent: int) -> None:
    """Work of a worker: one task after the other, until the connection is closed."""
    signal.signal(signal.SIGTERM, _stop_worker)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent stops its workers
    end_with_parent(parent, signal.SIGKILL)  # a library that hangs would never see SIGTERM
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with one_thread():
        while True:
            try:
                task = connection.recv()
            except EOFError:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                return
            try:
                answer = function(task), None, ""
            except Exception as error:
                answer = None, _portable(error), traceback.format_exc()
            try:
                connection.send(answer)
            except (BrokenPipeError, ConnectionResetError):  # the parent stops, and has closed its end first
                return


def _portable(error: Exception) -> Exception:
    """The error itself if it can be sent to another process and read there, else its text."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:  # whatever a constructor or a field of a library raises
        return RuntimeError(f"{type(error).__name__}: {error}")


class _Worker:
    """A process and the number of the task that it has."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function, os.getpid()))
        with one_thread():  # libraries of a spawned process read the environment before `_serve` runs
            self.process.start()
        theirs.close()
        self.index: int | None = None
        self.limit_s: float | None = None
        self.deadline = math.inf

    def give(self, index: int, task: Any, limit_s: float | None) -> None:
        """Start a task."""
        self.index, self.limit_s = index, limit_s
        self.deadline = math.inf if limit_s is None else time.monotonic() + limit_s
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died: `answer` finds that out
            self.connection.send(task)

    def answer(self) -> tuple[Any, Exception | None, str] | None:
        """Result, error and traceback of the task; None where the process died."""
        try:
            return self.connection.recv() if self.connection.poll() else None
        except (EOFError, ConnectionResetError):
            return None

    def fate(self) -> str:
        """How the process died."""
        self.process.join(STOP_S)
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            if -code == signal.SIGKILL:
                return f"its worker process was killed by {name} (out of memory?); run again, with fewer jobs"
            return f"its worker process crashed ({name}), in native code of a library; run again, then with one job"
        return f"its worker process ended with exit code {code}; run again"

    def stop(self) -> None:
        """End the process, by force where that takes too long; an idle one ends when its connection is closed."""
        self.connection.close()
        if self.index is not None:
            self.process.terminate()
        self.process.join(STOP_S)
        self.process.kill()
        self.process.join()


def run_all(
    function: Callable[[TaskT], ResultT],
    tasks: Sequence[TaskT],
    jobs: int,
    kind: str,
    what: str,
    *,
    name: Callable[[TaskT], str] | None = None,
    limit_s: Callable[[TaskT], float] | float | None = None,
    most: int | None = None,
    died: Callable[[TaskT, str], None] | None = None,
) -> list[ResultT]:
    """Apply `function` to every task, with a progress bar; results come in the order of `tasks`.

    A task that fails on bad input, whose worker dies, or that runs over its limit does not stop the others; at the end
    the messages are raised together.

    Args:
        function: A module-level function, since it is sent to other processes.
        tasks: One per session or participant.
        jobs: Worker processes; 0 = one per core.
        kind: ``processes``; ``serial``, one call after the other in this process, for debugging; or ``dask:`` and the
            address of a scheduler. Only ``processes`` heeds `jobs` and the limits.
        what: Label of the progress bar.
        name: Name of a task, for messages; by default its number.
        limit_s: Seconds that a task may take, or a function from a task to these; None = no limit.
        most: Upper bound of the workers, such as those whose models fit on one GPU.
        died: Called with each task that could not end by itself, and the fate of its worker.

    Raises:
        InputError: The messages of all tasks that failed, one per line.
    """
    if kind == "serial":
        outcomes = _in_this_process(function, tasks)
    elif kind.startswith(PREFIX):
        outcomes = on_dask(partial(_on_one_thread, function), tasks, kind.removeprefix(PREFIX))
    else:
        outcomes = _in_workers(function, tasks, min(jobs or os.cpu_count() or 1, most or len(tasks)), limit_s)
    results: dict[int, ResultT] = {}
    problems: dict[int, str] = {}
    try:
        for index, result, problem in progress(outcomes, what, total=len(tasks)):
            if problem is None:
                results[index] = result
            elif isinstance(problem, FileError):
                problems[index] = str(problem)
            else:
                called = name(tasks[index]) if name else f"task {index + 1} of {len(tasks)}"
                problems[index] = f"{called}: {problem}"
                if died:
                    died(tasks[index], problem)
    finally:
        outcomes.close()  # stops the workers
    if problems:
        lines = [problems[index] for index in sorted(problems)]
        raise InputError(
            "\n".join([*lines, f"{what}: {len(lines)} of {len(tasks)} failed, {len(results)} are done and kept"])
        )
    return [results[index] for index in range(len(tasks))]


def _on_one_thread(function: Callable[[Any], Any], task: Any) -> Any:
    with one_thread():
        return function(task)


def _in_this_process(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Generator[Outcome, None, None]:
    for index, task in enumerate(tasks):
        try:
            result, problem = _on_one_thread(function, task), None
        except FileError as error:
            result, problem = None, error
        yield index, result, problem


def _in_workers(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    jobs: int,
    limit_s: Callable[[Any], float] | float | None,
) -> Generator[Outcome, None, None]:
    """Outcomes as they come; whatever ends the iteration ends the workers."""
    waiting = deque(range(len(tasks)))
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.index is not None for worker in workers):
            while waiting and len(workers) < jobs:
                workers.append(_Worker(function))
                _give_next(workers[-1], waiting, tasks, limit_s)
            for worker in [w for w in workers if w.index is None]:
                if waiting:
                    _give_next(worker, waiting, tasks, limit_s)
                else:
                    workers.remove(worker)  # its memory is free while the last tasks run
                    worker.stop()
            yield from _next_outcomes(workers)
    finally:
        for worker in workers:
            if worker.index is not None:
                worker.process.terminate()  # all at once, before the first is waited for
        for worker in workers:
            worker.stop()


def _give_next(
    worker: _Worker, waiting: deque[int], tasks: Sequence[Any], limit_s: Callable[[Any], float] | float | None
) -> None:
    index = waiting.popleft()
    worker.give(index, tasks[index], limit_s(tasks[index]) if callable(limit_s) else limit_s)


def _next_outcomes(workers: list[_Worker]) -> Generator[Outcome, None, None]:
    """Wait until a worker has answered, died or run over its limit; the latter two are removed from `workers`."""
    first = min(worker.deadline for worker in workers)
    timeout = None if first == math.inf else max(first - time.monotonic(), 0.0)
    ready = set(wait([each for w in workers for each in (w.connection, w.process.sentinel)], timeout))
    for worker in list(workers):
        index, problem = worker.index, None
        assert index is not None
        if {worker.connection, worker.process.sentinel} & ready:
            if answer := worker.answer():
                result, error, text = answer
                worker.index, worker.deadline = None, math.inf
                if error is not None and not isinstance(error, FileError):
                    raise error from RuntimeError(f"in a worker process:\n{text}")
                yield index, result, error
                continue
            problem = worker.fate()
        elif time.monotonic() >= worker.deadline:
            problem = f"stopped after {worker.limit_s:g} s, the limit of a task; run again, with fewer jobs"
        if problem:
            workers.remove(worker)
            worker.stop()
            yield index, None, problem
