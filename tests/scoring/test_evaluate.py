import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba import inference
from damamba.config import EvaluateParams
from damamba.console import InputError
from damamba.data.batch import Window, WindowReader, at_labels
from damamba.data.shards import AlignedSeat, AlignedSession
from damamba.data.windows import WindowGrid
from damamba.inference import contributions, predict
from damamba.metrics import find_metrics
from damamba.model import build_model
from damamba.scoring.evaluate import corpus_scores, score_participant, score_sessions, write_scores
from damamba.scoring.participants import read_participants
from damamba.scoring.predictions import write_prediction
from tests.conftest import frozen_params
from tests.report.conftest import make_aligned

PARAMS = EvaluateParams(split="test", metrics=("ccc",), bootstrap=50, confidence=0.9)
METRICS = find_metrics(PARAMS)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Tiny tensors: a second thread costs more than it brings, all the more on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Shards of four seconds, and an untrained model that fits them."""
    aligned = make_aligned(tmp_path_factory.mktemp("aligned"), n_labels=100)
    params = frozen_params().variant("da_mamba")
    return aligned, build_model(aligned.groups(), params, 25).eval()


def test_a_contribution_is_the_prediction_less_that_of_shards_without_it(small):
    aligned, model = small
    reader = WindowReader(aligned, WindowGrid.of(frozen_params().window))
    session = next(one for one in aligned.sessions if len(one.seats) == 3)
    whole, added = contributions(model, reader, session, 1)
    np.testing.assert_array_equal(whole, predict(model, reader, session, 1))
    others = [session.seats[i].participant for i in (0, 2)]
    assert list(added) == [*aligned.cues, *(f"partner {name}" for name in others)]
    alone = replace(session, seats=session.seats[1:])  # as if the first seat had never been there
    apart = WindowReader(replace(aligned, sessions=(alone,)), reader.grid)
    without = predict(model, apart, alone, 0)
    np.testing.assert_allclose(added[f"partner {others[0]}"], whole - without, atol=1e-6)

    class Masked(WindowReader):
        def read(self, windows):
            batch = super().read(windows)
            batch.valid["clip"][:, 0] = False
            batch.cues["clip"][:, 0] = float("nan")
            return batch

    without = predict(model, Masked(aligned, reader.grid), session, 1)
    np.testing.assert_allclose(added["clip"], whole - without, atol=1e-6)
    assert np.abs(added["clip"]).max() > 1e-4


@pytest.mark.parametrize("rate_hz", [5, 25, 100])
def test_a_causal_model_carries_its_state_through_the_whole_session(small, monkeypatch, rate_hz):
    aligned = small[0]
    variant = frozen_params().variant("da_mamba")
    causal = variant.model_copy(update={"settings": variant.settings | {"causal": True}})
    model = build_model(aligned.groups(), causal, rate_hz).eval()
    session = next(one for one in aligned.sessions if len(one.seats) == 3)
    reader = WindowReader(aligned, WindowGrid(5, 5, rate_hz))
    everything = WindowGrid(session.n_labels, 0, rate_hz)
    batch = WindowReader(aligned, everything).read([Window(session, 1, 0)])
    with torch.inference_mode():
        frames = model(batch.cues, batch.valid, batch.present).engagement
    whole = at_labels(frames, everything)[0].numpy()
    np.testing.assert_allclose(predict(model, reader, session, 1), whole, atol=1e-5)
    monkeypatch.setattr(inference, "BATCH_FRAMES", 2 * rate_hz)  # in pieces of two seconds
    np.testing.assert_allclose(predict(model, reader, session, 1), whole, atol=1e-5)
    _, added = contributions(model, reader, session, 1)
    assert all(np.abs(part).max() > 0 for part in added.values())


def scores_of(*corpora):
    """Rows of made-up participants, and the valid frames behind them by corpus."""
    rng = np.random.default_rng(0)
    scored, series = [], {}
    for corpus, sessions in corpora:
        for name in sessions:
            session = AlignedSession(corpus, name, "test", "de", 60, tuple(AlignedSeat(s, s, s, True) for s in "ab"))
            for i in range(2):
                label, valid = rng.random(60).astype(np.float32), rng.random(60) > 0.2
                pred = (0.5 * label + 0.5 * rng.random(60)).astype(np.float32)
                scored.append(score_participant(session, i, pred, np.where(valid, label, np.nan), valid, METRICS))
                series.setdefault(corpus, []).append((pred[valid], label[valid]))
    return scored, series


def lin(x, y):
    """CCC from numpy's own covariance matrix, population moments."""
    (vx, cxy), (_, vy) = np.cov(np.float64(x), np.float64(y), ddof=0)
    return 2 * cxy / (vx + vy + (np.mean(x, dtype=float) - np.mean(y, dtype=float)) ** 2)


