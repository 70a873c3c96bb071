import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from damamba.config import Params, WindowParams
from damamba.console import InputError
from damamba.data.batch import LABEL_SAMPLE, TrainingWindows, Window, WindowReader
from damamba.data.shards import AlignedSeat, AlignedSession
from damamba.data.windows import WindowGrid
from damamba.inference import predict
from damamba.metrics import ccc
from damamba.model import DAMamba, load_model
from damamba.scan import ssd_scan
from damamba.training import Ema, fit, learning_rate
from damamba.training.optimizer import make_optimizer
from damamba.training.run import clocks
from tests.training.conftest import Run, params, run_key, weights


@pytest.mark.parametrize("variant", ["dat", "lstm", "mlp", "tcn"])
def test_other_architectures_train_by_the_same_loop(tmp_path, aligned, variant):
    run = Run(aligned, params(), variant, 0)
    before = weights(run.model)
    model = fit(run, tmp_path / "f.pt")
    assert all(row["align"] is None and math.isfinite(row["val_ccc"] or 0) for row in run.history)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in weights(model).items())


TINY = """
import torch
from torch import nn

from damamba.config import Positive, Section
from damamba.model.base import EngagementModel, Output, score_head, standardise_each


class Settings(Section):
    width: Positive


class Tiny(EngagementModel[Settings]):
    Params = Settings

    def __init__(self, cues, params, rate_hz, statistics=None, label_mean=0.5):
        super().__init__(cues, params, rate_hz, statistics, label_mean)
        self.standardise = standardise_each(self.widths, statistics)
        self.inner = nn.Linear(sum(self.widths.values()), params.width)
        self.head = score_head(params.width, label_mean)

    def forward(self, cues, valid, present):
        seen = {name: valid[name][:, 0] & present[:, :1] for name in self.widths}
        x = [layer(cues[name][:, 0], seen[name]) for name, layer in self.standardise.items()]
        return Output(torch.sigmoid(self.head(torch.tanh(self.inner(torch.cat(x, -1)))).squeeze(-1)), {})
"""
SMOOTH = """
from damamba.config import PositiveFloat, Section
from damamba.losses import Loss


class Settings(Section):
    power: PositiveFloat


class Smooth(Loss[Settings]):
    Params = Settings

    def __call__(self, prediction):
        return prediction.engagement.diff(dim=-1).abs().pow(self.params.power).mean()
"""


def test_an_architecture_and_a_loss_of_a_project_outside_train_and_are_loaded_again(tmp_path, aligned, monkeypatch):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/tiny.py").write_text(TINY)
    (tmp_path / "outside/smooth.py").write_text(SMOOTH)
    monkeypatch.syspath_prepend(tmp_path)
    values = params(steps=6).model_dump()
    values["architectures"]["tiny"] = {"width": 4}
    values["variants"]["tiny"] = {"architecture": "outside.tiny"}
    values["losses"]["smooth"] = {"loss": "outside.smooth", "power": 2.0}
    values["model"]["lambda_smooth"] = 0.5
    extended = Params.model_validate(values)
    extended.check_settings()
    run = Run(aligned, extended, "tiny", 0)
    model = fit(run, tmp_path / "tiny.pt")
    assert all(row["smooth"] > 0 and row["align"] is None for row in run.history)
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.architecture() == "outside.tiny"
    session = aligned.sessions[3]
    np.testing.assert_array_equal(predict(loaded, run.reader, session, 0), predict(model, run.reader, session, 0))
    before = run_key(aligned, extended, "tiny", 0, None)
    (tmp_path / "outside/smooth.py").write_text(SMOOTH.replace(".mean()", ".sum()"))
    assert run_key(aligned, extended, "tiny", 0, None) != before
    values["architectures"]["tiny"] = {"depth": 4}
    with pytest.raises(InputError, match=r"architectures\.tiny: depth: .*known keys: width"):
        Params.model_validate(values).check_settings()


