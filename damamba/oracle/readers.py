"""Two readers of the same statistics, a linear and a non-linear one: where they agree, the gap is information."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

from damamba.metrics import ccc

CLIP_SD = 5.0
"""Statistics farther out than this are drawn in: one odd session shall not decide."""
PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0)
DECAYS = (3.0, 30.0, 300.0)
PASSES = 12
"""Of the network over the training rows; more would learn the people by heart."""
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


def linear(train: Readings, test: Readings) -> np.ndarray:
    """Predictions (n,) of ridge regression."""
    return _read(train, test, PENALTIES, Ridge)


def nonlinear(train: Readings, test: Readings, seed: int = 0) -> np.ndarray:
    """Predictions (n,) of a small neural network."""

    def network(penalty: float) -> MLPRegressor:
        return MLPRegressor(
            hidden_layer_sizes=(48,),
            alpha=penalty,
            learning_rate_init=2e-3,
            max_iter=PASSES,
            random_state=seed,
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped early on purpose
        return _read(train, test, DECAYS, network)


def _read(
    train: Readings, test: Readings, penalties: Sequence[float], make: Callable[[float], Ridge | MLPRegressor]
) -> np.ndarray:
    """Choose the penalty on held-out sessions, fit on all, stretch to the labels' spread: CCC punishes shrinkage."""
    mean, sd = train.x.mean(0), train.x.std(0) + 1e-6
    train, test = (Readings(np.clip((r.x - mean) / sd, -CLIP_SD, CLIP_SD), r.y, r.session) for r in (train, test))
    held = train.session % HELD_OUT == 0
    fitting, choosing = train.where(~held), train.where(held)
    centre = train.y.mean()
    tried = []
    for penalty in penalties:
        told = np.asarray(make(penalty).fit(fitting.x, fitting.y - centre).predict(choosing.x))
        tried.append((np.corrcoef(told, choosing.y)[0, 1], penalty, choosing.y.std() / max(told.std(), 1e-6)))
    _, penalty, stretch = max(tried)
    told = np.asarray(make(penalty).fit(train.x, train.y - centre).predict(test.x))
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
