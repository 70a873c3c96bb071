"""Batches that are read while the model works on an earlier one."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

DrawnT = TypeVar("DrawnT")
BatchT = TypeVar("BatchT")


class Prefetch(Generic[DrawnT, BatchT]):
    """Batches of training by the number of their step; those of the next steps are read in threads.

    What a step gets depends on its number alone: steps may be taken in any order, as after a resume.

    Args:
        draw: Step -> what its batch consists of; called in the caller's thread.
        read: Reads what was drawn; called in several threads.
        steps: Number of steps; nothing is read beyond the last.
        ahead: Steps that are read ahead, each in a thread of its own.
    """

    def __init__(self, draw: Callable[[int], DrawnT], read: Callable[[DrawnT], BatchT], steps: int, ahead: int) -> None:
        self._draw, self._read, self._steps, self._ahead = draw, read, steps, ahead
        self._pool = ThreadPoolExecutor(ahead, "prefetch")
        self._waiting: dict[int, tuple[DrawnT, Future[BatchT]]] = {}

    def take(self, step: int) -> tuple[DrawnT, BatchT]:
        """What was drawn for a step, and its batch; raises what `read` raises."""
        wanted = range(step, min(step + self._ahead, self._steps - 1) + 1)
        for other in self._waiting.keys() - set(wanted):
            self._waiting.pop(other)[1].cancel()
        for k in wanted or (step,):
            if k not in self._waiting:
                drawn = self._draw(k)
                self._waiting[k] = drawn, self._pool.submit(self._read, drawn)
        drawn, future = self._waiting.pop(step)
        return drawn, future.result()