def test_a_loss_that_is_not_finite_names_the_sessions(aligned):
    run = Run(aligned, params(), "da_mamba", 0)
    with torch.no_grad():
        run.model.head.bias.fill_(float("nan"))
    with pytest.raises(InputError, match=r"step 0: the loss is nan; sessions of the batch: own/s"):
        run.advance()


def test_only_the_training_split_is_trained_on(aligned):
    test = replace(aligned.sessions[2], split="test")
    run = Run(replace(aligned, sessions=(*aligned.sessions[:2], test, aligned.sessions[3])), params(), "da_mamba", 0)
    seen = {window.session.name for step in range(20) for window in run.windows.batch(step, 4)}
    assert seen == {"own/s0", "own/s1"}
    assert {session.name for session, _ in run.validation} == {"own/s3"}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_gradient_that_is_not_finite_stops_before_any_weight_changes(aligned, accumulate):
    run = Run(aligned, params(accumulate=accumulate), "da_mamba", 0)
    run.advance()
    before = {name: weight.clone() for name, weight in run.model.named_parameters()}
    averaged = {name: weight.clone() for name, weight in run.ema.weights.items()}
    run.model.join.weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(InputError, match=r"step 1: the gradient of the loss is nan; .*sessions of the batch: own/s"):
        run.advance()
    assert run.step == 1
    for name, weight in run.model.named_parameters():
        assert torch.equal(weight, before[name]), name
        assert torch.equal(run.ema.weights[name], averaged[name]), name


def test_only_matrices_decay_and_no_rate_step_size_skip_norm_or_bias(aligned):
    run = Run(aligned, params(weight_decay=0.5), "da_mamba", 0)
    decays = {id(weight): group["weight_decay"] for group in run.optimizer.param_groups for weight in group["params"]}
    kept = {name for name, weight in run.model.named_parameters() if decays[id(weight)] == 0}
    assert {name for name, _ in run.model.named_parameters()} - kept
    for name, weight in run.model.named_parameters():
        last = name.rpartition(".")[2]
        vector = last in ("A_log", "dt_bias", "D", "bias", "missing", "mark") or "norm" in name
        assert (name in kept) == vector, name
        assert decays[id(weight)] == (0 if vector else 0.5), name


def test_weights_that_mamba_marks_do_not_decay():
    layer = torch.nn.Linear(2, 2)
    layer.weight._no_weight_decay = True  # as A_log of mamba_ssm.Mamba, which is a matrix
    still, *_ = make_optimizer(torch.nn.Sequential(layer, torch.nn.Linear(2, 2)), params().train).param_groups
    assert [weight.shape for weight in still["params"]] == [(2, 2)]
    assert still["params"][0] is not layer.weight


def test_runs_of_several_precisions_take_turns_in_one_process(aligned):
    alone = {
        precision: [Run(aligned, params(precision=precision), "da_mamba", 0).advance().loss]
        for precision in ("fp32", "bf16")
    }
    assert alone["fp32"] != alone["bf16"]
    runs = {precision: Run(aligned, params(precision=precision), "da_mamba", 0) for precision in ("bf16", "fp32")}
    assert {precision: [run.advance().loss] for precision, run in runs.items()} == alone


def test_windows_far_longer_than_every_session_are_refused(aligned):
    long = WindowParams(rate_hz=25, core_frames=25000, context_frames=0)
    with pytest.raises(InputError, match=r"window: 25000 frames are 1000 s, and the longest training session has 5 s"):
        Run(aligned, params().model_copy(update={"window": long}), "da_mamba", 0)


def test_clocks_are_those_of_the_sessions(aligned):
    grid = WindowGrid.of(params(window={"rate_hz": 5, "core_frames": 4, "context_frames": 1}).window)
    first, second = aligned.sessions[:2]
    drawn = [Window(first, 0, 7), Window(second, 0, 7), Window(first, 1, 0), Window(first, 0, -3)]
    seat, start = clocks(drawn, grid)
    assert seat.tolist() == [0, 1, 2, 0]
    assert start.tolist() == pytest.approx([0.4, 0.4, -1.0, -1.6])  # 25 labels are 5 frames, the context is 5 labels


