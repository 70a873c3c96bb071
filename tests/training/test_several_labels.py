"""Several labels of one model: shards, heads, masked losses, choice of weights, predictions, scores and tables."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from damamba.config import LabelParams, Params
from damamba.console import InputError
from damamba.data.batch import Window, WindowReader
from damamba.data.moments import ChannelMoments
from damamba.data.shard_writer import write_shard
from damamba.data.shards import Aligned, AlignedSeat, AlignedSession, Cue, label_suffix, write_labels, write_statistics
from damamba.export import export_onnx
from damamba.files import check_seal
from damamba.inference import EachLabel, load_trained, predict_each
from damamba.live.conversation import _refuse
from damamba.metrics import ccc, find_each
from damamba.metrics.base import most_probable
from damamba.model.base import Output
from damamba.report.tables import write_tables
from damamba.scoring.evaluate import score_sessions, write_scores
from damamba.scoring.predictions import label_path
from damamba.scoring.runs import RunResult
from damamba.scoring.truth import read_truth
from damamba.training import Run, fit
from tests.training.conftest import params

N_LABELS = 250
CLASSES = ("low", "high")
LACKS_SOCIAL, LACKS_MAIN = ("s0", "p0"), ("s1", "p1")
WIDTHS = {"voice": 2, "face": 2}


def make_planted(root, also=True) -> Aligned:
    """Six sessions: the voice has the label at the top, a number; the face has `social`, two classes.

    One participant lacks each of them. Without `also`, shards of the first label alone.
    """
    rng, sessions = np.random.default_rng(5), []
    moments = {name: ChannelMoments(0, np.zeros(width), np.zeros(width)) for name, width in WIDTHS.items()}
    for s in range(6):
        seats = []
        for name in ("p0", "p1"):
            person = f"s{s}", name
            t = np.arange(N_LABELS) / 25
            drawn = rng.uniform(0, 2 * np.pi, 2)
            planted = [
                0.5 + 0.4 * np.sin(2 * np.pi * t / 5 + drawn[0]),
                0.5 + 0.4 * np.sin(2 * np.pi * t / 3 + drawn[1]),
            ]
            cues = {}
            for cue, signal in zip(WIDTHS, planted, strict=True):
                noise = rng.normal(0, 0.02, (N_LABELS, 2))
                x = np.stack([signal, np.zeros(N_LABELS)], 1) + noise
                cues[cue] = x.astype(np.float32), np.ones(N_LABELS, bool)
                moments[cue] += ChannelMoments.of(*cues[cue])
            base = root / "own" / person[0] / name
            write_shard(base, cues, "key")
            series = {"": planted[0].astype(np.float32), "social": (planted[1] > 0.5).astype(np.float32)}
            for label, value in series.items() if also else [("", series[""])]:
                there = person != (LACKS_SOCIAL if label else LACKS_MAIN)
                known = np.full(N_LABELS, there) & (np.arange(N_LABELS) % 11 != 3)
                write_labels(base.with_name(f"{name}{label_suffix(label)}"), np.where(known, value, np.nan), known)
            further = ("social",) if also and person != LACKS_SOCIAL else ()
            seats.append(AlignedSeat(name, "host", f"s{s}{name}", person != LACKS_MAIN, further))
        sessions.append(AlignedSession("own", f"s{s}", "val" if s > 3 else "train", "en", N_LABELS, tuple(seats)))
    statistics = {
        f"{name}.{what}": getattr(moments[name], what).astype(np.float32) for name in WIDTHS for what in ("mean", "std")
    }
    write_statistics(root, statistics)
    files = {p.relative_to(root).as_posix(): check_seal(p) for p in sorted(root.rglob("*")) if p.is_file()}
    cues = {"voice": Cue("audio", 2, "", "", ""), "face": Cue("visual", 2, "", "", "")}
    social = {"social": LabelParams(kind="categorical", classes=CLASSES)} if also else {}
    Aligned(root, 25, cues, tuple(sessions), files, also=social).write()
    return Aligned.read(root)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return make_planted(tmp_path_factory.mktemp("planted"))


def chosen(model=None, weight=1.0, **train) -> Params:
    held = params(model={"dropout": 0.0, **(model or {})}, **train)
    values = yaml.safe_load(yaml.safe_dump(held.model_dump(mode="json")))
    values["window"] = {"rate_hz": 25, "core_frames": 32, "context_frames": 8}
    values["labels"] = {"also": {"social": {"kind": "categorical", "classes": list(CLASSES)}}}
    values["losses"]["social"] = {"loss": "cross_entropy", "label": "social"}
    values["model"] |= {"lambda_align": 0.0, "lambda_social": weight}
    values["evaluate"] |= {"split": "val", "metrics": ["ccc", "kappa"], "bootstrap": 10}
    values["runs"] = ["da_mamba-0"]
    values["cues"] = {name: values["cues"]["clip"] for name in WIDTHS}
    return Params.model_validate(values)


def started(aligned, given, variant="da_mamba", seed=0) -> Run:
    return Run(aligned, given.variant(variant), given.losses, given.window, given.train, seed)


def trained(aligned, given, tmp_path, variant="da_mamba"):
    run = started(aligned, given, variant)
    return run, fit(run, tmp_path / "resume.pt")


@pytest.mark.parametrize(
    ("variant", "model"), [("da_mamba", {"floor": "ridge"}), ("lstm", {}), ("mlp", {}), ("tcn", {}), ("ridge", {})]
)
def test_two_heads_learn_two_planted_signals(planted, tmp_path, variant, model):
    steps = 80 if variant in ("lstm", "mlp", "tcn") else 20
    given = chosen(model, steps=steps, validate_steps=steps // 2, learning_rate=0.01, batch_windows=8)
    run, model = trained(planted, given, tmp_path, variant)
    reader = WindowReader(planted, run.grid)
    pairs = {"": [], "social": []}
    for session in planted.split("val"):
        for number, seat in enumerate(session.seats):
            predicted = predict_each(model, reader, session, number)
            for label, view in reader.views.items():
                value, valid = view.labels(session, seat.participant)
                pairs[label].append((predicted[label][valid], value[valid]))
    (main, label), (social, own) = (map(np.concatenate, zip(*pairs[name], strict=True)) for name in pairs)
    score, every = ccc(main, label, np.ones(len(label), bool)), np.ones(len(own), bool)
    wrong = ccc(main, own, every)  # what the head of one label reaches on the other
    assert score > 0.85 > 0.4 > abs(wrong)
    right = np.mean(most_probable(social) == own)
    assert right > 0.9
    assert abs(np.mean((main > 0.5) == own) - 0.5) < 0.2
    last = run.history[-1]
    assert last["val_ccc"] == pytest.approx(score, abs=1e-5)
    assert last["val_social.kappa"] > 0.8
    assert {"social", "val_social.macro_f1"} <= last.keys()


def test_who_lacks_a_label_leaves_its_head_alone(planted):
    """The gradient of a batch is that of the batch without them; a value that is not valid does not matter."""
    given = chosen(accumulate=1)
    run = started(planted, given)
    session = planted.split("train")[0]
    windows = [Window(session, seat, start) for seat in (0, 1) for start in (0, 40)]
    assert "social" not in session.seats[0].also
    assert "social" in session.seats[1].also

    def gradients(drawn, change=lambda batch: batch):
        run.model.zero_grad()
        run.model.eval()
        batch = change(run.reader.read(drawn))
        run._loss(run._forward(batch, 0), batch, drawn).total.backward()
        return {name: x.grad.clone() for name, x in run.model.named_parameters() if x.grad is not None}

    def other_values(batch):
        label, valid = batch.also["social"]
        return replace(batch, also={"social": (torch.where(valid, label, 1.0), valid)})

    both, alone = gradients(windows), gradients(windows[2:])
    for name in ("also.social.weight", "also.social.bias"):
        assert both[name].abs().sum() > 0
        torch.testing.assert_close(both[name], alone[name])
    assert not torch.allclose(both["head.weight"], alone["head.weight"])  # they have the other label
    changed = gradients(windows, other_values)
    assert all(torch.equal(x, changed[name]) for name, x in both.items())
    lacking = gradients(windows[:2])
    assert all(not lacking[name].any() for name in ("also.social.weight", "also.social.bias"))


def test_without_a_weight_it_is_the_model_of_one_label_to_the_byte(planted, tmp_path):
    one = make_planted(tmp_path / "one", also=False)
    assert "also" not in (one.root / "index.json").read_text()
    given = chosen({"floor": "ridge"}, weight=0.0, steps=6)
    for name, aligned in (("one", one), ("several", planted)):
        # the windows of one label are those of the people who have it
        run, model = trained(aligned, given, tmp_path / name)
        model.save(tmp_path / name / "model", window=given.window.model_dump())
        assert not any(column.startswith("val_social") for column in run.history[-1])
    files = [
        [(tmp_path / name / "model" / f).read_bytes() for f in ("model.json", "model.safetensors")]
        for name in ("one", "several")
    ]
    assert files[0] == files[1]
    assert b"also" not in files[0][0]


@pytest.mark.parametrize("causal", [False, True])
def test_checkpoints_and_streams_carry_all_labels(planted, tmp_path, causal):
    run = started(planted, chosen({"floor": "ridge", "causal": causal}, steps=4))
    model = fit(run, tmp_path / "resume.pt")
    model.save(tmp_path / "model", window=chosen().window.model_dump())
    loaded, grid = load_trained(tmp_path / "model")
    assert loaded.labels["social"].names == CLASSES
    assert loaded.classes is None
    session = planted.split("val")[0]
    ours, theirs = (predict_each(one, WindowReader(planted, grid), session, 0) for one in (model, loaded))
    assert list(ours) == ["", "social"]
    assert ours["social"].shape == (N_LABELS, 2)
    np.testing.assert_allclose(ours["social"].sum(1), 1, atol=1e-5)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_pieces_of_a_batch_give_the_gradient_of_the_whole(planted):
    whole, parts = (started(planted, chosen(accumulate=n)) for n in (1, 3))
    for run in (whole, parts):
        run.advance()
    for a, b in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-3)
    output = Output(torch.ones(1), {"a": torch.zeros(1)}, {"social": torch.full((1,), 2.0)})
    assert output.like([x + 1 for x in output.tensors()]).also["social"].item() == 3


def test_the_score_of_a_further_label_may_choose_the_weights(planted, tmp_path):
    run, _ = trained(planted, chosen(steps=8, select="social.kappa"), tmp_path)
    assert run.best[0] == max(row["val_social.kappa"] for row in run.history if row["val_social.kappa"] is not None)
    with pytest.raises(
        InputError, match=r"train\.select: social\.kappa is of a label that this variant does not learn"
    ):
        started(planted, chosen(weight=0.0, select="social.kappa"))
    with pytest.raises(InputError, match=r"train\.select \(social\.ccc\) is for other labels than the categorical"):
        started(planted, chosen(select="social.ccc"))


def test_every_label_has_scores_and_a_table(planted, tmp_path):
    given = chosen(steps=4)
    run, model = trained(planted, given, tmp_path)
    metrics, results = find_each(given.evaluate, given.labels), tmp_path / "results"
    assert {name: list(each) for name, each in metrics.items()} == {"": ["ccc"], "social": ["kappa"]}
    predictor, runs, folder = EachLabel(model, run.reader), {}, tmp_path / "predictions/da_mamba-0"
    for label in model.labels:
        out = label_path(folder, label)
        scored = score_sessions(
            lambda *seat, label=label: predictor.predict(label, *seat),
            planted.of_label(label),
            "val",
            metrics[label],
            out,
        )
        place = out if label else results
        write_scores(scored, given.evaluate, metrics[label], "da_mamba-0", place, False)
        runs[label] = [RunResult.read(place, "da_mamba-0", given.variants, metrics[label])]
    models = {"da_mamba": given.variant("da_mamba")}
    also = {"social": (runs["social"], metrics["social"], {})}
    write_tables(runs[""], given.evaluate, metrics[""], models, False, results, also=also)
    text = (results / "ccc.md").read_text()
    assert "# CCC on the validation split" in text
    assert "# `social`: kappa on the validation split" in text
    assert [len(read_truth(planted.root, "all", label)) for label in ("", "social")] == [11, 11]
    assert read_truth(planted.root, "val", "social")[0].classes == CLASSES


def test_models_of_one_head_are_refused_by_name(planted):
    with pytest.raises(InputError, match="dat predicts one label, and labels"):
        started(planted, chosen(), "dat")
    with pytest.raises(InputError, match=r"made without labels\.also\.mood of params\.yaml"):
        planted.keeping(["mood"])


def test_a_model_of_several_labels_is_neither_exported_nor_run_live(planted, tmp_path):
    model = started(planted, chosen({"causal": True})).model
    model.save(tmp_path / "model", window=chosen().window.model_dump())
    with pytest.raises(InputError, match=r"model: predicts several labels \(the first, social\); only models of one"):
        export_onnx(tmp_path / "model", tmp_path / "out.onnx")
    inputs = SimpleNamespace(align=SimpleNamespace(causal=True), sources={})
    with pytest.raises(InputError, match=r"model: predicts several labels \(the first, social\); only models of one"):
        _refuse(tmp_path / "model", inputs, model, 25)
