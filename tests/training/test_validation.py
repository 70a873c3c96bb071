"""Which weights are kept, by which score, and what a run says of itself."""

from argparse import Namespace
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
import train as train_stage
import yaml

from damamba.data.shards import write_labels
from damamba.files import check_seal
from damamba.inference import predict
from damamba.metrics import ccc
from damamba.metrics.ccc import CCC
from damamba.model import load_model
from damamba.model.checkpoint import read_description
from damamba.training import Ranks, fit
from damamba.training.validation import SHARES
from tests.training.conftest import Run, params


def unlabelled(aligned, session):
    """Label files of a session in which nothing is valid, as `align` writes them for participants without labels."""
    for seat in session.seats:
        path = aligned.path(session, seat.participant, ".label.arrow")
        write_labels(path, np.full(session.n_labels, np.nan, np.float32), np.zeros(session.n_labels, bool))


def without_labels(aligned, how):
    *training, val = aligned.sessions
    if how == "no labels":
        unlabelled(aligned, val)
        val = replace(val, seats=tuple(replace(seat, labelled=False) for seat in val.seats))
    elif how == "no valid label":
        unlabelled(aligned, val)
    return replace(aligned, sessions=(*training, *([] if how == "no session" else [val])))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("no labels", "no participant of the split val has a valid label"),
        ("no valid label", "no participant of the split val has a valid label"),
        ("no session", "the split val is empty"),
    ],
)
def test_without_labels_to_validate_on_the_last_averaged_weights_are_saved_and_it_is_told(
    tmp_path, aligned, monkeypatch, caplog, how, why
):
    left = without_labels(aligned, how)
    files = {name: check_seal(left.root / name) for name in left.sha256}
    left = replace(left, sha256=files)
    left.write()
    monkeypatch.chdir(tmp_path)
    held = params(patience=1).model_dump(mode="json")
    flow = held["cues"]["flow"]
    held["cues"] = {name: {**flow, "group": cue.group} for name, cue in left.cues.items()}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(held))
    seen = []
    monkeypatch.setattr(train_stage, "fit", lambda run, *args, **rest: seen.append(run) or fit(run, *args, **rest))
    options = Namespace(
        run="da_mamba-0", shuffle_labels=None, aligned=left.root,
        models=tmp_path / "models", curves=tmp_path / "curves", state=tmp_path / "state",
    )  # fmt: skip
    summary = train_stage.main(options, "da_mamba-0", Ranks())
    assert summary.endswith(f"8 steps of 4 windows, last weights, not validated: {why}")
    assert f"the last averaged weights will be saved: {why}" in caplog.text
    extra = read_description(tmp_path / "models/da_mamba-0").extra
    assert (extra["weights"], extra["step"], extra["validation"]) == (f"last step: {why}", 8, None)
    saved, (run,) = load_model(tmp_path / "models/da_mamba-0"), seen
    assert all(torch.equal(weight, run.ema.weights[name]) for name, weight in saved.named_parameters())
    assert not torch.equal(saved.join.weight, Run(left, params(), "da_mamba", 0).model.join.weight)


def test_only_participants_with_labels_are_validated_on(aligned):
    val = aligned.sessions[3]
    path = aligned.path(val, val.seats[0].participant, ".label.arrow")
    write_labels(path, np.full(val.n_labels, np.nan, np.float32), np.zeros(val.n_labels, bool))
    aligned = replace(aligned, sha256={**aligned.sha256, path.relative_to(aligned.root).as_posix(): check_seal(path)})
    run = Run(aligned, params(), "da_mamba", 0)
    assert run.validation.seats == [(val, 1)]
    assert run.validation.missing is None
    value, valid = aligned.labels(val, val.seats[1].participant)
    with run.ema.swap():
        expected = ccc(predict(run.model.eval(), run.reader, val, 1), value, valid)
    assert run.validate()["ccc"] == pytest.approx(expected)


def test_the_best_weights_are_kept_not_the_last(tmp_path, aligned, monkeypatch):
    scores = iter([0.1, 0.9, 0.2, 0.3, 0.4, 0.5])
    monkeypatch.setattr(CCC, "of_moments", lambda self, moments: np.float64(next(scores)))
    run = Run(aligned, params(steps=12, validate_steps=2, learning_rate=0.05), "da_mamba", 0)
    seen = {}

    def remember(step):
        seen[step.step] = {name: weight.clone() for name, weight in run.ema.weights.items()}

    model = fit(run, tmp_path / "best.pt", remember)
    assert run.best[:2] == (0.9, 4)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, seen[4][name]), name
    assert any(not torch.equal(seen[4][name], seen[12][name]) for name in seen[4])


def test_training_ends_when_validation_no_longer_gets_better(tmp_path, aligned):
    run = Run(aligned, params(steps=20, validate_steps=2, patience=2, learning_rate=1e-30), "da_mamba", 0)
    fit(run, tmp_path / "j.pt")
    assert (run.best[1], run.step) == (2, 6)  # nothing moves: two validations after the first