def test_what_a_step_sees_does_not_depend_on_what_was_read_ahead(aligned):
    run, again = Run(aligned, params(), "da_mamba", 0), Run(aligned, params(), "da_mamba", 0)
    for step in (0, 1, 2, 7, 3):  # as after a resume
        drawn, batch = run.batches.take(step)
        assert drawn == again.windows.batch(step, 4)
        expected = again.reader.read(drawn)
        assert torch.equal(batch.label, expected.label)
        assert all(torch.equal(x, expected.cues[name]) for name, x in batch.cues.items())


def test_the_average_is_warmed_up_and_swapped_back():
    model = torch.nn.Linear(1, 1, bias=False)
    ema = Ema(model, 0.999)
    start = model.weight.item()
    with torch.no_grad():
        model.weight.fill_(1.0)
    ema.update()
    with ema.swap():
        assert model.weight.item() == pytest.approx(0.1 * start + 0.9)  # (1 + 0) / (10 + 0) of the old
    assert model.weight.item() == 1.0
    before = ema.weights["weight"].item()
    ema.update()
    assert ema.weights["weight"].item() == pytest.approx(1 + (before - 1) * 2 / 11)  # (1 + 1) / (10 + 1)


def test_the_rate_warms_up_linearly_and_falls_as_a_cosine():
    train = params(steps=100, warmup_steps=10, learning_rate=1.0).train
    rates = [learning_rate(step, train) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.5 * (1 + math.cos(math.pi * 89 / 90)))


def test_a_saved_model_predicts_the_same_and_every_label_once(tmp_path, aligned):
    run = Run(aligned, params(), "da_mamba", 0)
    model = fit(run, tmp_path / "e.pt")
    model.save(tmp_path / "model", window=run.grid.core)
    reader = WindowReader(aligned, WindowGrid.of(params().window))
    session = aligned.sessions[3]
    ours = predict(model, reader, session, 1)
    assert ours.shape == (120,)
    assert ((ours >= 0) & (ours <= 1)).all()
    np.testing.assert_array_equal(predict(DAMamba.load(tmp_path / "model"), reader, session, 1), ours)


def test_the_same_seed_gives_the_same_bytes(tmp_path, aligned):
    for name in ("one", "two", "other"):
        run = Run(aligned, params(steps=4), "da_mamba", 1 if name == "other" else 0)
        fit(run, tmp_path / f"{name}.pt").save(tmp_path / name, window=run.grid.core)
    one, two, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_the_backend_of_the_scan_changes_no_score(tmp_path, aligned, monkeypatch):
    session = aligned.sessions[3]
    scores, told = {}, {}
    for backend in ("torch", "reference"):
        calls = []

        def scan(*inputs, backend=backend, calls=calls, **options):
            calls.append(backend)
            return ssd_scan(*inputs, **options | {"backend": backend})

        monkeypatch.setattr("damamba.model.mamba.ssd_scan", scan)
        run = Run(aligned, params(), "da_mamba", 0)
        model = fit(run, tmp_path / f"{backend}.pt")
        told[backend] = np.concatenate([predict(model, run.reader, session, seat) for seat in range(2)])
        label = [aligned.labels(session, who.participant) for who in session.seats]
        value, valid = (np.concatenate(parts) for parts in zip(*label, strict=True))
        scores[backend] = ccc(told[backend], value, valid)
        assert calls
    assert scores["torch"] == pytest.approx(scores["reference"], abs=5e-4)
    np.testing.assert_allclose(told["torch"], told["reference"], atol=1e-4)


def test_shuffled_labels_are_another_task(aligned):
    run = Run(aligned, params(), "da_mamba", 0, shuffle=3)
    plain = Run(aligned, params(), "da_mamba", 0)
    drawn = run.windows.batch(0, 4)
    assert drawn == plain.windows.batch(0, 4)
    ours, true = run.reader.read(drawn), plain.reader.read(drawn)
    assert torch.equal(ours.cues["voice"], true.cues["voice"])
    assert run.reader.label_source
    assert not plain.reader.label_source
    assert not run.validation
    assert plain.validation


