"""Two readers of the same statistics, linear and non-linear.

Where both reach the same score, what is missing to a perfect one is missing information, not a weak reader.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline

CLIP_SD = 5.0
"""Statistics are clipped at this many standard deviations, so that no odd session decides."""
PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0)
SHAPES = tuple(product((0.02, 0.1), (0.03, 0.3)))
"""Of the kernel: gamma times the number of statistics, from nearly linear to curved; and the penalty."""
LANDMARKS = 400
"""Rows that span the kernel."""
HELD_OUT = 5
"""Every fifth training session is held out to choose the penalty and the spread of the predictions."""
MOST_STRETCH = 1.8

Setting = TypeVar("Setting", float, tuple[float, float])
Score = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
"""Score of (n,) predictions against (n,) labels of (n,) participant-sessions."""


@dataclass(frozen=True)
class Examples:
    """Rows of statistics with their labels."""

    x: np.ndarray
    """(n, statistics)."""
    y: np.ndarray
    """(n,) labels."""
    session: np.ndarray
    """(n,) number of the session."""
    seat: np.ndarray
    """(n,) number of the participant-session: every participant of every session has another."""

    @classmethod
    def join(cls, sessions: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Examples":
        """The labelled rows of sessions, each (P, K, statistics) and labels (P, K), NaN where there is no label."""
        rows = [(x.reshape(-1, x.shape[-1]), y.ravel()) for x, y in sessions]
        labelled = [np.isfinite(y) for _, y in rows]
        seats = np.cumsum([0, *(len(y) for _, y in sessions)])
        seat = [
            first + np.repeat(np.arange(len(y)), y.shape[1]) for first, (_, y) in zip(seats, sessions, strict=False)
        ]
        return cls(
            np.concatenate([x[chosen] for (x, _), chosen in zip(rows, labelled, strict=True)]),
            np.concatenate([y[chosen] for (_, y), chosen in zip(rows, labelled, strict=True)]),
            np.repeat(np.arange(len(rows)), [int(chosen.sum()) for chosen in labelled]),
            np.concatenate([numbers[chosen] for numbers, chosen in zip(seat, labelled, strict=True)]),
        )

    def where(self, rows: np.ndarray) -> "Examples":
        """Some of the rows."""
        return Examples(self.x[rows], self.y[rows], self.session[rows], self.seat[rows])


def linear(train: Examples, test: Examples) -> np.ndarray:
    """Predictions (n,) of ridge regression."""
    return _predict(train, test, PENALTIES, Ridge)


def nonlinear(train: Examples, test: Examples) -> np.ndarray:
    """Predictions (n,) of ridge regression on a Gaussian kernel of the statistics."""

    def kernel_ridge(shape: tuple[float, float]) -> Pipeline:
        gamma, penalty = shape
        landmarks = min(LANDMARKS, len(train.y) // 2)
        kernel = Nystroem(gamma=gamma / train.x.shape[1], n_components=landmarks, random_state=0)
        return make_pipeline(kernel, Ridge(penalty))

    return _predict(train, test, SHAPES, kernel_ridge)


def _predict(
    train: Examples, test: Examples, settings: Sequence[Setting], make: Callable[[Setting], Ridge | Pipeline]
) -> np.ndarray:
    """Choose the setting on held-out sessions, fit on all, stretch to the labels' spread: CCC punishes shrinkage."""
    mean, sd = train.x.mean(0), train.x.std(0) + 1e-6
    train, test = (replace(e, x=np.clip((e.x - mean) / sd, -CLIP_SD, CLIP_SD)) for e in (train, test))
    held_out = train.session % HELD_OUT == 0
    fitting, choosing = train.where(~held_out), train.where(held_out)
    centre = train.y.mean()
    tried = []
    for setting in settings:
        predicted = np.asarray(make(setting).fit(fitting.x, fitting.y - centre).predict(choosing.x))
        correlation = np.corrcoef(predicted, choosing.y)[0, 1]
        tried.append((correlation, setting, choosing.y.std() / max(predicted.std(), 1e-6)))
    _, setting, stretch = max(tried)
    predicted = np.asarray(make(setting).fit(train.x, train.y - centre).predict(test.x))
    return np.clip(predicted * min(stretch, MOST_STRETCH) + centre, 0, 1)


def chance(predicted: np.ndarray, test: Examples, score: Score, shifts: int = 7) -> float:
    """Mean score of predictions against the labels of other sessions."""
    parts = [np.flatnonzero(test.session == s) for s in np.unique(test.session)]
    scores = []
    for shift in range(1, min(shifts + 1, len(parts))):
        shifted = [(a, b, min(len(a), len(b))) for a, b in zip(parts, parts[shift:] + parts[:shift], strict=True)]
        own = np.concatenate([a[:n] for a, _, n in shifted])
        other = np.concatenate([b[:n] for _, b, n in shifted])
        scores.append(score(predicted[own], test.y[other], test.seat[other]))
    return float(np.mean(scores))
