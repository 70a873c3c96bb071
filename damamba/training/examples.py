"""All training windows in order, for models that begin with a closed form."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F

from damamba.config import LABEL_RATE_HZ, MAIN
from damamba.data.batch import Batch, SeatKey, Window, WindowReader
from damamba.data.pooling import pool
from damamba.data.windows import WindowGrid
from damamba.model.base import Example

FOLDS = 5
FRAMES_A_BATCH = 2048


class TrainingExamples:
    """Every window of every labelled seat of the training sessions, which are dealt to folds in turn.

    A single session is cut into as many stretches as there are folds.

    Args:
        reader: Of the shards.
        targets: Labelled seats of the training split, session by session.
        label: Which of the labels they have; `MAIN` or one of `Aligned.also`.
    """

    def __init__(self, reader: WindowReader, targets: Sequence[SeatKey], label: str = MAIN) -> None:
        self.reader, self.targets, self.label, self.folds = reader, targets, label, FOLDS
        names = dict.fromkeys(session.name for session, _ in targets)
        self._fold = {name: i % FOLDS for i, name in enumerate(names)}
        n_labels = sum(session.n_labels for session, _ in targets)
        self.labelled_frames = n_labels * reader.grid.rate_hz // LABEL_RATE_HZ

    def of_label(self, name: str) -> "TrainingExamples":
        """The same windows with another label."""
        return TrainingExamples(self.reader, self.targets, name)

    def folds_of(self, windows: Sequence[Window]) -> torch.Tensor:
        """(B,) fold of each window."""
        if len(self._fold) > 1:
            return torch.tensor([self._fold[window.session.name] for window in windows])
        return torch.tensor([max(window.start, 0) * FOLDS // window.session.n_labels for window in windows])

    def __iter__(self) -> Iterator[Example]:
        """Batches of windows."""
        grid = self.reader.grid
        every = (
            Window(session, seat, int(start))
            for session, seat in self.targets
            for start in grid.starts(session.n_labels)
        )
        while windows := list(islice(every, max(1, FRAMES_A_BATCH // grid.frames))):
            batch = self.reader.read(windows).of_label(self.label)
            label, valid = labels_of_frames(batch, grid, len(self.reader.views[self.label].annotated.classes))
            yield Example(batch.cues, batch.valid, batch.present, label, valid, self.folds_of(windows))


def labels_of_frames(batch: Batch, grid: WindowGrid, n_classes: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T) label of each frame of a window, and where there is one: the core alone.

    A frame that covers several labels has their mean; of `n_classes` classes, the one that most of them are.
    """
    core = grid.core_frames
    if grid.rate_hz >= LABEL_RATE_HZ:
        times = grid.rate_hz // LABEL_RATE_HZ
        label, valid = (x.repeat_interleave(times, dim=1) for x in (batch.label, batch.label_valid))
    else:
        values = batch.label.flatten().numpy()[:, None]
        values = (values == np.arange(n_classes)).astype(np.float32) if n_classes else values
        mean, seen = pool(values, batch.label_valid.flatten().numpy(), LABEL_RATE_HZ // grid.rate_hz)
        mean = mean.argmax(1).astype(np.float32) if n_classes else mean
        label, valid = (torch.from_numpy(x).view(len(batch.label), -1) for x in (mean, seen))
    beyond = (core.start, grid.frames - core.stop)
    return F.pad(label, beyond), F.pad(valid, beyond)
