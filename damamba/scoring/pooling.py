"""Scores of pooled sessions, and how far they would move with other sessions; for any metric.

Moments of a metric add up over participants, sessions and resamples, so a thousand resamples are one matrix product.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from damamba.metrics import Metric

GLOBAL = "global"
"""Stands beside the corpora in every table of scores: their mean."""
SEED = 0
"""Of every draw: runs are resampled alike, so that their differences are paired."""


def moments_by_session(participants: Iterable[tuple[str, str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
    """Corpus -> session -> (K,) moments. Participants of a session are summed, as they are resampled together.

    Args:
        participants: Corpus, session and (K,) moments of each.
    """
    sums: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for corpus, session, moments in participants:
        sums[corpus][session] = sums[corpus].get(session, np.zeros(len(moments))) + moments
    return dict(sums)


def stacked(sessions: Mapping[str, np.ndarray]) -> np.ndarray:
    """(sessions, K) moments of one corpus."""
    return np.stack(list(sessions.values()))


def global_score(metric: Metric, corpora: Sequence[np.ndarray]) -> float:
    """Mean over corpora of the score of each one's pooled frames; that score itself where there is one corpus."""
    return float(np.mean([metric.of_moments(sessions.sum(axis=0)) for sessions in corpora]))


def bootstrap_interval(
    metric: Metric, corpora: Sequence[np.ndarray], *, resamples: int, confidence: float
) -> tuple[float, float]:
    """Percentile interval of `global_score` when the sessions of each corpus are drawn again with replacement.

    Sessions are drawn, not frames, because neighbouring frames are nearly copies of each other.

    Args:
        metric: What is scored.
        corpora: (sessions, K) moments of each corpus.
        resamples: How often.
        confidence: Share of the resamples inside, e.g. 0.95.

    Returns:
        (low, high); NaN where a corpus has fewer than two sessions, from which nothing follows about others.

    Source:
        Efron & Tibshirani 1993, chapter 13.
    """
    return percentile_interval(resampled_scores(metric, corpora, resamples), confidence, corpora)


def resampled_scores(metric: Metric, corpora: Sequence[np.ndarray], resamples: int) -> np.ndarray:
    """(resamples,) `global_score` of each resample; the draw depends on the numbers of sessions alone."""
    generator = np.random.default_rng(SEED)
    scores = []
    for sessions in corpora:
        drawn = generator.multinomial(len(sessions), np.full(len(sessions), 1 / len(sessions)), size=resamples)
        scores.append(metric.of_moments(drawn @ sessions))
    return np.mean(scores, axis=0)


def percentile_interval(scores: np.ndarray, confidence: float, corpora: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends of the middle `confidence` of the scores; resamples without a defined score are left out."""
    scores = scores[np.isfinite(scores)]
    if not len(scores) or min(len(sessions) for sessions in corpora) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(scores, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def defined(score: float) -> float | None:
    """A score as JSON can hold it: None where it is undefined."""
    return float(score) if math.isfinite(score) else None
