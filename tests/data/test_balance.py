"""Windows of several corpora, drawn with shares of their own."""

from collections import Counter

import numpy as np
import pytest

from damamba.data.balance import BalancedWindows
from damamba.data.batch import TrainingWindows
from damamba.data.shards import AlignedSeat, AlignedSession
from damamba.data.windows import WindowGrid

SEAT = (AlignedSeat("p", "host", "x", True),)


def windows(**sessions):
    made = [
        AlignedSession(corpus, str(i), "train", "en", 100, SEAT) for corpus, n in sessions.items() for i in range(n)
    ]
    return TrainingWindows(made, WindowGrid(10, 5, 25), 3)


def drawn(balanced, epochs):
    n = balanced.n
    return [balanced.batch(step, n) for step in range(epochs)]


@pytest.mark.parametrize(("balance", "expected"), [(0.0, (9, 1)), (0.5, (3, 1)), (1.0, (1, 1))])
def test_shares_lie_between_those_of_windows_and_equal_ones(balance, expected):
    made = BalancedWindows(windows(large=18, small=2), balance)
    for epoch in drawn(made, 3):
        counts = Counter(window.session.corpus for window in epoch)
        share = expected[0] / sum(expected)
        assert counts["large"] == pytest.approx(share * made.n, abs=1)
        assert counts.total() == made.n == len(windows(large=18, small=2))


def test_within_a_corpus_every_window_is_drawn_as_often():
    made = BalancedWindows(windows(large=18, small=2), 1.0)
    sessions = Counter(w.session.name for epoch in drawn(made, 18) for w in epoch)
    for corpus in ("large", "small"):
        counts = [n for name, n in sessions.items() if name.startswith(corpus)]
        assert max(counts) - min(counts) <= 11  # the epoch that has begun: at most the windows of a session


def test_a_batch_depends_on_its_step_alone_and_corpora_are_mixed():
    first, again = (BalancedWindows(windows(a=5, b=3, c=1), 0.7) for _ in range(2))
    straight = [first.batch(step, 7) for step in range(60)]
    assert [again.batch(step, 7) for step in reversed(range(60))] == straight[::-1]
    mixed = [len({window.session.corpus for window in batch}) for batch in straight]
    assert np.mean(mixed) > 1.5
