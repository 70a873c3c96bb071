"""From shards whose labels are classes to a trained model, its predictions, scores and tables."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from damamba.config import LabelParams, Params
from damamba.console import InputError
from damamba.data.batch import WindowReader
from damamba.data.shards import Aligned, write_labels
from damamba.files import check_seal
from damamba.inference import load_trained, predict
from damamba.losses import Prediction, make_losses
from damamba.metrics import find_metrics
from damamba.model.heads import Classes, OrdinalHead
from damamba.predictor.result import ParticipantPrediction
from damamba.report.figures import calibration_figure, curves_figure, sessions_figure
from damamba.report.tables import write_tables
from damamba.scoring.evaluate import score_sessions, write_scores
from damamba.scoring.runs import RunResult
from damamba.scoring.series import read_series
from damamba.training import Run, fit
from tests.training.conftest import params

NAMES = ("low", "middle", "high", "never")


def of_classes(aligned, kind, names=NAMES):
    """The same shards with classes that one value in ten lacks."""
    rng, seals = np.random.default_rng(3), dict(aligned.sha256)
    for session in aligned.sessions:
        for i, seat in enumerate(session.seats):
            path = aligned.path(session, seat.participant, ".label.arrow")
            value = ((np.arange(session.n_labels) // 20 + i) % 3).astype(np.float32)
            valid = rng.random(session.n_labels) < 0.9
            write_labels(path, np.where(valid, value, np.nan), valid)
            seals[path.relative_to(aligned.root).as_posix()] = check_seal(path)
    found = replace(aligned, sha256=seals, annotated=LabelParams(kind=kind, classes=names))
    found.write()
    return Aligned.read(aligned.root)


def chosen(kind, **changes) -> Params:
    held = yaml.safe_load(yaml.safe_dump(params(validate_steps=4, select="kappa").model_dump(mode="json")))
    held["labels"] = {"kind": kind, "classes": list(NAMES)}
    held["losses"]["classes"] = {"loss": "cross_entropy", "balance": 0.5}
    held["model"] |= {"lambda_ccc": 0.0, "lambda_classes": 1.0}
    held["evaluate"] |= {"split": "val", "metrics": ["kappa", "macro_f1"], "bootstrap": 10}
    held["runs"] = ["da_mamba-0"]
    return Params.model_validate(held | changes)


def trained(aligned, given, variant="da_mamba"):
    run = Run(aligned, given.variant(variant), given.losses, given.window, given.train, 0)
    return run, fit(run, aligned.root / "resume.pt")


@pytest.mark.parametrize(
    ("variant", "kind"),
    [
        ("da_mamba", "ordinal"),
        ("dat", "categorical"),
        ("lstm", "ordinal"),
        ("mlp", "categorical"),
        ("tcn", "ordinal"),
        ("ridge", "categorical"),
    ],
)
def test_every_architecture_learns_classes(aligned, kind, variant, caplog):
    aligned = of_classes(aligned, kind)
    run, model = trained(aligned, chosen(kind), variant)
    assert "no label of the training split is never" in caplog.text
    last = run.history[-1]
    assert {"classes", "val_kappa", "val_macro_f1"} <= last.keys()
    assert ("val_weighted_kappa" in last) == (kind == "ordinal")
    model.save(aligned.root / "model", window=chosen(kind).window.model_dump())
    loaded, grid = load_trained(aligned.root / "model")
    session = aligned.split("val")[0]
    pred = predict(loaded, WindowReader(aligned, grid), session, 0)
    assert pred.shape == (session.n_labels, 4)
    np.testing.assert_allclose(pred.sum(1), 1, atol=1e-5)
    assert (pred >= 0).all()
    np.testing.assert_array_equal(pred, predict(model, WindowReader(aligned, grid), session, 0))


def test_classes_are_scored_and_tabled(aligned, tmp_path):
    aligned, given = of_classes(aligned, "categorical"), chosen("categorical")
    metrics = find_metrics(given.evaluate, given.labels)

    def perfect(session, number):
        value, valid = aligned.labels(session, session.seats[number].participant)
        return np.eye(4, dtype=np.float32)[np.where(valid, value, 3).astype(int)]

    results, out = tmp_path / "results", tmp_path / "predictions/da_mamba-0"
    scores = score_sessions(perfect, aligned, "val", metrics, out)
    line = write_scores(scores, given.evaluate, metrics, "da_mamba-0", results, False)
    assert "kappa" in line
    run = RunResult.read(results, "da_mamba-0", given.variants, metrics)
    assert run.scores["kappa"]["global"] == run.scores["macro_f1"]["global"] == 1
    assert run.participants[0].ccc is None
    write_tables([run], given.evaluate, metrics, {"da_mamba": given.variant("da_mamba")}, False, results)
    assert "kappa and macro F1" in (results / "ccc.md").read_text()
    sessions_figure({run.name: run.participants}, tmp_path / "sessions.svg")
    curve = {"step": np.arange(3.0), "loss": np.ones(3), "classes": np.ones(3), "val_kappa": np.ones(3)}
    curves_figure({run.name: curve}, tmp_path / "curves.svg")
    calibration_figure(list(read_series(aligned, out, "val")), tmp_path / "calibration.svg")
    assert "kappa of the validation split" in (tmp_path / "curves.svg").read_text()
    written = pq.read_table(next(out.rglob("*.parquet")))
    assert set(written["class"].to_pylist()) <= set(NAMES)
    assert written.column_names[-4:] == [f"p.{name}" for name in NAMES]


def test_other_labels_than_those_of_the_shards_are_refused(aligned):
    aligned = of_classes(aligned, "categorical")
    given = chosen("categorical")
    with pytest.raises(InputError, match=r"train\.select \(ccc\) is for other labels than the categorical ones"):
        Run(aligned, given.variant("da_mamba"), given.losses, given.window, params().train, 0)
    given = params()
    with pytest.raises(InputError, match=r"losses\.ccc is for other labels"):
        Run(aligned, given.variant("da_mamba"), given.losses, given.window, given.train, 0)
    wrong = params().model_copy(update={"labels": LabelParams(kind="ordinal", classes=NAMES)})
    with pytest.raises(InputError, match=r"train\.select: ccc is for other labels than ordinal") as raised:
        wrong.check_settings()
    assert "losses.ccc: ccc is for other labels" in str(raised.value)
    assert "evaluate.metrics: ccc is for other labels" in str(raised.value)


def test_thresholds_start_at_the_shares_of_the_classes_and_cannot_cross():
    head = OrdinalHead(8, Classes("ordinal", NAMES, (0.2, 0.5, 0.3, 0.0)))
    torch.nn.init.zeros_(head.weight)
    torch.testing.assert_close(head(torch.zeros(1, 8))[0], torch.tensor([0.2, 0.5, 0.3, 0.0]), atol=0.01, rtol=0)
    torch.nn.init.constant_(head.steps, -9.0)
    assert (head(torch.randn(50, 8)) >= 0).all()


def test_cross_entropy_masks_and_equals_that_of_torch(aligned):
    given = chosen("categorical")
    loss = make_losses({"classes": given.losses["classes"].model_copy(update={"balance": 0.0})}, 25)["classes"]
    logits, label = torch.randn(3, 7, 4), torch.randint(4, (3, 7)).float()
    valid = torch.rand(3, 7) < 0.7

    seen = torch.where(valid, label, torch.nan)
    batch = Prediction(logits.softmax(-1), seen, valid, {}, {}, torch.zeros(3).long(), torch.zeros(3))
    expected = torch.nn.functional.cross_entropy(logits[valid], label[valid].long())
    torch.testing.assert_close(loss(batch), expected, atol=1e-4, rtol=0)


def test_predictions_have_the_class_and_its_probability():
    one = ParticipantPrediction(
        "s", "p", None, np.array([[0.2, 0.8], [np.nan] * 2], np.float32), {}, classes=("no", "yes")
    )
    table = one.to_arrow().to_pydict()
    assert table["engagement"] == ["yes", None]
    assert table["p.yes"] == [pytest.approx(0.8), None]
    with pytest.raises(InputError, match="not written for ELAN"):
        one.labels()
