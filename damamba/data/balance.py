"""Training windows drawn so that small corpora are not drowned by large ones."""

import numpy as np

from damamba.data.batch import TrainingWindows, Window


class BalancedWindows:
    """Windows of several corpora, each corpus drawn with a share of its own.

    Epoch by epoch the corpora take turns in a random order; each passes through its own windows in epochs of its own,
    so that within a corpus every window is drawn as often. Depends only on the step, as `TrainingWindows.batch` does.

    Args:
        windows: Of all corpora.
        balance: 0: shares are as the numbers of windows; 1: all equal; between: n^(1 - balance), normalised.
    """

    def __init__(self, windows: TrainingWindows, balance: float) -> None:
        sessions = list(dict.fromkeys(session for session, _ in windows.targets))
        corpora = sorted({session.corpus for session in sessions})
        self.seed, self.n = windows.seed, len(windows)
        self.parts = [
            TrainingWindows([s for s in sessions if s.corpus == corpus], windows.grid, windows.seed)
            for corpus in corpora
        ]
        sizes = np.array([len(part) for part in self.parts], float) ** (1 - balance)
        ends = np.round(np.cumsum(sizes) / sizes.sum() * self.n).astype(int)
        self.quotas = np.diff(ends, prepend=0)
        """Windows of each corpus in an epoch; they sum to the number of all windows."""
        self._turns = (-1, np.empty(0, int), np.empty(0, int))  # epoch, corpus of each turn, its earlier turns

    def batch(self, step: int, size: int) -> list[Window]:
        """Windows of a training step."""
        first = step * size
        return [self._at(k) for k in range(first, first + size)]

    def _at(self, k: int) -> Window:
        epoch, place = divmod(k, self.n)
        corpus, earlier = (turns[place] for turns in self._order(epoch))
        return self.parts[corpus].at(int(epoch * self.quotas[corpus] + earlier))

    def _order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        if self._turns[0] != epoch:
            whose = np.repeat(np.arange(len(self.parts)), self.quotas)
            order = np.random.default_rng((self.seed, epoch)).permutation(self.n)
            earlier = np.empty(self.n, int)
            for corpus, quota in enumerate(self.quotas):
                earlier[whose[order] == corpus] = np.arange(quota)
            self._turns = (epoch, whose[order], earlier)
        return self._turns[1:]
