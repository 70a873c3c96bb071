import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import interp1d

from damamba.data.grid import hold, resample

GRID_S = np.arange(1000) / 100


def test_a_fast_signal_on_jittered_times_is_where_it_was():
    rng = np.random.default_rng(0)
    t = 0.2 + np.cumsum(rng.uniform(0.03, 0.05, 230))

    def wave(s):
        return np.sin(2 * np.pi * 1.3 * s)[:, None]

    out, valid = resample(t, wave(t), np.ones(len(t), bool), GRID_S, 0.2, 25.0)
    inside = valid & (t[0] <= GRID_S) & (t[-1] >= GRID_S)
    assert np.abs(out - wave(GRID_S))[inside].max() < 0.03
    assert not valid[t[0] - 0.021 > GRID_S].any()
    assert not valid[t[-1] + 0.021 < GRID_S].any()


@given(st.integers(0, 50))
def test_agrees_with_scipy_between_valid_rows(seed):
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.01, 0.06, 200))
    x = rng.standard_normal((200, 3))
    out, valid = resample(t, x, np.ones(200, bool), GRID_S, 0.2, 25.0)
    inside = (t[0] <= GRID_S) & (t[-1] >= GRID_S)
    assert valid[inside].all()
    np.testing.assert_allclose(out[inside], interp1d(t, x, axis=0)(GRID_S[inside]), atol=1e-5)


def test_short_gaps_are_bridged_and_long_ones_stay_gaps():
    t = np.arange(100) / 25
    valid = np.ones(100, bool)
    valid[20:23] = False  # 160 ms between valid rows
    valid[50:60] = False  # 440 ms
    x = np.where(valid, t, np.nan)[:, None]
    out, seen = resample(t, x, valid, GRID_S, 0.2, 25.0)
    np.testing.assert_allclose(out[80:92, 0], GRID_S[80:92], atol=1e-5)
    assert seen[80:92].all()
    assert not seen[199:238].any()
    assert np.isnan(out[~seen]).all()
    assert np.isfinite(out[seen]).all()


def test_beside_a_gap_a_frame_within_half_a_step_takes_the_value_of_its_row():
    valid = np.ones(20, bool)
    valid[5:15] = False
    t = 0.1 + np.arange(20) / 25  # valid from 0.10 to 0.26 and from 0.70 to 0.86
    x = np.arange(20.0)[:, None]
    out, seen = resample(t, x, valid, GRID_S, 0.2, 25.0)
    assert np.flatnonzero(seen).tolist() == [*range(8, 29), *range(68, 89)]
    assert out[[8, 9, 10, 26, 27, 28, 68, 69, 70, 86, 87, 88], 0].tolist() == [0, 0, 0, 4, 4, 4, 15, 15, 15, 19, 19, 19]


def test_slow_streams_are_not_gaps():
    t = np.arange(10) * 1.0  # 1 Hz, slower than max_gap_s
    _, seen = resample(t, t[:, None], np.ones(10, bool), GRID_S, 0.2, 1.0)
    assert seen[:900].all()


def test_nothing_valid_gives_nothing():
    out, seen = resample(np.arange(3.0), np.full((3, 2), np.nan), np.zeros(3, bool), GRID_S, 0.2, 25.0)
    assert not seen.any()
    assert np.isnan(out).all()


def test_a_row_is_held_from_when_it_is_known_until_the_next_one():
    known = np.array([0.1, 0.2, 0.4])
    out, seen = hold(known, np.array([[1.0], [2.0], [3.0]]), np.ones(3, bool), GRID_S[:50], 0.2, 25.0)
    assert not seen[:10].any()
    assert (out[10:20] == 1).all()
    assert (out[20:40] == 2).all()
    assert (out[40:50] == 3).all()
    assert seen[10:].all()


def test_a_row_is_held_for_a_gap_at_most_and_a_missing_row_ends_it_at_once():
    known = np.array([0.0, 0.04, 0.5, 0.54])
    out, seen = hold(known, np.arange(4.0)[:, None], np.array([True, True, True, False]), GRID_S[:70], 0.2, 25.0)
    assert np.flatnonzero(seen).tolist() == [*range(25), *range(50, 54)]
    assert np.isnan(out[~seen]).all()


def test_a_slow_row_is_held_for_its_step():
    known = np.arange(3) * 1.0
    _, seen = hold(known, known[:, None], np.ones(3, bool), GRID_S[:300], 0.2, 1.0)
    assert seen.all()


@pytest.mark.parametrize("rate_hz", [25, 30, 10, 50])
def test_a_row_at_a_grid_time_is_known_there_whatever_the_last_digit(rate_hz):
    """k / 25 and 4 k / 100 may differ in their last digit."""
    known = np.arange(0, 5 * rate_hz, rate_hz // np.gcd(rate_hz, 100)) / rate_hz
    out, _ = hold(known, known[:, None], np.ones(len(known), bool), known + 0.0, 0.2, rate_hz)
    np.testing.assert_array_equal(out[:, 0], known.astype(np.float32))
    across = np.round(known * 100).astype(int)
    out, _ = hold(known, known[:, None], np.ones(len(known), bool), across / 100, 0.2, rate_hz)
    np.testing.assert_array_equal(out[:, 0], known.astype(np.float32))


@given(st.integers(0, 99), st.floats(0.5, 7.5))
def test_nothing_that_is_known_later_changes_a_held_frame(seed, event_s):
    rng = np.random.default_rng(seed)
    known = np.cumsum(rng.uniform(0.001, 0.3, 60))
    x, valid = rng.normal(size=(60, 2)), rng.random(60) < 0.8
    later = known >= event_s
    after = known + np.where(later, rng.uniform(0, 0.0005, 60), 0)
    changed = hold(after, np.where(later[:, None], 9.0, x), np.where(later, ~valid, valid), GRID_S, 0.2, 10.0)
    for one, other in zip(hold(known, x, valid, GRID_S, 0.2, 10.0), changed, strict=True):
        np.testing.assert_array_equal(one[event_s - 1e-6 > GRID_S], other[event_s - 1e-6 > GRID_S])