def predictor_of(model, aligned):
    return partial(predict, model, WindowReader(aligned, WindowGrid(32, 32, 25)))


def test_every_labelled_participant_is_predicted_and_scored(tmp_path, small):
    aligned, model = small
    (tmp_path / "noxi/001").mkdir(parents=True)
    (tmp_path / "noxi/001/gone.parquet").write_text("of an earlier run")
    scored = score_sessions(predictor_of(model, aligned), aligned, "test", METRICS, tmp_path)
    assert len(scored) == 18
    assert len(list(tmp_path.rglob("*"))) == 18 + 8 + 3  # files, sessions, corpora: nothing stale, nothing temporary
    score = scored[0]
    table = pq.read_table(tmp_path / score.corpus / score.session / f"{score.participant}.parquet")
    assert {name: str(table.schema.field(name).type) for name in table.column_names} == {
        "prediction": "float",
        "label": "float",
        "valid": "bool",
    }
    assert table.num_rows == 100
    valid = table["valid"].to_numpy()
    assert table["label"].null_count == (~valid).sum() == score.invalid > 0
    assert score.frames == valid.sum()
    assert score.ccc == pytest.approx(
        lin(table["prediction"].to_numpy()[valid], table["label"].to_numpy()[valid]), abs=1e-9
    )


def test_a_participant_without_annotations_is_not_scored(tmp_path, small):
    aligned, model = small
    session = aligned.split("test")[0]
    unlabelled = replace(session, seats=(session.seats[0], replace(session.seats[1], labelled=False)))
    one = replace(aligned, sessions=(unlabelled,))
    scored = score_sessions(predictor_of(model, one), one, "test", METRICS, tmp_path)
    assert [s.participant for s in scored] == [session.seats[0].participant]


def test_a_split_without_labels_is_refused(tmp_path, small):
    aligned, model = small
    with pytest.raises(InputError, match="the split val has no labels"):
        score_sessions(predictor_of(model, aligned), aligned, "val", METRICS, tmp_path)


def test_a_prediction_that_is_not_finite_is_refused(tmp_path, small):
    aligned, _ = small
    broken = build_model(aligned.groups(), frozen_params().variant("da_mamba"), 25).eval()
    broken.head.bias.data.fill_(float("nan"))
    with pytest.raises(InputError, match="noxi/001/expert: 100 of 100 predictions"):
        score_sessions(predictor_of(broken, aligned), aligned, "test", METRICS, tmp_path)


def test_a_corpus_has_one_ccc_over_all_its_frames_and_global_is_the_mean_of_corpora():
    scored, series = scores_of(("noxi", "12"), ("mine", "123"))
    scores = corpus_scores(scored, PARAMS, METRICS)
    pooled = {
        corpus: lin(*(np.concatenate(part) for part in zip(*parts, strict=True))) for corpus, parts in series.items()
    }
    assert list(scores) == [
        *("noxi", "mine", "global", "interval", "ccc_by_session", "frames", "left_out", "label_variance_within")
    ]
    assert {name: scores[name] for name in pooled} == pytest.approx(pooled, abs=1e-9)
    assert scores["global"] == pytest.approx(np.mean(list(pooled.values())), abs=1e-9)
    assert scores["frames"] == {corpus: sum(len(x) for x, _ in parts) for corpus, parts in series.items()}
    for corpus, parts in series.items():
        labels = [label for _, label in parts]
        within = sum(((label - label.mean()) ** 2).sum() for label in labels)
        total = ((np.concatenate(labels) - np.concatenate(labels).mean()) ** 2).sum()
        assert scores["label_variance_within"][corpus] == pytest.approx(within / total, abs=1e-6)
    for name in ("noxi", "mine", "global"):
        low, high = scores["interval"][name]
        assert low <= scores[name] <= high


