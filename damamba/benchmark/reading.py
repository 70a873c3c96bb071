"""Time to read a window from the shards."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from damamba.benchmark.models import CUE_WIDTHS
from damamba.data.batch import Window, WindowReader
from damamba.data.shard_writer import write_shard
from damamba.data.shards import Aligned, AlignedSeat, AlignedSession, Cue, write_labels
from damamba.data.windows import WindowGrid


def window_read_ms(grid: WindowGrid, minutes: float = 5.0, reads: int = 200) -> float:
    """Median time to read one random window with all cues of a dyad from shards at 100 Hz, ms."""
    rate_hz, rng = 100, np.random.default_rng(0)
    n_labels = int(minutes * 60 * 25)
    names: Sequence[str] = ("a", "b")
    session = AlignedSession("c", "s", "train", "", n_labels, tuple(AlignedSeat(n, n, n, True) for n in names))
    with tempfile.TemporaryDirectory() as folder:
        cues = {n: Cue(g, w, "", "", "") for g, group in CUE_WIDTHS.items() for n, w in group.items()}
        aligned = Aligned(Path(folder), rate_hz, cues, (session,), {})
        for name in names:
            frames = n_labels * rate_hz // 25
            columns = {
                cue: (rng.standard_normal((frames, c.width), np.float32), np.ones(frames, bool))
                for cue, c in cues.items()
            }
            write_shard(aligned.path(session, name, ""), columns, "")
            write_labels(aligned.path(session, name, ".label.arrow"), rng.random(n_labels), np.ones(n_labels, bool))
        reader = WindowReader(aligned, grid)
        starts = rng.integers(0, n_labels - grid.core, reads)
        times = []
        for start in starts:
            began = time.perf_counter()
            reader.read([Window(session, int(start) % len(names), int(start))])
            times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 3)
