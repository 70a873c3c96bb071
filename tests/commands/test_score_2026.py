"""`damamba score` of the challenge of 2026 against scikit-learn and the definition, on a whole submission."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from damamba.corpus.challenge import WEIGHTS_2026
from damamba.corpus.release import CLASSES
from damamba.scoring.disparity import disparity, disparity_between
from tests.commands.challenge import by_definition, score, write

ENGAGED = {
    "noxi": ("noxi/test-base/002", "noxi-base/002", "expert"),
    "noxi_add": ("noxi/test-additional/015", "noxi-additional/015", "novice"),
    "mpiigi": ("mpiigroupinteraction/test/001", "mpiigroupinteraction/001", "subjectPos1"),
    "noxi_j": ("noxi-j/test/100", "noxi-j/100", "expert"),
}
PLAYED = list(product(("pinsoro-cc", "pinsoro-cr"), ("task_engagement", "social_engagement")))
LENGTH = 300


def unit(folder, annotation):
    return f"{folder.replace('-', '_')}-{annotation.split('_')[0]}"


@pytest.fixture
def submitted(tmp_path):
    """Labels as released, a submission in ``p26``, and the series of each corpus."""
    rng = np.random.default_rng(5)
    series = {}
    for corpus, (released, packed, role) in ENGAGED.items():
        target = np.round(np.clip(0.5 + np.cumsum(rng.normal(0, 0.02, LENGTH)), 0, 1), 6)
        pred = np.round(np.clip(target + rng.normal(0, 0.1, LENGTH), 0, 1), 6)
        write(tmp_path / "labels" / released / f"{role}.engagement.annotation.csv", target)
        write(tmp_path / "p26" / packed / f"{role}.engagement.prediction.csv", pred)
        series[corpus] = [(pred, target)]
    for folder, annotation in PLAYED:
        names = np.array(CLASSES[annotation])
        series[unit(folder, annotation)] = []
        for k, role in enumerate(("purple", "yellow")):
            target = rng.integers(0, len(names), LENGTH)
            pred = np.where(rng.random(LENGTH) < 0.4 + 0.2 * k, target, rng.integers(0, len(names), LENGTH))
            lines = [*names[target][:-2], "", "nan"]
            for root, texts, ending in (("labels", lines, "annotation"), ("p26", names[pred], "prediction")):
                path = tmp_path / root / folder / ("test/5" if root == "labels" else "5")
                path.mkdir(parents=True, exist_ok=True)
                (path / f"{role}.{annotation}.{ending}.csv").write_text("\n".join(texts) + "\n")
            gender = tmp_path / "labels" / folder / "test/5" / f"{role}.gender.annotation.csv"
            gender.write_text(f"0;12;{1 + k};1\n")
            series[unit(folder, annotation)].append((pred[:-2], target[:-2]))
    return tmp_path, series


def expected_scores(series):
    scores = {corpus: by_definition(series[corpus]) for corpus in ENGAGED}
    for name in (unit(*one) for one in PLAYED):
        pred, target = (np.concatenate([one[i] for one in series[name]]) for i in (0, 1))
        scores[name] = cohen_kappa_score(target, pred)
    return scores


def test_the_weighted_score_is_the_challenges(submitted, capsys):
    folder, series = submitted
    card = score(folder, "p26")
    expected = expected_scores(series)
    for corpus, row in card["corpora"].items():
        assert row["ccc" if corpus in ENGAGED else "kappa"] == pytest.approx(expected[corpus], abs=1e-12)
    kappas = [value for name, value in expected.items() if name not in ENGAGED]
    weighted = np.mean(kappas) / 3 + sum(expected[corpus] for corpus in ENGAGED) / 6
    assert card["challenge"] == {"score": pytest.approx(weighted, abs=1e-12), "missing": []}
    assert card["global"] == pytest.approx(np.mean([expected[corpus] for corpus in ENGAGED]), abs=1e-12)
    assert f"Challenge of 2026, weighted: {weighted:.3f}" in capsys.readouterr().out
    assert sum(WEIGHTS_2026.values()) == pytest.approx(1, abs=1e-12)
    assert set(WEIGHTS_2026) == set(expected)


def test_without_a_corpus_there_is_no_weighted_score_and_it_is_named(submitted, capsys):
    folder, _ = submitted
    (folder / "labels/noxi-j/test/100/expert.engagement.annotation.csv").unlink()
    card = score(folder, "p26")
    assert card["challenge"] == {"score": None, "missing": ["noxi_j"]}
    assert "it lacks noxi_j" in capsys.readouterr().out


def test_earlier_editions_have_no_weighted_score(submitted):
    folder, _ = submitted
    assert "challenge" not in score(folder, "p26", truth=folder / "labels/noxi")


def test_disparity_of_classes_is_the_challenge_s_by_gender(submitted):
    folder, series = submitted
    card = score(folder, "p26")
    (male, female) = series["pinsoro_cc-social"]
    both = tuple(np.concatenate([male[i], female[i]]) for i in (0, 1))
    known = [k for k in range(len(CLASSES["social_engagement"])) if (both[1] == k).any()]

    def mean(series, k):
        return series[0][series[1] == k].mean()

    for name, own in (("male", male), ("female", female)):
        steps = [mean(own, k) - mean(both, k) for k in known if (own[1] == k).any()]
        row = card["groups"]["pinsoro_cc-social"]["gender"][name]
        assert row["disparity"] == pytest.approx(np.mean(steps), abs=1e-12)
        assert row["kappa"] == pytest.approx(cohen_kappa_score(own[1], own[0]), abs=1e-12)
    gap = card["gaps"]["pinsoro_cc-social"]["gender"]
    shared = [k for k in known if (male[1] == k).any() and (female[1] == k).any()]
    expected = np.mean([mean(male, k) - mean(female, k) for k in shared])
    assert gap["male_less_female"] == pytest.approx(expected, abs=1e-12)
    assert gap["kappa"] == pytest.approx(
        abs(cohen_kappa_score(male[1], male[0]) - cohen_kappa_score(female[1], female[0])), abs=1e-12
    )


def test_disparities_of_cases_made_by_hand():
    low, high = (np.array([0.2, 0.4]), np.array([0.3, 0.5])), (np.array([0.4, 0.4]), np.array([0.3, 0.5]))
    assert disparity({"a": low, "b": high}) == pytest.approx({"a": -0.05, "b": 0.05}, abs=1e-12)
    assert disparity_between(low, high) == pytest.approx(-0.1, abs=1e-12)
    # at class 0, a is always predicted 0 and b always 2; at class 1 both are predicted 1
    a, b = (np.array([0.0, 1.0]), np.array([0.0, 1.0])), (np.array([2.0, 1.0]), np.array([0.0, 1.0]))
    assert disparity({"a": a, "b": b}, 3) == {"a": -0.5, "b": 0.5}
    assert disparity_between(a, b, 3) == -1.0
    assert disparity_between((np.zeros(1), np.zeros(1)), (np.ones(1), np.ones(1)), 2) is None