def test_undefined_is_null_in_json_and_empty_in_csv(tmp_path):
    session = AlignedSession("own", "s", "test", "", 5, (AlignedSeat("a", "", "a", True),))
    never = score_participant(
        session, 0, np.zeros(5, np.float32), np.full(5, np.nan, np.float32), np.zeros(5, bool), METRICS
    )
    summary = write_scores([never], PARAMS, METRICS, "da_mamba-0", tmp_path, simulated=False)
    assert "own undefined" in summary
    text = (tmp_path / "scores/da_mamba-0.json").read_text()
    assert json.loads(text) == {
        "own": None,
        "global": None,
        "interval": {"own": [None, None], "global": [None, None]},
        "ccc_by_session": {
            "own": None,
            "global": None,
            "interval": {"own": [None, None], "global": [None, None]},
        },
        "frames": {"own": 0},
        "left_out": {"own": 1},
        "label_variance_within": {"own": None},
        "split": "test",
        "protocol": "as given",
        "simulated": False,
    }
    row = next(csv.DictReader((tmp_path / "sessions/da_mamba-0.csv").read_text().splitlines()))
    assert row["ccc"] == row["mae"] == row["mean_label"] == ""
    assert (row["frames"], row["invalid"]) == ("0", "5")


def test_a_constant_prediction_scores_zero_and_a_single_session_has_no_interval(tmp_path):
    session = AlignedSession("own", "s", "test", "", 50, (AlignedSeat("a", "", "a", True),))
    label = np.linspace(0, 1, 50, dtype=np.float32)
    score = score_participant(session, 0, np.full(50, 0.4, np.float32), label, np.ones(50, bool), METRICS)
    scores = corpus_scores([score], PARAMS, METRICS)
    assert scores["own"] == pytest.approx(0, abs=1e-9)
    assert scores["interval"]["own"] == [None, None]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_statistics_equal_their_definitions_for_any_value_of_invalid_frames(values, random):
    label = np.array(values, np.float32)
    pred = np.array([random.random() for _ in values], np.float32)
    valid = np.array([random.random() > 0.3 for _ in values])
    session = AlignedSession("own", "s", "test", "", len(label), (AlignedSeat("a", "", "a", True),))
    score = score_participant(session, 0, pred, label, valid, METRICS)
    planted = score_participant(session, 0, pred, np.where(valid, label, np.nan), valid, METRICS)
    assert np.array_equal(planted.moments["ccc"], score.moments["ccc"])
    assert replace(planted, moments={}) == replace(score, moments={})
    if valid.any():
        x, y = pred[valid].astype(float), label[valid].astype(float)
        assert score.mae == pytest.approx(np.mean(np.abs(x - y)))
        assert (score.mean_prediction, score.std_label) == pytest.approx((np.mean(x), np.std(y)))
        assert score.moments["ccc"] == pytest.approx(
            [len(x), *(np.sum(s) for s in (x - 0.5, y - 0.5, (x - 0.5) ** 2, (y - 0.5) ** 2, (x - 0.5) * (y - 0.5)))]
        )