def test_pieces_of_a_batch_have_the_gradient_of_the_whole(aligned):
    found = []
    for accumulate in (1, 3, 4):
        run = Run(aligned, params({"dropout": 0.0}, accumulate=accumulate), "da_mamba", 0)
        row = run.advance()
        found.append((row, {name: p.grad.clone() for name, p in run.model.named_parameters() if p.grad is not None}))
    (whole, expected), *others = found
    assert whole.terms["align"] > 0
    for row, gradients in others:
        assert (row.loss, row.terms["ccc"]) == pytest.approx((whole.loss, whole.terms["ccc"]), rel=1e-5)
        assert gradients.keys() == expected.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-3, atol=1e-6)


def test_gradient_checkpointing_changes_no_number(tmp_path, aligned):
    plain = Run(aligned, params(steps=3), "da_mamba", 0)
    recomputed = Run(aligned, params(steps=3, gradient_checkpointing=True), "da_mamba", 0)
    expected, ours = weights(fit(plain, tmp_path / "g.pt")), weights(fit(recomputed, tmp_path / "h.pt"))
    assert plain.history == recomputed.history
    assert all(torch.equal(tensor, ours[name]) for name, tensor in expected.items())


def test_bf16_rounds_training_and_no_prediction(tmp_path, aligned):
    full = Run(aligned, params(steps=1), "da_mamba", 0).advance()
    run = Run(aligned, params(steps=1, precision="bf16"), "da_mamba", 0)
    model = fit(run, tmp_path / "i.pt")
    assert run.history[0]["loss"] != full.loss
    assert run.history[0]["loss"] == pytest.approx(full.loss, abs=0.02)
    model.save(tmp_path / "model")
    ours = predict(model, run.reader, aligned.sessions[3], 0)
    np.testing.assert_array_equal(predict(DAMamba.load(tmp_path / "model"), run.reader, aligned.sessions[3], 0), ours)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has fp16")
def test_fp16_without_a_gpu_is_refused(aligned):
    with pytest.raises(InputError, match=r"train\.precision: fp16 needs a GPU"):
        Run(aligned, params(precision="fp16"), "da_mamba", 0)


def test_constant_predictions_name_the_sessions(tmp_path, aligned):
    run = Run(aligned, params(steps=40, validate_steps=40, batch_windows=1, learning_rate=1e-30), "da_mamba", 0)
    torch.nn.init.zeros_(run.model.head.weight)
    with pytest.raises(
        InputError, match=r"step 20: all predictions have been the same .* sessions of the batch: own/s"
    ):
        fit(run, tmp_path / "k.pt")


@pytest.mark.parametrize(("core", "context"), [(250, 0), (1500, 250)])
@pytest.mark.parametrize("variant", ["da_mamba", "dat"])
def test_windows_of_ten_seconds_and_of_whole_sessions_train_and_predict(tmp_path, aligned, variant, core, context):
    held = params(window={"core_frames": core, "context_frames": context}, steps=2, batch_windows=2)
    run = Run(aligned, held, variant, 0)
    model = fit(run, tmp_path / "l.pt")
    assert all(math.isfinite(row["loss"]) and row["pred_std"] > 0 for row in run.history)
    ours = predict(model, run.reader, aligned.sessions[3], 0)
    assert ours.shape == (120,)
    assert np.isfinite(ours).all()


def test_ten_thousand_sessions_start_with_as_few_reads_as_a_thousand():
    class Labels:
        reads = 0

        def labels(self, session, participant):
            self.reads += 1
            return np.full(50, 0.25 + 0.5 * (int(session.session) % 2)), np.ones(50, bool)

    class Reader:
        aligned = Labels()

    seat = (AlignedSeat("p", "host", "x", True),)
    sessions = [AlignedSession("own", str(i), "train", "en", 50, seat) for i in range(10_000)]
    windows = TrainingWindows(sessions, WindowGrid(10, 5, 25), 0)
    assert windows.label_mean(Reader().aligned) == pytest.approx(0.5, abs=0.01)
    assert Reader.aligned.reads <= 2 * LABEL_SAMPLE