@pytest.mark.parametrize(
    ("network", "end"),
    [([0.1, 0.2, 0.3, 0.4, 0.2, 0.1], 12), ([0.3, 0.2, 0.1, 0.4, 0.5, 0.6], 6), ([None] * 6, 4)],
)
def test_patience_waits_while_the_network_itself_gets_better(aligned, network, end):
    run = Run(aligned, params(patience=2), "da_mamba", 0)
    run.best = (0.9, 0, {})  # the closed form, before the first step
    for step, score in zip(range(2, 14, 2), network, strict=True):
        run.history.append({"step": step, "val_ccc": 0.9, "val_network": score})
        if run.exhausted:
            break
    assert step == end


def test_both_scores_are_those_of_the_pooled_frames_and_either_chooses(aligned, tmp_path):
    run = Run(aligned, params(validate_steps=2), "da_mamba", 0)
    fit(run, tmp_path / "a.pt")
    scores = [(row["val_ccc"], row["val_ccc_within"]) for row in run.history if row["val_ccc"] is not None]
    assert len(scores) == 4
    assert run.best[0] == max(score for score, _ in scores)
    within = Run(aligned, params(validate_steps=2, select="ccc_within"), "da_mamba", 0)
    fit(within, tmp_path / "b.pt")
    assert within.best[0] == max(score for _, score in scores)
    series = [
        (predict(within.model, within.reader, session, seat), *aligned.labels(session, session.seats[seat].participant))
        for session, seat in within.validation
    ]
    centred = [[x[valid] - x[valid].mean() for x in (pred, label)] for pred, label, valid in series]
    pred, label = (np.concatenate(parts) for parts in zip(*centred, strict=True))
    assert within.best[0] == pytest.approx(2 * pred @ label / (pred @ pred + label @ label), abs=1e-5)


def test_a_closed_form_takes_one_step_and_is_loaded_again(aligned, tmp_path):
    run = Run(aligned, params(), "ridge", 0)
    model = fit(run, tmp_path / "a.pt")
    assert run.step == len(run.history) == 1
    assert run.history[0]["grad_norm"] == 0
    session, seat = run.validation.seats[0]
    expected = predict(model, run.reader, session, seat)
    assert expected.std() > 0
    model.save(tmp_path / "model", window={})
    again = predict(load_model(tmp_path / "model"), run.reader, session, seat)
    np.testing.assert_array_equal(expected, again)


def test_training_that_harms_leaves_at_least_the_floor(aligned, tmp_path):
    held = params(learning_rate=10.0, warmup_steps=0)
    held.architectures["da_mamba"]["floor"] = "ridge"
    run, ridge = Run(aligned, held, "da_mamba", 0), Run(aligned, params(), "ridge", 0)
    fit(ridge, tmp_path / "b.pt")
    model = fit(run, tmp_path / "a.pt")
    assert run.best[0] >= ridge.best[0] - 1e-6
    session, seat = run.validation.seats[0]
    model.share.data.fill_(0.0)
    floor = predict(ridge.model.eval(), run.reader, session, seat)
    np.testing.assert_allclose(predict(model, run.reader, session, seat), floor, atol=1e-6)


def test_validation_chooses_how_much_the_network_counts(aligned, tmp_path):
    held = params(steps=8, validate_steps=4)
    held.architectures["da_mamba"]["floor"] = "ridge"
    run = Run(aligned, held, "da_mamba", 0)
    model = fit(run, tmp_path / "a.pt")
    series = {}
    chosen = model.share.item()
    for share in SHARES:
        model.share.data.fill_(share)
        series[share] = [predict(model, run.reader, *one) for one in run.validation]
    labels = [aligned.labels(one, one.seats[number].participant) for one, number in run.validation]
    value, valid = (np.concatenate(parts) for parts in zip(*labels, strict=True))
    scores = {share: ccc(np.concatenate(each), value, valid) for share, each in series.items()}
    assert scores[chosen] == max(scores.values())
    assert run.best[0] == pytest.approx(scores[chosen], abs=1e-5)
    for closed, network, mixed in zip(series[0.0], series[1.0], series[0.75], strict=True):
        np.testing.assert_allclose(mixed, 0.25 * closed + 0.75 * network, atol=1e-6)
    last = run.history[-1]
    assert last["share"] in SHARES
    assert last["val_network"] <= last["val_ccc"] + 1e-9


@pytest.mark.parametrize(("far", "warned"), [(-2.0, True), (2.5, False)])
def test_a_run_that_learns_people_by_heart_says_so(aligned, tmp_path, monkeypatch, caplog, far, warned):
    monkeypatch.setattr(import_module("damamba.training.fit"), "FAR_AHEAD", far)
    run = Run(aligned, params(), "da_mamba", 0)
    fit(run, tmp_path / "a.pt")
    assert ("by heart" in caplog.text) == warned
    assert caplog.text.count("by heart") <= 1


@pytest.mark.parametrize(("little", "warned"), [(2.0, True), (-2.0, False)])
def test_a_run_that_has_learned_nothing_says_so(aligned, tmp_path, monkeypatch, caplog, little, warned):
    monkeypatch.setattr(import_module("damamba.training.fit"), "LITTLE", little)
    fit(Run(aligned, params(), "da_mamba", 0), tmp_path / "a.pt")
    assert ("has learned nothing" in caplog.text) == warned