def test_the_same_prediction_is_the_same_file(tmp_path):
    pred, label = np.full(9, 0.25, np.float32), np.full(9, np.nan, np.float32)
    for name in "ab":
        write_prediction(tmp_path / name, pred, label, np.zeros(9, bool))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def scored_run(results, change=0.0, corpora=(("noxi", "12"), ("mine", "123"))):
    """Files of a run whose predictions are `change` off."""
    scored = []
    rng = np.random.default_rng(3)
    for corpus, names in corpora:
        for name in names:
            session = AlignedSession(corpus, name, "test", "de", 60, (AlignedSeat("a", "a", "a", True),))
            label, valid = rng.random(60).astype(np.float32), rng.random(60) > 0.2
            pred = (0.5 * label + 0.5 * rng.random(60) + change).astype(np.float32)
            scored.append(score_participant(session, 0, pred, label, valid, METRICS))
    write_scores(scored, PARAMS, METRICS, "da_mamba-0", results, simulated=False)
    return scored, {path: path.read_text() for path in sorted(results.rglob("*")) if path.is_file()}


def test_numbers_on_file_have_the_digits_that_they_mean_and_moments_rebuild_the_scores(tmp_path):
    scored, files = scored_run(tmp_path)
    row = next(csv.DictReader(files[tmp_path / "sessions/da_mamba-0.csv"].splitlines()))
    assert all(len(row[name].partition(".")[2]) == 4 for name in ("ccc", "mae", "mean_label", "std_prediction"))
    assert all(len(row[name].partition(".")[2]) == 6 for name in ("sum_p", "sum_tt", "sum_pt"))
    record = json.loads(files[tmp_path / "scores/da_mamba-0.json"])
    exact = corpus_scores(scored, PARAMS, METRICS)
    assert record["noxi"] == round(exact["noxi"], 4)
    assert record["interval"]["global"] == [round(end, 4) for end in exact["interval"]["global"]]
    again = read_participants(tmp_path / "sessions/da_mamba-0.csv", METRICS, "da_mamba-0")
    rebuilt = corpus_scores(again, PARAMS, METRICS)
    assert rebuilt["global"] == pytest.approx(exact["global"], abs=1e-6)
    assert rebuilt["interval"]["noxi"] == pytest.approx(exact["interval"]["noxi"], abs=1e-6)
    assert rebuilt["frames"] == exact["frames"]


def test_metrics_for_dvc_are_a_flat_record_of_global_and_corpora(tmp_path):
    _, files = scored_run(tmp_path)
    record = json.loads(files[tmp_path / "scores/da_mamba-0.json"])
    flat = json.loads(files[tmp_path / "metrics/da_mamba-0.json"])
    by_session = record["ccc_by_session"]["global"]
    corpora = {"noxi": record["noxi"], "mine": record["mine"]}
    assert flat == {"ccc": record["global"], **corpora, "ccc_by_session": by_session}


def test_the_last_digits_of_another_machine_change_no_file_and_a_real_change_does(tmp_path):
    _, before = scored_run(tmp_path)
    _, after = scored_run(tmp_path, change=2e-6)
    assert after == before
    _, elsewhere = scored_run(tmp_path / "fresh", change=2e-6)
    assert list(elsewhere.values()) != list(before.values())  # so the numbers did differ
    _, changed = scored_run(tmp_path, change=2e-3)
    assert all(changed[path] != text for path, text in before.items())


def test_another_set_of_sessions_or_columns_is_written(tmp_path):
    _, before = scored_run(tmp_path)
    _, fewer = scored_run(tmp_path, corpora=(("noxi", "12"), ("mine", "12")))
    assert fewer[tmp_path / "sessions/da_mamba-0.csv"] != before[tmp_path / "sessions/da_mamba-0.csv"]
    path = tmp_path / "sessions/da_mamba-0.csv"
    path.write_text(path.read_text().replace("mae,", "mean_error,"))
    scored_run(tmp_path, corpora=(("noxi", "12"), ("mine", "12")))
    assert "mae," in path.read_text()


def test_a_corpus_called_like_a_metric_is_refused(tmp_path):
    with pytest.raises(InputError, match="corpus 'ccc' is called like a metric"):
        scored_run(tmp_path, corpora=(("ccc", "1"),))
