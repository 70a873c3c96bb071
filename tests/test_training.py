import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import save_file

from damamba.config import Params
from damamba.console import InputError
from damamba.data.batch import WindowReader
from damamba.data.windows import WindowGrid
from damamba.inference import predict
from damamba.model import DAMamba
from damamba.training import Ema, Run, fit, learning_rate, run_key
from tests.data.test_batch import WIDTHS, make_aligned


@pytest.fixture
def aligned(tmp_path):
    held = make_aligned(tmp_path, sessions=4, n_labels=120)
    save_file(
        {
            f"{cue}.{what}": np.full(width, value, np.float32)
            for cue, width in WIDTHS.items()
            for what, value in (("mean", 15.0), ("std", 11.0))
        },
        tmp_path / "statistics.safetensors",
    )
    sessions = (*held.sessions[:3], replace(held.sessions[3], split="val"))
    return replace(held, sessions=sessions)


def params(**train) -> Params:
    held = yaml.safe_load((Path(__file__).parent.parent / "params.yaml").read_text())
    held["train"] |= {
        "steps": 8,
        "batch_windows": 4,
        "validate_steps": 4,
        "checkpoint_steps": 3,
        "warmup_steps": 2,
        "threads": 1,
        **train,
    }
    held["model"] |= {"d_model": 16, "d_fusion": 16, "headdim": 8, "d_state": 8, "n_heads": 2, "dropout": 0.2}
    return Params.model_validate(held)


def weights(model: DAMamba) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_a_killed_run_ends_bit_for_bit_like_an_undisturbed_one(tmp_path, aligned):
    straight = Run(aligned, params(), "da_mamba", 0)
    expected = weights(fit(straight, tmp_path / "a.pt"))

    class KilledError(Exception):
        pass

    def kill(row):
        if row.step == 5:  # two steps after the last state
            raise KilledError

    with pytest.raises(KilledError):
        fit(Run(aligned, params(), "da_mamba", 0), tmp_path / "b.pt", kill)
    again = Run(aligned, params(), "da_mamba", 0)
    resumed = weights(fit(again, tmp_path / "b.pt"))
    assert again.history == straight.history
    assert again.best[:2] == straight.best[:2]
    for name, tensor in expected.items():
        assert torch.equal(tensor, resumed[name]), name


@pytest.mark.parametrize("variant", ["dat", "lstm"])
def test_other_architectures_train_by_the_same_loop(tmp_path, aligned, variant):
    run = Run(aligned, params(), variant, 0)
    before = weights(run.model)
    model = fit(run, tmp_path / "f.pt")
    assert all(row["align"] == 0 and math.isfinite(row["val_ccc"] or 0) for row in run.history)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in weights(model).items())


def test_a_run_is_resumed_only_with_equal_data_parameters_and_seed(tmp_path, aligned):
    base = run_key(aligned, params(), "da_mamba", 0, None)
    assert run_key(aligned, params(threads=2, checkpoint_steps=5), "da_mamba", 0, None) == base
    assert run_key(aligned, params(learning_rate=0.5), "da_mamba", 0, None) != base
    assert run_key(aligned, params(), "no_fusion", 0, None) != base
    assert run_key(aligned, params(), "da_mamba", 1, None) != base
    assert run_key(aligned, params(), "da_mamba", 0, 7) != base
    other = replace(aligned, sha256={**aligned.sha256, "own/s0/p0.arrow": "0"})
    assert run_key(other, params(), "da_mamba", 0, None) != base


def test_a_damaged_resume_state_is_told(tmp_path, aligned):
    (tmp_path / "c.pt").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"c\.pt: damaged.*rm "):
        fit(Run(aligned, params(), "da_mamba", 0), tmp_path / "c.pt")


def test_a_resume_state_runs_no_code(tmp_path, aligned):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    torch.save({"step": Evil()}, tmp_path / "d.pt")
    with pytest.raises(InputError, match="damaged"):
        fit(Run(aligned, params(), "da_mamba", 0), tmp_path / "d.pt")
    assert not (tmp_path / "ran").exists()


def test_a_loss_that_is_not_finite_names_the_sessions(aligned):
    run = Run(aligned, params(), "da_mamba", 0)
    with torch.no_grad():
        run.model.head.bias.fill_(float("nan"))
    with pytest.raises(InputError, match=r"step 0: the loss is nan; sessions of the batch: own/s"):
        run.advance()


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


def test_shuffled_labels_are_another_task(aligned):
    run = Run(aligned, params(), "da_mamba", 0, shuffle=3)
    plain = Run(aligned, params(), "da_mamba", 0)
    drawn = run.windows.batch(0, 4)
    assert drawn == plain.windows.batch(0, 4)
    assert torch.equal(run.reader.read(drawn).cues["voice"], plain.reader.read(drawn).cues["voice"])
