"""Readers find a planted signal, and nothing where there is none."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from damamba.metrics import ccc
from damamba_sim.oracle.readers import Examples, chance, linear, nonlinear
from damamba_sim.oracle.results import OracleParams, oracle_results
from tests.conftest import frozen_params


@pytest.fixture(autouse=True)
def _one_thread():
    """On a busy machine, threads that wait for each other stall products of small matrices."""
    with threadpool_limits(1):
        yield


def planted(n_sessions, seed, signal=1.0):
    """Labels that two of twenty statistics predict, and session-wide habits that predict nothing."""
    rng = np.random.default_rng(seed)
    sessions = []
    for _ in range(n_sessions):
        y = 0.5 + 0.2 * rng.standard_normal((2, 1)) + 0.1 * rng.standard_normal((2, 200))
        x = rng.standard_normal((2, 200, 20)) * 0.3 + rng.standard_normal((2, 1, 20))
        x[..., 0] = signal * y + 0.05 * rng.standard_normal((2, 200))
        x[..., 1] = signal * y + x[..., 2]
        sessions.append((x, y))
    return Examples.join(sessions)


def score(predicted, labels, seat=None):
    return ccc(predicted, labels, np.ones(len(labels), bool))


def score_within(predicted, labels, seat):
    own = [np.array([series[seat == s].mean() for s in np.unique(seat)]) for series in (predicted, labels)]
    return score(*(series - means[seat - seat.min()] for series, means in zip((predicted, labels), own, strict=True)))


@pytest.mark.parametrize("reader", [linear, nonlinear])
def test_readers_find_a_planted_signal_and_no_other(reader):
    train, test = planted(30, 0), planted(12, 1)
    predicted = reader(train, test)
    assert score(predicted, test.y) > 0.8
    assert abs(chance(predicted, test, score)) < 0.25
    train, test = planted(30, 2, signal=0.0), planted(12, 3, signal=0.0)
    assert abs(score(reader(train, test), test.y)) < 0.25


def test_frames_without_a_label_are_left_out():
    x, y = np.zeros((2, 3, 4)), np.array([[0.1, np.nan, 0.3], [np.nan, 0.5, 0.6]])
    examples = Examples.join([(x, y), (x, y)])
    np.testing.assert_array_equal(examples.y, [0.1, 0.3, 0.5, 0.6] * 2)
    np.testing.assert_array_equal(examples.session, [0] * 4 + [1] * 4)
    np.testing.assert_array_equal(examples.seat, [0, 0, 1, 1, 2, 2, 3, 3])


@pytest.mark.timeout(120)
def test_the_results_have_every_view_of_every_corpus():
    simulate = frozen_params().simulate.model_copy(update={"minutes": 1.0})
    few = {"train": 0, "val": 0, "test": 2}
    sessions = {"noxi": few | {"train": 6}, "noxi_add": few, "mpiigi": few | {"val": 6}}
    oracle = OracleParams.model_validate({"seeds": [0, 1], "every_s": 5.0, "sessions": sessions})
    measures = {"ccc": score, "ccc_within": score_within}
    results = oracle_results(simulate, oracle, measures, lambda work, tasks, title: [work(task) for task in tasks])
    for corpus in ("noxi", "noxi_add", "mpiigi"):
        scores = results[corpus]
        assert set(scores["context_s"]) == {"1", "4", "15", "60"}
        assert set(scores["no_contingency"]) == {"ceiling", "target_only"}
        for name in ("ceiling", "target_only", "audio_only", "visual_only", "chance"):
            assert -1 <= scores[name] <= 1
            assert scores["spread"][name] >= 0
        assert scores["readers"].keys() == {"linear", "nonlinear"}
        assert len(scores["by_seed"]) == 2
        assert set(scores["ccc_within"]) == set(scores) - {"ccc_within"}
