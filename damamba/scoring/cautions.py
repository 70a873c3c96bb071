"""What makes a table of scores doubtful: one session that decides, and predictions that do not move.

**One session decides** a score, if without it the score moves by more than half the width of its interval; and the
order of the first two rows, if without it they change places. Only the leading metric is looked at.
**Constant** are predictions whose standard deviation is 0 to four decimals; of classes, if there is only one.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from damamba.metrics import ClassMetric, Metric
from damamba.scoring.by_session import session_moments_of
from damamba.scoring.participants import ParticipantScore
from damamba.scoring.pooling import GLOBAL
from damamba.text import number, some

ALIKE = 5e-5
"""Standard deviation of constant predictions at most: on file, it is 0.0000."""
SHOWN = 5e-4
"""A difference of scores that shows in the third decimal."""

Ends = Mapping[str, Sequence[float | None]]
"""Corpus or Global -> ends of the interval."""


def cautions(
    rows: Mapping[str, Sequence[Sequence[ParticipantScore]]],
    intervals: Mapping[str, Ends],
    metrics: Mapping[str, Metric],
) -> list[str]:
    """A line for each reason to doubt the scores.

    Args:
        rows: Variant -> participants of each of its seeds; all the same people.
        intervals: Variant -> intervals of its mean score by the leading metric.
        metrics: What is scored, by name; the first leads.
    """
    name, metric = next(iter(metrics.items()))
    moved = {variant: _Jackknife(seeds, name, metric) for variant, seeds in rows.items()}
    return [
        *_deciding(moved, intervals, metric.title),
        *_order(moved, metric.title),
        *_constant(rows, metrics),
    ]


class _Jackknife:
    """Scores of a variant, and what they are without each session: means over seeds."""

    def __init__(self, seeds: Sequence[Sequence[ParticipantScore]], name: str, metric: Metric) -> None:
        of_seeds = [session_moments_of(participants, name, metric) for participants in seeds]
        self.scores: dict[str, float] = {}
        self.without: dict[str, dict[str, float]] = {}
        """Corpus -> session -> score of the corpus without it; none where it is the only one."""
        for corpus, sessions in of_seeds[0].items():
            moments = np.stack([np.stack([own[corpus][session] for session in sessions]) for own in of_seeds])
            totals = moments.sum(1, keepdims=True)  # (seeds, 1, K)
            self.scores[corpus] = float(metric.of_moments(totals[:, 0]).mean())
            left = metric.of_moments(totals - moments).mean(0)
            self.without[corpus] = dict(zip(sessions, left.tolist(), strict=True)) if len(sessions) > 1 else {}

    @property
    def score(self) -> float:
        """Global."""
        return float(np.mean(list(self.scores.values())))

    def steps(self) -> dict[tuple[str, str], float]:
        """(corpus, session) -> how far Global moves without it."""
        return {
            (corpus, session): (left - self.scores[corpus]) / len(self.scores)
            for corpus, sessions in self.without.items()
            for session, left in sessions.items()
        }


def _deciding(moved: Mapping[str, _Jackknife], intervals: Mapping[str, Ends], title: str) -> Iterator[str]:
    """Lines about corpora, and Global, of which a session decides the score."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for variant, one in moved.items():
        places = [(corpus, score, one.without[corpus]) for corpus, score in one.scores.items()]
        if len(places) > 1:
            everywhere = {f"{corpus}/{session}": one.score + step for (corpus, session), step in one.steps().items()}
            places.append((GLOBAL, one.score, everywhere))
        for place, score, without in places:
            low, high = intervals[variant][place]
            for session, left in without.items():
                if low is None or high is None or not math.isfinite(score):
                    continue
                if not math.isfinite(left) or abs(left - score) > (high - low) / 2:
                    shown = number(left) if math.isfinite(left) else "undefined"
                    found[place, session].append(f"{variant} {number(score)} → {shown}")
    for (place, session), changes in found.items():
        yield f"{place}: session {session} decides; {title} without it: {some(changes, 3)}"
    for corpus in next(iter(moved.values())).scores:
        if all(not one.without[corpus] for one in moved.values()):
            yield f"{corpus}: its score is that of one session"


def _order(moved: Mapping[str, _Jackknife], title: str) -> Iterator[str]:
    """A line where a session decides which of the first two variants is the better one."""
    ranked = sorted((v for v in moved if math.isfinite(moved[v].score)), key=lambda v: -moved[v].score)
    if len(ranked) < 2:
        return
    first, second = moved[ranked[0]], moved[ranked[1]]
    ahead = first.score - second.score
    if ahead < SHOWN:
        return  # a tie has no order
    steps, others = first.steps(), second.steps()
    turned = ["/".join(key) for key, step in steps.items() if ahead + step - others[key] < -SHOWN]
    if turned:
        sessions = f"session {turned[0]}" if len(turned) == 1 else f"one of the sessions {some(turned, 3)}"
        yield f"{title} {GLOBAL}: without {sessions}, {ranked[1]} is ahead of {ranked[0]}"


def _constant(rows: Mapping[str, Sequence[Sequence[ParticipantScore]]], metrics: Mapping[str, Metric]) -> Iterator[str]:
    """Lines about variants whose predictions, or those of some people, do not move."""
    for variant, seeds in rows.items():
        for place, participants in enumerate(seeds, 1):
            scored = [one for one in participants if one.frames]
            levels = {one.key: level for one in scored if (level := _level(one, metrics)) is not None}
            which = f"{variant} (row {place} of its {len(seeds)} seeds)" if len(seeds) > 1 else variant
            if not levels:
                continue
            if len(levels) == len(scored) and max(levels.values()) - min(levels.values()) < 2 * ALIKE:
                yield f"{which}: its predictions are constant"
            else:
                names = some(map("/".join, levels), 3)
                yield f"{which}: constant predictions for {len(levels)} of {len(scored)} participants: {names}"


def _level(one: ParticipantScore, metrics: Mapping[str, Metric]) -> float | None:
    """The value, or number of the class, of constant predictions; None where they move."""
    if one.std_prediction is not None:
        return one.mean_prediction if one.std_prediction < ALIKE else None
    name, metric = next((name, metric) for name, metric in metrics.items() if isinstance(metric, ClassMetric))
    (predicted,) = np.nonzero(metric.confusion(one.moments[name]).sum(-2))
    return float(predicted[0]) if len(predicted) == 1 else None
