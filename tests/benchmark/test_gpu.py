"""The benchmark of a GPU, in its form for a CPU, so that it still works when a GPU is there."""

import json

import pytest
import torch

from benchmarks import gpu
from damamba.scan import dispatch
from tests.conftest import FROZEN_PARAMS, frozen_params

SMALL = ["--preset", "smoke", "--frames", "32", "64", "--batch", "2", "--gib", "2", "--repeats", "0", "--compare", "40"]
LESS = ["--encoders", "compact", "--sound", "1", "--pictures", "2", "--stream", "2"]


@pytest.mark.slow
def test_everything_is_measured_and_every_bar_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(FROZEN_PARAMS.read_text())
    assert gpu.main([*SMALL, *LESS, "--out", "out"]) == 0
    measured = json.loads((tmp_path / "out/gpu.json").read_text())
    names = {"da_mamba", "da_mamba, checkpointing", "dat, as published", "dat, fused attention"}
    assert {(step["model"], step["frames"]) for step in measured["times"]["steps"]} == {
        (name, frames) for name in names for frames in (32, 64)
    }
    assert {row["cue"] for row in measured["encoders"] if row["rows_per_s"]} == {"clip", "wav2vec2", "emotion"}
    assert measured["stream_step_ms"] > 0
    text = (tmp_path / "out/gpu.md").read_text()
    assert "missed" not in text
    assert "| da_mamba | 64 | 2 |" in text


def test_a_scan_that_is_off_misses_its_bar(monkeypatch):
    params = {"da_mamba": frozen_params().variant("no_floor")}
    assert all(row["kept"] for row in gpu.conformance(params, 24))
    right = dispatch.chunked_scan

    def off(x, *rest):
        y, state = right(x, *rest)
        return 1.001 * y, state

    monkeypatch.setattr(dispatch, "chunked_scan", off)
    missed = {row["what"] for row in gpu.conformance(params, 24) if not row["kept"]}
    assert any(what.startswith("scan torch") for what in missed)
    assert not gpu.worst({"y": torch.tensor([float("nan")])}, {"y": torch.ones(1)}) <= 1  # nan keeps no bar
