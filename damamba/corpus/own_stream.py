"""Feature streams of one's own, each row at the time that its file holds.

A file is a stream of the project, ``X.parquet`` as `damamba import` writes it, or an SSI stream, ``X.stream`` with
``X.stream~``: there, each chunk begins at its ``from`` and has the rate of the header.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from damamba.console import InputError
from damamba.corpus.ssi import SsiStream, StreamDefect, read_stream
from damamba.streams.reader import StoredStream
from damamba.streams.store import describe

REMEDY = "damamba import of the file that it came from"
Rows = tuple[np.ndarray, np.ndarray]
"""(n, D) float32, NaN where not valid, and the (n,) mask."""


@dataclass(frozen=True)
class OwnStream:
    """An open stream."""

    t_s: np.ndarray
    """(N,) time of each row on the session's clock, s, increasing."""
    rate_hz: float
    """Nominal rate; of irregular rows, one over the longest step that is no gap, Hz."""
    channels: tuple[str, ...]
    """Name of each of the D channels."""
    read: Callable[[int, int], Rows] = field(repr=False)
    """Rows from the first number up to the second."""
    defects: tuple[StreamDefect, ...] = ()
    regular: bool = True
    """Whether the rows are at one rate, so that the last one stands for the end of the recording."""

    @property
    def width(self) -> int:
        """D."""
        return len(self.channels)

    @property
    def end_s(self) -> float:
        """End of the last row, or time of the last irregular one, s; 0 without rows."""
        step_s = 1 / self.rate_hz if self.regular else 0.0
        return round(float(self.t_s[-1]) + step_s, 6) if len(self.t_s) else 0.0


@contextmanager
def open_own(path: Path) -> Iterator[OwnStream]:
    """Open a stream; its values are read in pieces.

    Raises:
        InputError: The file cannot be read, states no rate, or has times that run backwards.
    """
    if path.suffix == ".parquet":
        described = describe(path) or {}
        with StoredStream(path, REMEDY) as stored:

            def read(first: int, stop: int) -> Rows:
                return stored.rows(first, stop), stored.valid[first:stop]

            regular = not described.get("note", "").startswith("irregular")
            yield OwnStream(stored.t_s, stored.rate_hz, tuple(described["channels"]), read, regular=regular)
    else:
        ssi = read_stream(path, scan=False)
        yield OwnStream(
            _times_s(ssi), ssi.rate_hz, tuple(f"{i}" for i in range(ssi.width)), ssi.read, tuple(ssi.defects)
        )


def _times_s(ssi: SsiStream) -> np.ndarray:
    """(N,) time of each declared row."""
    if not (0 < ssi.rate_hz < np.inf):
        raise InputError(f"{ssi.path}: sr is {ssi.rate_hz:g} in the header; set it to the rows a second")
    for number, (chunk, following) in enumerate(pairwise(ssi.chunks), 2):
        end_s = chunk.start_s + chunk.rows / ssi.rate_hz
        if following.start_s < end_s - 0.5 / ssi.rate_hz:
            raise InputError(
                f"{ssi.path}: times run backwards: chunk {number} begins at {following.start_s:.3f} s, but the one "
                f"before it has {chunk.rows} rows at {ssi.rate_hz:g} Hz from {chunk.start_s:.3f} s, and so ends at "
                f"{end_s:.3f} s; correct from or sr in the header"
            )
    return np.concatenate([chunk.start_s + np.arange(chunk.rows) / ssi.rate_hz for chunk in ssi.chunks])
