"""Annotations: formats out and in, clocks, several annotators."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.corpus.agreement import merge
from damamba.corpus.annotations import Annotation, in_steps, read_annotation, write_annotation
from damamba.corpus.labels import Labels


def labels_of(values):
    values = np.array(values, np.float32)
    return Labels(values, np.isfinite(values))


def beside(path):
    return path.with_name(path.name + "~")


scores = st.lists(st.one_of(st.floats(0, 1, width=32), st.just(float("nan"))), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(scores, st.sampled_from([".csv", ".annotation"]))
def test_labels_that_are_written_and_read_are_the_same(tmp_path_factory, values, suffix):
    folder = tmp_path_factory.mktemp("a")
    first, second = folder / f"first{suffix}", folder / f"second{suffix}"
    labels = labels_of(values)
    write_annotation(first, labels, annotator="Zoë & <co>", role="expert")
    read = read_annotation(first)
    np.testing.assert_allclose(read.value, labels.value, atol=5e-7 if suffix == ".csv" else 0)
    again = read.labels(len(labels))
    np.testing.assert_array_equal(again.valid, labels.valid)
    write_annotation(second, again, annotator="Zoë & <co>", role="expert")
    assert second.read_bytes() == first.read_bytes()
    if suffix == ".annotation":
        assert beside(second).read_bytes() == beside(first).read_bytes()
        assert read.annotator == "Zoë & <co>"


@settings(deadline=None, max_examples=60)
@given(scores, st.sampled_from([0.04, 0.2, 1.0]))
def test_steps_for_elan_are_read_back_as_written(tmp_path_factory, values, step_s):
    folder = tmp_path_factory.mktemp("a")
    labels = labels_of(values)
    write_annotation(folder / "a.eaf", labels, step_s=step_s, annotator="da-mamba")
    if (in_steps(labels, step_s).valid).any():
        read = read_annotation(folder / "a.eaf")
        assert read.annotator == "da-mamba"
        write_annotation(folder / "b.eaf", read.labels(len(labels)), step_s=step_s, annotator="da-mamba")
        assert (folder / "b.eaf").read_bytes() == (folder / "a.eaf").read_bytes()
        if step_s == 0.04:
            np.testing.assert_allclose(read.labels(len(labels)).value, labels.value, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"), [("a.doc", "annotations end in"), ("a.eaf", "no such file"), ("a.csv", "no such")]
)
def test_what_is_no_annotation_is_refused(tmp_path, name, expected):
    with pytest.raises(InputError, match=expected):
        read_annotation(tmp_path / name)


def test_only_elan_has_tiers(tmp_path):
    with pytest.raises(InputError, match="only ELAN"):
        read_annotation(tmp_path / "a.csv", "rating")


def test_a_late_annotator_is_moved_back():
    labels = labels_of(np.linspace(0, 1, 100))
    edges_s = np.arange(101) / 25
    annotation = Annotation(edges_s[:-1], edges_s[1:], labels.value)
    moved = annotation.labels(100, lag_s=0.4)
    np.testing.assert_allclose(moved.value[:90], labels.value[10:], atol=1e-6)
    assert moved.valid.tolist() == [True] * 90 + [False] * 10
    half = annotation.labels(100, lag_s=0.02)
    np.testing.assert_allclose(half.value[:99], (labels.value[:-1] + labels.value[1:]) / 2, atol=1e-6)


@given(
    st.lists(
        st.tuples(st.floats(0, 0.2), st.floats(0.01, 0.5), st.one_of(st.floats(0, 1), st.just(np.nan))), max_size=8
    ),
    st.floats(-0.3, 0.3),
)
def test_labels_are_the_mean_over_their_time(stretches, lag_s):
    starts, ends, t_s = [], [], 0.0
    for gap_s, long_s, _ in stretches:
        starts.append(t_s + gap_s)
        t_s = starts[-1] + long_s
        ends.append(t_s)
    value = np.array([value for *_, value in stretches], np.float32)
    labels = Annotation(np.array(starts), np.array(ends), value).labels(100, lag_s)
    for i in range(100):  # the definition, one label and one stretch after the other
        covered_s = weighted_s = 0.0
        for start_s, end_s, score in zip(starts, ends, value.tolist(), strict=True):
            common_s = min(end_s - lag_s, (i + 1) / 25) - max(start_s - lag_s, i / 25)
            if common_s > 0 and not np.isnan(score):
                covered_s += common_s
                weighted_s += common_s * score
        if abs(covered_s - 0.02) > 1e-6:
            assert labels.valid[i] == (covered_s > 0.02)
        if labels.valid[i]:
            assert labels.value[i] == pytest.approx(weighted_s / covered_s, abs=1e-5)


def test_merging_by_mean_ignores_missing_annotations():
    merged = merge([labels_of([0.2, np.nan, 0.4]), labels_of([0.4, 0.6])])
    np.testing.assert_allclose(merged.labels.value, [0.3, 0.6, 0.4], atol=1e-7)
    strict = merge([labels_of([0.2, np.nan, 0.4]), labels_of([0.4, 0.6])], min_annotators=2)
    assert strict.labels.valid.tolist() == [True, False, False]


def test_the_weighted_estimator_trusts_those_who_agree():
    rng = np.random.default_rng(0)
    truth = 0.5 + 0.3 * np.sin(np.arange(500) / 20)
    good = [labels_of(np.clip(truth + rng.normal(0, 0.05, 500), 0, 1)) for _ in range(2)]
    noise = labels_of(rng.uniform(0, 1, 500))
    opposite = labels_of(1 - truth)
    merged = merge([*good, noise], "ewe")
    assert merged.weights[2] < 0.1 < 0.4 < min(merged.weights[:2])
    assert sum(merged.weights) == pytest.approx(1)
    assert np.abs(merged.labels.value - truth).mean() < np.abs(merge([*good, noise]).labels.value - truth).mean()
    assert merge([*good, opposite], "ewe").weights[2] == 0


def test_agreement_is_the_correlation_with_the_others():
    rng = np.random.default_rng(1)
    values = np.clip(rng.uniform(0, 1, (1, 300)) + rng.normal(0, 0.2, (3, 300)), 0, 1).astype(np.float32)
    values[1, :20] = np.nan
    expected = []
    for i in range(3):
        others = np.nanmean(np.delete(values, i, 0), axis=0)
        here = np.isfinite(values[i])
        expected.append(np.corrcoef(values[i, here], others[here])[0, 1])
    weights = merge([labels_of(v) for v in values], "ewe").weights
    np.testing.assert_allclose(weights, np.array(expected) / sum(expected), atol=1e-6)


def test_annotators_without_agreement_are_refused():
    constant = labels_of([0.5] * 10)
    with pytest.raises(InputError, match="no annotator agrees"):
        merge([constant, constant], "ewe")
    assert merge([constant], "ewe").weights == (1.0,)
    with pytest.raises(InputError, match="at least 3"):
        merge([constant, constant], min_annotators=3)
    with pytest.raises(InputError, match="0 annotators"):
        merge([])


@pytest.mark.parametrize("step_s", [0, 0.03, -1, float("nan"), float("inf")])
def test_a_step_is_a_number_of_labels(tmp_path, step_s):
    with pytest.raises(InputError, match=re.escape(f"a step of {step_s:g} s")):
        write_annotation(tmp_path / "a.eaf", labels_of([0.5]), step_s=step_s)


def test_names_that_xml_does_not_allow_are_refused(tmp_path):
    for suffix in (".eaf", ".annotation"):
        with pytest.raises(InputError, match="a character that XML does not allow"):
            write_annotation(tmp_path / f"a{suffix}", labels_of([0.5] * 25), annotator="a\0b")
    with pytest.raises(InputError, match="annotations end in"):
        write_annotation(tmp_path / "a.xlsx", labels_of([0.5]))
    assert not list(tmp_path.iterdir())
