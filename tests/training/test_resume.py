"""A killed run continues where it was, from a state that is sound and its own."""

import os
from dataclasses import replace

import pytest
import torch

from damamba.console import InputError
from damamba.training import fit
from damamba.training.resume import read_state, write_state
from tests.damage import damages
from tests.training.conftest import Run, params, run_key, weights


@pytest.mark.parametrize(
    "settings", [{}, {"accumulate": 3, "gradient_checkpointing": True, "precision": "bf16", "patience": 5}]
)
def test_a_killed_run_ends_bit_for_bit_like_an_undisturbed_one(tmp_path, aligned, settings):
    straight = Run(aligned, params(**settings), "da_mamba", 0)
    expected = weights(fit(straight, tmp_path / "a.pt"))

    class KilledError(Exception):
        pass

    def kill(row):
        if row.step == 5:  # two steps after the last state
            raise KilledError

    with pytest.raises(KilledError):
        fit(Run(aligned, params(**settings), "da_mamba", 0), tmp_path / "b.pt", kill)
    again = Run(aligned, params(**settings), "da_mamba", 0)
    resumed = weights(fit(again, tmp_path / "b.pt"))
    assert again.history == straight.history
    assert again.best[:2] == straight.best[:2]
    for name, tensor in expected.items():
        assert torch.equal(tensor, resumed[name]), name


def test_a_run_is_resumed_only_with_equal_data_parameters_and_seed(tmp_path, aligned):
    base = run_key(aligned, params(), "da_mamba", 0, None)
    harmless = params(threads=2, checkpoint_steps=5, gradient_checkpointing=True)
    assert run_key(aligned, harmless, "da_mamba", 0, None) == base
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


def test_damage_of_a_resume_state_is_never_used(tmp_path, aligned):
    path = tmp_path / "c.pt"
    run = Run(aligned, params(), "da_mamba", 0)
    run.advance()
    write_state(path, run.state())
    assert torch.equal(read_state(path)["model"]["head.bias"], run.model.state_dict()["head.bias"])
    for _, damaged in damages(path.read_bytes(), 60, 0):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"c\.pt: damaged.*rm "):
            read_state(path)


def test_a_resume_state_runs_no_code(tmp_path, aligned):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    write_state(tmp_path / "d.pt", {"step": Evil()})
    with pytest.raises(InputError, match="damaged"):
        fit(Run(aligned, params(), "da_mamba", 0), tmp_path / "d.pt")
    assert not (tmp_path / "ran").exists()
