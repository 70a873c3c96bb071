"""Two readers of the same statistics, a linear and a non-linear one: where they agree, the gap is information."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline

from damamba.metrics import ccc

CLIP_SD = 5.0
"""Statistics farther out than this are drawn in: one odd session shall not decide."""
PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0)
SHAPES = tuple(product((0.02, 0.1), (0.03, 0.3)))
"""Of the kernel: gamma times the number of statistics, from nearly straight to bent; and the penalty."""
LANDMARKS = 400
"""Rows that the kernel is spanned by."""
HELD_OUT = 5
"""Every fifth training session chooses the penalty and the spread of the predictions."""
MOST_STRETCH = 1.8


@dataclass(frozen=True)
class Readings:
    """Rows of statistics and what they should tell."""

    x: np.ndarray
    """(n, statistics)."""
    y: np.ndarray
    """(n,) labels."""
    session: np.ndarray
    """(n,) number of the session."""

    @classmethod
    def join(cls, sessions: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Readings":
        """Of sessions, each (P, K, statistics) and labels (P, K), NaN where nobody labelled."""
        rows = [(x.reshape(-1, x.shape[-1]), y.ravel()) for x, y in sessions]
        known = [np.isfinite(y) for _, y in rows]
        return cls(
            np.concatenate([x[seen] for (x, _), seen in zip(rows, known, strict=True)]),
            np.concatenate([y[seen] for (_, y), seen in zip(rows, known, strict=True)]),
            np.repeat(np.arange(len(rows)), [int(seen.sum()) for seen in known]),
        )

    def where(self, rows: np.ndarray) -> "Readings":
        """Some of the rows."""
        return Readings(self.x[rows], self.y[rows], self.session[rows])


Setting = TypeVar("Setting", float, tuple[float, float])


def linear(train: Readings, test: Readings) -> np.ndarray:
    """Predictions (n,) of ridge regression."""
    return _read(train, test, PENALTIES, Ridge)


def nonlinear(train: Readings, test: Readings) -> np.ndarray:
    """Predictions (n,) of ridge regression on a Gaussian kernel of the statistics."""

    def kernel_ridge(shape: tuple[float, float]) -> Pipeline:
        gamma, penalty = shape
        landmarks = min(LANDMARKS, len(train.y) // 2)
        kernel = Nystroem(gamma=gamma / train.x.shape[1], n_components=landmarks, random_state=0)
        return make_pipeline(kernel, Ridge(penalty))

    return _read(train, test, SHAPES, kernel_ridge)


def _read(
    train: Readings, test: Readings, settings: Sequence[Setting], make: Callable[[Setting], Ridge | Pipeline]
) -> np.ndarray:
    """Choose the setting on held-out sessions, fit on all, stretch to the labels' spread: CCC punishes shrinkage."""
    mean, sd = train.x.mean(0), train.x.std(0) + 1e-6
    train, test = (Readings(np.clip((r.x - mean) / sd, -CLIP_SD, CLIP_SD), r.y, r.session) for r in (train, test))
    held = train.session % HELD_OUT == 0
    fitting, choosing = train.where(~held), train.where(held)
    centre = train.y.mean()
    tried = []
    for setting in settings:
        told = np.asarray(make(setting).fit(fitting.x, fitting.y - centre).predict(choosing.x))
        tried.append((np.corrcoef(told, choosing.y)[0, 1], setting, choosing.y.std() / max(told.std(), 1e-6)))
    _, setting, stretch = max(tried)
    told = np.asarray(make(setting).fit(train.x, train.y - centre).predict(test.x))
    return np.clip(told * min(stretch, MOST_STRETCH) + centre, 0, 1)


def score(told: np.ndarray, test: Readings) -> float:
    """Pooled CCC."""
    value = ccc(told, test.y, np.ones(len(told), bool))
    return float("nan") if value is None else value


def chance(told: np.ndarray, test: Readings, shifts: int = 7) -> float:
    """Mean CCC of predictions against the labels of other sessions."""
    parts = [np.flatnonzero(test.session == s) for s in np.unique(test.session)]
    scores = []
    for shift in range(1, min(shifts + 1, len(parts))):
        shifted = [(a, b, min(len(a), len(b))) for a, b in zip(parts, parts[shift:] + parts[:shift], strict=True)]
        own = np.concatenate([a[:n] for a, _, n in shifted])
        other = np.concatenate([b[:n] for _, b, n in shifted])
        scores.append(score(told[own], test.where(other)))
    return float(np.mean(scores))
