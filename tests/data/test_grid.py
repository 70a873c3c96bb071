import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import interp1d

from damamba.data.grid import resample

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


def test_slow_streams_are_not_gaps():
    t = np.arange(10) * 1.0  # 1 Hz, slower than max_gap_s
    _, seen = resample(t, t[:, None], np.ones(10, bool), GRID_S, 0.2, 1.0)
    assert seen[:900].all()


def test_nothing_valid_gives_nothing():
    out, seen = resample(np.arange(3.0), np.full((3, 2), np.nan), np.zeros(3, bool), GRID_S, 0.2, 25.0)
    assert not seen.any()
    assert np.isnan(out).all()
