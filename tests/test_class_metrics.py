"""Scores of classes beside those of scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from damamba.config import EvaluateParams, LabelParams
from damamba.console import InputError
from damamba.metrics import find_metrics
from damamba.scoring.pooling import resampled_scores

CLASSES = ("low", "middle", "high", "top")
ORDINAL = LabelParams(kind="ordinal", classes=CLASSES)


def found(*names, labels=ORDINAL, **settings):
    params = {"split": "test", "metrics": names, "bootstrap": 10, "confidence": 0.95, **settings}
    return find_metrics(EvaluateParams.model_validate(params), labels)


def series(seed, n, classes=4):
    rng = np.random.default_rng(seed)
    target = rng.integers(classes, size=n).astype(float)
    return np.where(rng.random(n) < 0.5, target, rng.integers(classes, size=n)), target, rng.random(n) < 0.8


@given(st.integers(0, 2**32 - 1), st.integers(20, 300), st.integers(2, 4), st.sampled_from(["linear", "quadratic"]))
def test_scores_equal_those_of_scikit_learn(seed, frames, classes, weights):
    pred, target, valid = series(seed, frames, classes)
    p, t = pred[valid], target[valid]
    expected = {
        "kappa": reference.cohen_kappa_score(t, p),
        "weighted_kappa": reference.cohen_kappa_score(t, p, labels=range(4), weights=weights),
        "macro_f1": reference.f1_score(t, p, average="macro"),
    }
    for name, metric in found(*expected, weighted_kappa={"weights": weights}).items():
        score = metric.of_moments(metric.of_series(pred, np.where(valid, target, np.nan), valid))
        assert score == pytest.approx(expected[name], abs=1e-12), name


def test_counts_add_up_over_participants_and_resamples():
    people = [series(seed, 50) for seed in range(3)]
    pooled = [np.concatenate(parts) for parts in zip(*people, strict=True)]
    for metric in found("kappa", "weighted_kappa", "macro_f1").values():
        moments = np.stack([metric.of_series(*one) for one in people])
        np.testing.assert_array_equal(moments.sum(0), metric.of_series(*pooled))
        assert np.isfinite(resampled_scores(metric, [moments], 5)).all()


def test_undefined_scores_are_not_a_number():
    constant = np.ones(9)
    kappa, f1 = found("kappa", "macro_f1").values()
    everywhere = np.ones(9, bool)
    assert np.isnan(kappa.of_moments(kappa.of_series(constant, constant, everywhere)))
    assert kappa.of_moments(kappa.of_series(constant, 1 - constant, everywhere)) == 0
    assert f1.of_moments(f1.of_series(constant, constant, everywhere)) == 1
    assert np.isnan(f1.of_moments(f1.of_series(constant, constant, ~everywhere)))


@pytest.mark.parametrize(("labels", "name"), [(ORDINAL, "ccc"), (LabelParams(), "kappa")])
def test_a_metric_of_another_kind_is_refused(labels, name):
    with pytest.raises(InputError, match=rf"evaluate.metrics: {name} compares .* labels.kind is {labels.kind}"):
        found(name, labels=labels)


def test_a_weighted_kappa_needs_an_order():
    with pytest.raises(InputError, match="compares ordinal labels"):
        found("weighted_kappa", labels=LabelParams(kind="categorical", classes=CLASSES))
