"""The mean over sessions: a metric of each session by itself, in which every session counts the same.

A long session, or one whose people differ more from those of others, weighs more in a pooled score; here it does not.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Bool, Float, Num
from numpy import ndarray

from damamba.metrics import Metric
from damamba.scoring.participants import ParticipantScore
from damamba.scoring.pooling import moments_by_session

SUFFIX = "_by_session"


class SessionMean(Metric):
    """Mean over sessions of the score of each one's pooled frames; sessions that cannot be scored are left out.

    Args:
        source: Name of the metric, by which its moments are found.
        metric: Of each session.
    """

    moments = ("sum", "sessions")
    """Sum of the scores, and how many sessions have one. They add up over sessions, as all moments do."""

    def __init__(self, source: str, metric: Metric) -> None:
        super().__init__(Metric.Params())
        self.source, self.metric = source, metric
        self.title = f"{metric.title} by session"

    def of_sessions(self, moments: Float[ndarray, "*sessions moments"]) -> Float[ndarray, "*sessions 2"]:
        """Moments of sessions, from those of the metric."""
        scores = np.asarray(self.metric.of_moments(moments))
        known = self.metric.applies(moments) & np.isfinite(scores)
        return np.stack([np.where(known, scores, 0.0), known.astype(np.float64)], -1)

    def of_series(
        self, pred: Num[ndarray, "frames"], target: Num[ndarray, "frames"], valid: Bool[ndarray, "frames"]
    ) -> Float[ndarray, "2"]:
        """Of a session that consists of one participant."""
        return self.of_sessions(self.metric.of_series(pred, target, valid))

    def of_moments(self, moments: Float[ndarray, "*rows 2"]) -> Float[ndarray, "*rows"]:
        """NaN where no session has a score."""
        total, sessions = np.moveaxis(np.asarray(moments, dtype=np.float64), -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(sessions > 0, total / sessions, np.nan))


def with_session_mean(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """All metrics, and at the end the mean over sessions of the first, by which tables are led."""
    first = next(iter(metrics))
    return {**metrics, first + SUFFIX: SessionMean(first, metrics[first])}


def session_moments_of(
    participants: Iterable[ParticipantScore], name: str, metric: Metric
) -> dict[str, dict[str, ndarray]]:
    """Corpus -> session -> (K,) moments of a metric, or of a mean over sessions."""
    if not isinstance(metric, SessionMean):
        return moments_by_session((one.corpus, one.session, one.moments[name]) for one in participants)
    sessions = moments_by_session((one.corpus, one.session, one.moments[metric.source]) for one in participants)
    return {
        corpus: {session: metric.of_sessions(moments) for session, moments in own.items()}
        for corpus, own in sessions.items()
    }


def left_out(participants: Iterable[ParticipantScore], metrics: Mapping[str, Metric]) -> dict[str, int]:
    """Corpus -> sessions that have no score of the leading metric by themselves, and so no part in its mean."""
    (name, metric) = list(with_session_mean(metrics).items())[-1]
    sessions = session_moments_of(participants, name, metric)
    return {corpus: sum(int(moments[1] == 0) for moments in own.values()) for corpus, own in sessions.items()}
