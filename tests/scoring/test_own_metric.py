"""A metric in a module of one's own: scored, resampled, written and tabled without touching another file."""

import csv
import json
import sys
import textwrap

import numpy as np
import pytest

from damamba.config import EvaluateParams
from damamba.console import InputError
from damamba.data.shards import AlignedSeat, AlignedSession
from damamba.metrics import find_metrics
from damamba.report.tables import write_tables
from damamba.scoring.evaluate import score_participant, write_scores
from damamba.scoring.participants import read_participants
from damamba.scoring.pooling import bootstrap_interval, global_score, resampled_scores
from damamba.scoring.runs import RunResult
from tests.conftest import frozen_params
from tests.scoring.test_pooling import corpus, series

MODEL = frozen_params().variant("da_mamba")

PLANTED = """
    import numpy as np

    from damamba.metrics import Metric


    class MeanAbsoluteError(Metric):
        class Params(Metric.Params):
            floor: float

        title = "MAE"
        moments = ("frames", "sum_abs")

        def of_series(self, pred, target, valid):
            error = np.abs(pred[valid].astype(float) - target[valid])
            return np.array([len(error), error[error > self.params.floor].sum()])

        def of_moments(self, moments):
            return moments[..., 1] / moments[..., 0]
"""


@pytest.fixture
def mae(tmp_path, monkeypatch):
    """A metric in a module of one's own, `gaze_study.mae`."""
    (tmp_path / "gaze_study").mkdir()
    (tmp_path / "gaze_study/mae.py").write_text(textwrap.dedent(PLANTED))
    monkeypatch.syspath_prepend(tmp_path)
    params = EvaluateParams(
        split="test", metrics=("ccc", "gaze_study.mae"), bootstrap=500, confidence=0.9, mae={"floor": 0.02}
    )
    yield params, find_metrics(params)
    for name in ("gaze_study", "gaze_study.mae"):
        sys.modules.pop(name, None)


def test_a_metric_of_ones_own_is_pooled_and_resampled_without_touching_another_file(mae):
    _, metrics = mae
    frames = series(3)
    errors = [np.where(np.abs(p - t) > 0.02, np.abs(p - t), 0) for p, t in frames]
    sessions = corpus(3, metric=metrics["mae"])
    assert global_score(metrics["mae"], [sessions]) == pytest.approx(np.concatenate(errors).mean())
    draws = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), size=500)
    slow = [np.concatenate([e for e, n in zip(errors, draw, strict=True) for _ in range(n)]).mean() for draw in draws]
    assert resampled_scores(metrics["mae"], [sessions], 500) == pytest.approx(np.array(slow))
    interval = bootstrap_interval(metrics["mae"], [sessions], resamples=500, confidence=0.9)
    assert interval == pytest.approx(np.quantile(slow, [0.05, 0.95]))


def evaluate(results, run, params, metrics):
    """Files of a run; the errors of every session by corpus."""
    rng, noise, scored, errors = np.random.default_rng(0), np.random.default_rng(len(run)), [], {}
    for corpus_name in ("noxi", "own"):
        for number in range(3):
            session = AlignedSession(corpus_name, f"s{number}", "test", "de", 80, (AlignedSeat("a", "a", "a", True),))
            label, valid = rng.random(80).astype(np.float32), rng.random(80) > 0.2
            pred = (0.8 * label + 0.2 * noise.random(80)).astype(np.float32)
            scored.append(score_participant(session, 0, pred, label, valid, metrics))
            error = np.abs(pred[valid].astype(float) - label[valid])
            errors.setdefault(corpus_name, []).append(np.where(error > 0.02, error, 0))
    write_scores(scored, params, metrics, run, results, simulated=False)
    return errors


def test_it_adds_its_own_keys_columns_and_column_groups(mae, tmp_path):
    params, metrics = mae
    alone = EvaluateParams(split="test", metrics=("ccc",), bootstrap=500, confidence=0.9)
    errors = evaluate(tmp_path, "da_mamba-0", params, metrics)
    evaluate(tmp_path / "alone", "da_mamba-0", alone, find_metrics(alone))

    both = json.loads((tmp_path / "scores/da_mamba-0.json").read_text())
    own = both.pop("mae")
    assert both == json.loads((tmp_path / "alone/scores/da_mamba-0.json").read_text())
    means = {name: np.concatenate(parts).mean() for name, parts in errors.items()}
    assert {name: own[name] for name in means} == pytest.approx(means, abs=0.51e-4)
    assert own["global"] == pytest.approx(np.mean(list(means.values())), abs=0.51e-4)
    assert all(low <= own[name] <= high for name, (low, high) in own["interval"].items())

    flat = json.loads((tmp_path / "metrics/da_mamba-0.json").read_text())
    assert list(flat) == ["ccc", "noxi", "own", "mae", "ccc_by_session"]
    assert (flat["mae"], flat["noxi"]) == (own["global"], both["noxi"])

    row, before = (
        next(csv.DictReader((folder / "sessions/da_mamba-0.csv").read_text().splitlines()))
        for folder in (tmp_path, tmp_path / "alone")
    )
    assert list(row) == [*before, "mae.frames", "mae.sum_abs"]
    assert {name: row[name] for name in before} == before
    assert float(row["mae.sum_abs"]) == pytest.approx(errors["noxi"][0].sum(), abs=1e-6)

    evaluate(tmp_path, "no_fusion-0", params, metrics)
    variants = {"da_mamba": {}, "no_fusion": {}}
    runs = [RunResult.read(tmp_path, name, variants, metrics) for name in ("da_mamba-0", "no_fusion-0")]
    write_tables(runs, params, metrics, dict.fromkeys(variants, MODEL), False, tmp_path)
    comparison = json.loads((tmp_path / "ccc.json").read_text())
    assert comparison["variants"]["da_mamba"]["mae"]["mean"]["global"] == own["global"]
    difference = comparison["paired"]["da_mamba - no_fusion"]["mae"]["global"]["difference"]
    assert difference == pytest.approx(own["global"] - comparison["no_fusion-0"]["mae"]["global"], abs=1.01e-4)
    table = list(csv.DictReader((tmp_path / "ccc.csv").read_text().splitlines()))
    assert list(table[0])[-8:-3] == ["frames", "mae", "mae.low", "mae.high", "ccc_by_session"]
    assert float(table[0]["mae"]) == own["noxi"]
    text = (tmp_path / "ccc.md").read_text()
    assert text.startswith("# CCC and MAE on the test split\n")
    assert "| variant | seeds | NoXi | own | Global | MAE NoXi | MAE own | MAE Global | CCC by session NoXi |" in text


def test_files_of_an_evaluation_without_it_are_named_with_the_command(mae, tmp_path):
    params, metrics = mae
    evaluate(tmp_path, "da_mamba-0", params, {"ccc": metrics["ccc"]})
    with pytest.raises(InputError, match=r"no rows with mae\.frames, mae\.sum_abs; .*evaluate@da_mamba-0"):
        read_participants(tmp_path / "sessions/da_mamba-0.csv", metrics, "da_mamba-0")


def test_its_settings_are_checked(mae):
    params, _ = mae
    wrong = EvaluateParams.model_validate({**params.model_dump(), "mae": {"floor": "high", "roof": 1}})
    with pytest.raises(InputError, match=r"evaluate\.mae: floor: .*\n.*evaluate\.mae: roof: .*known keys: floor"):
        find_metrics(wrong)
