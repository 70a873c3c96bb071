"""The passes of one command on the screen: which one runs, and how long all of them will still take."""

import sys
import time
from collections.abc import Mapping

from damamba.text import duration

SHORT_S = 1.0
"""A pass that took less found its work done, and says nothing about the others."""
JUDGED = 0.1
"""Share of the work by which the rest is judged at the least: the start of a short pass would pass for work."""
FACES, PICTURES, SOUND, OTHER = 1000.0, 200.0, 40.0, 10.0
"""Work of tracking faces, of a cue of pictures or of sound, and of any other pass, relative to each other: about
seconds of one core for an hour of one person (benchmarks/plan.py measures it)."""


class Passes:
    """Announces each pass with the time left over all of them, from what the passes before it took.

    Args:
        work: Name of each pass, in order, and its share of the work.
    """

    def __init__(self, work: Mapping[str, float]) -> None:
        self._work = dict(work)
        self._begun: list[tuple[str, float]] = []

    def begin(self, name: str) -> None:
        """Print a line to stderr about the pass that begins."""
        self._begun.append((name, time.monotonic()))
        left_s = self._left_s()
        left = "" if left_s is None else f", about {duration(left_s)} left in all"
        print(f"pass {len(self._begun)} of {len(self._work)}: {name}{left}", file=sys.stderr, flush=True)  # noqa: T201

    def _left_s(self) -> float | None:
        """Time for this pass and those that follow, s; None where too little is done to judge by."""
        ends = [begun for _, begun in self._begun[1:]]
        took = {name: end - begun for (name, begun), end in zip(self._begun, ends, strict=False)}
        long = {name: seconds for name, seconds in took.items() if seconds >= SHORT_S}
        judged = sum(self._work[name] for name in long)
        if judged < JUDGED * sum(self._work.values()):
            return None
        left = sum(work for name, work in self._work.items() if name not in took)
        return left * sum(long.values()) / judged
