"""How engagement moves: autocorrelation of labels within people, and how much of their variance lies there."""

from dataclasses import dataclass

import numpy as np

from damamba.config import LABEL_RATE_HZ
from damamba_sim.behaviour.annotators import annotate
from damamba_sim.behaviour.engagement import engage
from damamba_sim.behaviour.scene import Law

LAGS_S = (1, 2, 5, 10, 30, 60)
REAL_AUTOCORRELATION = (0.84, 0.65, 0.36, 0.20, 0.07, 0.02)
"""Of real labels at `LAGS_S`: medians over 116 people of a public corpus of group talk, 34 hours rated at 1 Hz."""
REAL_STD_WITHIN, REAL_STD_BETWEEN = 0.079, 0.034
"""Of the same labels: standard deviation within a person, and between the means of people."""


@dataclass(frozen=True)
class Pace:
    """Statistics of labels over many participant-sessions."""

    autocorrelation: np.ndarray
    """(people, len(LAGS_S)), each about the person's own mean."""
    std_within: float
    std_between: float

    @property
    def median(self) -> np.ndarray:
        """(len(LAGS_S),) median autocorrelation over people."""
        return np.median(self.autocorrelation, axis=0)


def pace_of(hours: float, minutes: float, seed: int, law: Law) -> Pace:
    """Simulate labels, without any behaviour, and measure them.

    Args:
        hours: Of labels, all participants together.
        minutes: Length of a session, of two participants.
        seed: Of the engagement and of the annotators.
        law: Constants.
    """
    frames, people = round(minutes * 60 * LABEL_RATE_HZ), 2
    rows, means, variances = [], [], []
    for session in range(round(hours * 60 / minutes / people)):
        engagement, _ = engage(np.random.default_rng((seed, session)), people, frames, law, None)
        for seat in range(people):
            label, valid = annotate(np.random.default_rng((seed, session, seat)), engagement[seat])
            moved = np.where(valid, label - label[valid].mean(), 0.0)
            lags = [round(lag * LABEL_RATE_HZ) for lag in LAGS_S]
            rows.append([moved[:-lag] @ moved[lag:] / np.sum(valid[:-lag] & valid[lag:]) for lag in lags])
            variances.append(moved[valid].var())
            means.append(label[valid].mean())
    variance = np.array(variances)
    return Pace(np.array(rows) / variance[:, None], float(np.sqrt(variance.mean())), float(np.std(means)))
