"""Pooled scores and bootstraps, against the same from the frames themselves."""

import math

import numpy as np
import pytest

from damamba.metrics.ccc import CCC
from damamba.scoring.participants import ParticipantScore
from damamba.scoring.pooling import (
    bootstrap_interval,
    global_score,
    moments_by_session,
    percentile_interval,
    resampled_scores,
    stacked,
)
from damamba.scoring.runs import RunResult

METRIC = CCC(CCC.Params())


def series(seed, sessions=8, noise=0.1):
    """Predictions and labels of each session."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(sessions):
        target = np.clip(random.uniform(0.3, 0.7) + 0.1 * random.standard_normal(random.integers(50, 200)), 0, 1)
        made.append((target + noise * np.random.default_rng(seed + 1).standard_normal(len(target)), target))
    return made


def corpus(seed, sessions=8, noise=0.1, metric=METRIC):
    return np.stack([metric.of_series(p, t, np.ones(len(p), bool)) for p, t in series(seed, sessions, noise)])


def test_participants_of_a_session_are_summed_and_corpora_kept_apart():
    rows = [("a", "1", [1.0, 2.0]), ("b", "1", [5.0, 5.0]), ("a", "2", [7.0, 8.0]), ("a", "1", [3.0, 4.0])]
    sessions = moments_by_session((c, s, np.array(moments)) for c, s, moments in rows)
    assert {c: list(held) for c, held in sessions.items()} == {"a": ["1", "2"], "b": ["1"]}
    assert stacked(sessions["a"]).tolist() == [[4.0, 6.0], [7.0, 8.0]]


def test_the_global_score_is_the_mean_over_corpora():
    first, second = corpus(0), corpus(1, noise=0.3)
    assert global_score(METRIC, [first, second]) == pytest.approx(
        (global_score(METRIC, [first]) + global_score(METRIC, [second])) / 2
    )


def test_the_interval_is_that_of_resampled_sessions():
    sessions = corpus(0)
    low, high = bootstrap_interval(METRIC, [sessions], resamples=4000, confidence=0.9)
    assert low < global_score(METRIC, [sessions]) < high
    random = np.random.default_rng(5)
    slow = [METRIC.of_moments(sessions[random.integers(0, 8, 8)].sum(0)) for _ in range(4000)]
    assert np.allclose((low, high), np.quantile(slow, [0.05, 0.95]), atol=0.01)
    assert (low, high) == bootstrap_interval(METRIC, [sessions], resamples=4000, confidence=0.9)


def test_one_session_has_no_interval():
    sessions = [corpus(0, sessions=1)]
    assert all(map(math.isnan, bootstrap_interval(METRIC, sessions, resamples=10, confidence=0.9)))


def test_runs_are_resampled_alike_so_that_a_paired_difference_is_sharper_than_the_intervals():
    better, worse = [corpus(0, noise=0.1)], [corpus(0, noise=0.11)]
    own = resampled_scores(METRIC, better, 1000)
    assert np.array_equal(own, resampled_scores(METRIC, better, 1000))
    low, high = percentile_interval(own - resampled_scores(METRIC, worse, 1000), 0.95, better)
    assert 0 < low < global_score(METRIC, better) - global_score(METRIC, worse) < high
    own_low, own_high = percentile_interval(own, 0.95, better)
    assert high - low < (own_high - own_low) / 3


def result(*sessions):
    """A run whose sessions have these predictions' noise and numbers of participants."""
    rows = []
    for number, (noise, people) in enumerate(sessions):
        for person in range(people):
            ((pred, target),) = series(100 * number + person, 1, noise)
            moments = {"ccc": METRIC.of_series(pred, target, np.ones(len(pred), bool))}
            rows.append(ParticipantScore("noxi", f"s{number}", f"p{person}", "", "", len(pred), 0, moments, None))
    return RunResult("da_mamba-0", "da_mamba", 0, {}, tuple(rows))


def test_the_median_session_is_one_of_the_dyads_and_the_lower_of_two():
    assert result((0.4, 2), (0.1, 2), (0.01, 2)).median_session("ccc", METRIC) == ("noxi", "s1")
    assert result((0.4, 2), (0.1, 2), (0.01, 2), (0.05, 2)).median_session("ccc", METRIC) == ("noxi", "s1")
    assert result((0.1, 3), (0.4, 2), (0.01, 3)).median_session("ccc", METRIC) == ("noxi", "s1")
    assert result((0.01, 3), (0.1, 4), (0.4, 3)).median_session("ccc", METRIC) == ("noxi", "s1")
