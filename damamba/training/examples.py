"""All training windows in order, for models that begin with a closed form."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F

from damamba.config import LABEL_RATE_HZ
from damamba.data.batch import Batch, Window, WindowReader
from damamba.data.shards import AlignedSession
from damamba.data.windows import WindowGrid
from damamba.model.base import Example

FOLDS = 5
FRAMES_A_BATCH = 2048


class TrainingExamples:
    """Every window of every labelled seat of the training sessions, which are dealt to folds in turn.

    A single session is cut into as many stretches as there are folds.

    Args:
        reader: Of the shards.
        sessions: Of the training split.
    """

    def __init__(self, reader: WindowReader, sessions: Sequence[AlignedSession]) -> None:
        self.reader, self.folds = reader, FOLDS
        labelled = [s for s in sessions if any(seat.labelled for seat in s.seats)]
        self._fold = {session.name: i % FOLDS for i, session in enumerate(labelled)}
        self.windows = [
            Window(session, number, int(start))
            for session in labelled
            for number, seat in enumerate(session.seats)
            if seat.labelled
            for start in reader.grid.starts(session.n_labels)
        ]
        n_labels = sum(session.n_labels * sum(seat.labelled for seat in session.seats) for session in labelled)
        self.labelled_frames = n_labels * reader.grid.rate_hz // LABEL_RATE_HZ

    def folds_of(self, windows: Sequence[Window]) -> torch.Tensor:
        """(B,) fold of each window."""
        if len(self._fold) > 1:
            return torch.tensor([self._fold[window.session.name] for window in windows])
        return torch.tensor([max(window.start, 0) * FOLDS // window.session.n_labels for window in windows])

    def __iter__(self) -> Iterator[Example]:
        """Batches of windows."""
        size = max(1, FRAMES_A_BATCH // self.reader.grid.frames)
        for first in range(0, len(self.windows), size):
            windows = self.windows[first : first + size]
            batch = self.reader.read(windows)
            label, valid = labels_of_frames(batch, self.reader.grid)
            yield Example(batch.cues, batch.valid, batch.present, label, valid, self.folds_of(windows))


def labels_of_frames(batch: Batch, grid: WindowGrid) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T) label of each frame of a window, the mean of those it covers, and where there is one: the core alone."""
    core = grid.core_frames
    n = core.stop - core.start
    if grid.rate_hz >= LABEL_RATE_HZ:
        times = grid.rate_hz // LABEL_RATE_HZ
        label, valid = (x.repeat_interleave(times, dim=1) for x in (batch.label, batch.label_valid))
    else:
        many = LABEL_RATE_HZ // grid.rate_hz
        sums, numbers = (x.float().unflatten(1, (n, many)).sum(-1) for x in (batch.label, batch.label_valid))
        label, valid = sums / numbers.clamp_min(1), numbers > 0  # labels that are not valid are 0
    beyond = (core.start, grid.frames - core.stop)
    return F.pad(label, beyond), F.pad(valid, beyond)
