import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from damamba.config import EvaluateParams, Params
from damamba.console import InputError
from damamba.metrics import ccc, ccc_of_moments, find_metrics, session_moments


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


@given(st.integers(0, 2**32 - 1))
def test_moments_of_sessions_pool_to_the_ccc_of_their_frames(seed):
    random = np.random.default_rng(seed)
    pred, target = random.random((2, 100))
    valid = random.random(100) > 0.2
    pieces = [session_moments(pred[s], target[s], valid[s]) for s in (slice(0, 30), slice(30, 31), slice(31, 100))]
    assert ccc_of_moments(np.sum(pieces, axis=0)) == pytest.approx(ccc(pred, target, valid), abs=1e-12)


def test_metrics_are_found_by_name_in_the_order_of_params():
    metrics = find_metrics(EvaluateParams(split="test", metrics=("ccc",), bootstrap=10, confidence=0.9))
    assert list(metrics) == ["ccc"]
    assert metrics["ccc"].title == "CCC"


def test_an_unknown_metric_and_an_unknown_key_are_refused_with_what_is_known(tmp_path):
    text = (Path(__file__).parent.parent / "params.yaml").read_text()
    both = "metrics: [ccc, ccc_within]"
    for old, new, message in (
        (both, "metrics: [cc]", "no metric 'cc'; there are ccc, ccc_within"),
        (both, "metrics: [ccc, my.ccc]", "two have the same name: ccc, my.ccc"),
        (
            "metrics: [ccc, ccc_within]",
            "metrics: [ccc]\n  bootstrapp: 10",
            "bootstrapp: unknown key; known keys: split, metrics",
        ),
    ):
        (tmp_path / "params.yaml").write_text(text.replace(old, new))
        with pytest.raises(InputError, match=message):
            Params.load(tmp_path / "params.yaml")
    params = EvaluateParams(split="test", metrics=("ccc",), bootstrap=10, confidence=0.9, ccc={"centre": 0.4})
    with pytest.raises(InputError, match=r"params\.yaml: evaluate\.ccc: centre: Extra inputs are not permitted"):
        find_metrics(params)
    with pytest.raises(InputError, match="there is no module nowhere"):
        find_metrics(EvaluateParams(split="test", metrics=("nowhere.gaze",), bootstrap=10, confidence=0.9))


WITHIN = find_metrics(EvaluateParams(split="test", metrics=("ccc_within",), bootstrap=1, confidence=0.9))["ccc_within"]


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(2, 40), min_size=1, max_size=5))
def test_ccc_within_is_the_ccc_of_everyones_deviations_from_their_own_means(seed, lengths):
    rng = np.random.default_rng(seed)
    people = [rng.random((2, frames)) for frames in lengths]
    moments = sum(WITHIN.of_series(pred, target, everywhere(pred)) for pred, target in people)
    pred, target = np.concatenate([series - series.mean(axis=1, keepdims=True) for series in people], axis=1)
    assert WITHIN.of_moments(moments) == pytest.approx(by_scipy(pred, target), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(-0.5, 0.5))
def test_ccc_within_is_blind_to_levels(seed, shift):
    pred, target = np.random.default_rng(seed).random((2, 30))
    score = WITHIN.of_moments(WITHIN.of_series(pred, target, everywhere(pred)))
    assert WITHIN.of_moments(WITHIN.of_series(pred + shift, target, everywhere(pred))) == pytest.approx(score)
    level = np.full(30, target.mean())
    assert WITHIN.of_moments(WITHIN.of_series(level, target, everywhere(pred))) == 0


def test_ccc_within_masks_and_is_undefined_without_movement():
    pred, target = np.array([0.1, 0.9, 0.5, 0.3]), np.array([0.2, np.nan, 0.6, 0.4])
    moments = WITHIN.of_series(pred, target, np.isfinite(target))
    assert moments[0] == 3
    assert WITHIN.of_moments(moments) == pytest.approx(1)
    for constant in (np.full(7, 0.1), np.full(7, 1 / 3)):
        assert math.isnan(WITHIN.of_moments(WITHIN.of_series(constant, constant + 0.1, everywhere(constant))))
    assert math.isnan(WITHIN.of_moments(WITHIN.of_series(pred, target, np.zeros(4, bool))))
