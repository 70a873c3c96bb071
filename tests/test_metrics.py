import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from damamba.metrics import (
    bootstrap_difference,
    bootstrap_interval,
    ccc,
    ccc_of_moments,
    global_ccc,
    session_moments,
)


def everywhere(series):
    return np.ones(len(series), dtype=bool)


def by_scipy(pred, target):
    """Lin's other form: Pearson correlation times the bias correction."""
    scale = np.std(pred) / np.std(target)
    shift = (np.mean(pred) - np.mean(target)) / math.sqrt(np.std(pred) * np.std(target))
    return stats.pearsonr(pred, target).statistic * 2 / (scale + 1 / scale + shift**2)


@given(st.integers(0, 2**32 - 1), st.integers(3, 300))
def test_ccc_equals_correlation_times_bias_correction(seed, frames):
    pred, target = np.random.default_rng(seed).random((2, frames))
    assert ccc(pred, target, everywhere(pred)) == pytest.approx(by_scipy(pred, target), abs=1e-12)


def test_ccc_has_population_moments():
    # Dividing by n - 1, as torchmetrics does, gives 0.97773.
    pred, target = np.array([3.0, -0.5, 2.0, 7.0]), np.array([2.5, 0.0, 2.0, 8.0])
    assert ccc(pred, target, everywhere(pred)) == pytest.approx(by_scipy(pred, target))
    assert ccc(pred, target, everywhere(pred)) == pytest.approx(0.97678916, abs=1e-6)


def test_ccc_pairs_by_frame_then_masks():
    pred, target = np.array([0.1, 0.9, 0.5, 0.3]), np.array([0.1, np.nan, 0.5, 0.3])
    assert ccc(pred, target, np.isfinite(target)) == pytest.approx(1)


@given(st.integers(0, 2**32 - 1))
def test_ccc_is_symmetric_and_bounded(seed):
    pred, target = np.random.default_rng(seed).random((2, 20))
    score = ccc(pred, target, everywhere(pred))
    assert -1 <= score <= 1
    assert score == pytest.approx(ccc(target, pred, everywhere(pred)))


def test_a_constant_prediction_scores_zero():
    assert ccc(np.full(5, 0.4), np.arange(5) / 5, everywhere(range(5))) == 0


@pytest.mark.parametrize(
    ("pred", "target", "valid"),
    [
        ([], [], []),
        ([0.5, 0.5], [0.1, 0.9], [False, False]),
        ([0.5], [0.5], [True]),
        ([0.5, 0.5], [0.5, 0.5], [True] * 2),
        ([0.1] * 1000, [0.1] * 1000, [True] * 1000),  # whose mean is not 0.1 in double precision
    ],
)
def test_ccc_without_information_is_undefined(pred, target, valid):
    series = np.array(pred, dtype=float), np.array(target, dtype=float), np.array(valid, dtype=bool)
    assert math.isnan(ccc(*series))
    assert math.isnan(ccc_of_moments(session_moments(*series)))


def corpus(seed, sessions=8, noise=0.1):
    random = np.random.default_rng(seed)
    moments = []
    for _ in range(sessions):
        target = np.clip(random.uniform(0.3, 0.7) + 0.1 * random.standard_normal(random.integers(50, 200)), 0, 1)
        pred = target + noise * np.random.default_rng(seed + 1).standard_normal(len(target))
        moments.append(session_moments(pred, target, everywhere(target)))
    return np.stack(moments)


@given(st.integers(0, 2**32 - 1))
def test_moments_of_sessions_pool_to_the_ccc_of_their_frames(seed):
    random = np.random.default_rng(seed)
    pred, target = random.random((2, 100))
    valid = random.random(100) > 0.2
    pieces = [session_moments(pred[s], target[s], valid[s]) for s in (slice(0, 30), slice(30, 31), slice(31, 100))]
    assert global_ccc([np.stack(pieces)]) == pytest.approx(ccc(pred, target, valid), abs=1e-12)


def test_global_ccc_is_the_mean_over_corpora():
    first, second = corpus(0), corpus(1, noise=0.3)
    assert global_ccc([first, second]) == pytest.approx((global_ccc([first]) + global_ccc([second])) / 2)


def test_bootstrap_interval_is_that_of_resampled_sessions():
    sessions = corpus(0)
    low, high = bootstrap_interval([sessions], resamples=4000, confidence=0.9)
    assert low < global_ccc([sessions]) < high
    random = np.random.default_rng(5)
    slow = [ccc_of_moments(sessions[random.integers(0, 8, 8)].sum(0)) for _ in range(4000)]
    assert np.allclose((low, high), np.quantile(slow, [0.05, 0.95]), atol=0.01)
    assert (low, high) == bootstrap_interval([sessions], resamples=4000, confidence=0.9)


def test_one_session_says_nothing_about_others():
    assert all(map(math.isnan, bootstrap_interval([corpus(0, sessions=1)], resamples=10, confidence=0.9)))


def test_a_model_does_not_differ_from_itself():
    assert bootstrap_difference([corpus(0)], [corpus(0)], resamples=50, confidence=0.95) == (0, 0, 0)


def test_paired_difference_is_sharper_than_the_intervals():
    better, worse = [corpus(0, noise=0.1)], [corpus(0, noise=0.11)]
    difference, low, high = bootstrap_difference(better, worse, resamples=1000, confidence=0.95)
    assert 0 < low < difference < high
    own_low, own_high = bootstrap_interval(better, resamples=1000, confidence=0.95)
    assert high - low < (own_high - own_low) / 3


def test_paired_difference_refuses_other_sessions():
    with pytest.raises(ValueError, match="same sessions"):
        bootstrap_difference([corpus(0)], [corpus(0, sessions=7)], resamples=10, confidence=0.95)
