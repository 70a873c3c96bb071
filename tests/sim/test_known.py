"""Readers find what is there, and nothing where there is nothing."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from damamba_sim.oracle.known import OracleParams, answer
from damamba_sim.oracle.readers import Readings, chance, linear, nonlinear, score
from tests.conftest import frozen_params


@pytest.fixture(autouse=True)
def _one_thread():
    """Products of small matrices stall where threads wait for each other on a busy machine."""
    with threadpool_limits(1):
        yield


def planted(n_sessions, seed, signal=1.0):
    """Labels that two of twenty statistics tell, and session-wide habits that tell nothing."""
    rng = np.random.default_rng(seed)
    sessions = []
    for _ in range(n_sessions):
        y = 0.5 + 0.2 * rng.standard_normal((2, 1)) + 0.1 * rng.standard_normal((2, 200))
        x = rng.standard_normal((2, 200, 20)) * 0.3 + rng.standard_normal((2, 1, 20))
        x[..., 0] = signal * y + 0.05 * rng.standard_normal((2, 200))
        x[..., 1] = signal * y + x[..., 2]
        sessions.append((x, y))
    return Readings.join(sessions)


@pytest.mark.parametrize("reader", [linear, nonlinear])
def test_readers_find_what_is_there_and_no_more(reader):
    train, test = planted(30, 0), planted(12, 1)
    told = reader(train, test)
    assert score(told, test) > 0.8
    assert abs(chance(told, test)) < 0.25
    nothing = planted(30, 2, signal=0.0), planted(12, 3, signal=0.0)
    assert abs(score(reader(*nothing), nothing[1])) < 0.25


def test_frames_without_a_label_are_left_out():
    x, y = np.zeros((2, 3, 4)), np.array([[0.1, np.nan, 0.3], [np.nan, 0.5, 0.6]])
    held = Readings.join([(x, y), (x, y)])
    np.testing.assert_array_equal(held.y, [0.1, 0.3, 0.5, 0.6] * 2)
    np.testing.assert_array_equal(held.session, [0] * 4 + [1] * 4)


@pytest.mark.timeout(120)
def test_the_answer_has_every_view_of_every_corpus():
    simulate = frozen_params().simulate.model_copy(update={"minutes": 1.0, "law": "full"})
    few = {"train": 0, "val": 0, "test": 2}
    sessions = {"noxi": few | {"train": 6}, "noxi_add": few, "mpiigi": few | {"val": 6}}
    oracle = OracleParams.model_validate({"seeds": [0, 1], "every_s": 5.0, "sessions": sessions})
    found = answer(simulate, oracle, lambda work, tasks, title: [work(task) for task in tasks])
    for corpus in ("noxi", "noxi_add", "mpiigi"):
        held = found[corpus]
        assert set(held["context_s"]) == {"1", "4", "15", "60"}
        assert set(held["no_contingency"]) == {"ceiling", "target_only"}
        for name in ("ceiling", "target_only", "audio_only", "visual_only", "chance"):
            assert -1 <= held[name] <= 1
            assert held["spread"][name] >= 0
        assert held["readers"].keys() == {"linear", "nonlinear"}
        assert len(held["by_seed"]) == 2
