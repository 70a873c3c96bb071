"""What is measured is what is said: memory that is taken is seen, a limit holds, the sums behind the keys are right."""

from dataclasses import asdict

import pytest
import torch
from damamba.benchmark.memory import KINDS, PARTICIPANTS, Row, Task, exponents, measure, rows_to_measure
from damamba.benchmark.speed import blocks, count, crossover, length_costs, scan_inputs, scans
from torch import nn

from damamba.benchmark import sizes
from damamba.benchmark.process import alone
from damamba.benchmark.streaming import stream_steps
from tests.conftest import frozen_params

PARAMS = frozen_params()
VARIANTS = {name: PARAMS.variant(name) for name in PARAMS.variants}
BY_NAME = {kind.name: kind for kind in KINDS}


def measured(name, frames=64, batch=2, limit_gib=4.0):
    kind = BY_NAME[name]
    return alone(measure, Task(kind, VARIANTS[kind.variant], PARAMS.losses, frames, batch, 0, 25, limit_gib))


def test_attention_as_published_costs_its_matrices():
    """One matrix of heads x frames x frames for each encoder, kept for the backward pass."""
    frames = 1024
    published, fused = (measured(name, frames, 1) for name in ("dat, as published", "dat, fused attention"))
    one = VARIANTS["dat"].settings["n_heads"] * frames**2 * 4 / 2**20
    encoders = PARTICIPANTS * 7 + 2  # five cues and two groups a person, two cross encoders
    assert published.train_peak_mib - fused.train_peak_mib >= encoders * one
    assert published.infer_peak_mib >= one


def test_checkpointing_saves_memory():
    plain, saving = (measured(name, 192, 48) for name in ("da_mamba", "da_mamba, checkpointing"))
    assert saving.train_peak_mib < 0.95 * plain.train_peak_mib  # of a small model much is inputs


def test_beyond_the_limit_is_out_of_memory():
    row = measured("da_mamba", 512, 16, limit_gib=0.05)
    assert (row.train_peak_mib, row.train_ms) == (None, None)


def test_variants_that_are_not_there_have_no_row():
    assert [kind.name for kind in rows_to_measure({"transformer": VARIANTS["transformer"]})] == ["transformer"]


def test_known_rows_are_not_measured_again():
    changes = {"frames": [64], "long_frames": [], "batch_windows": 2, "stream_frames": 1}
    known = Row("da_mamba", 64, 2, 1.0, 2.0, 3.0, 4.0)
    result = sizes(PARAMS.benchmark.model_copy(update=changes), PARAMS.window, VARIANTS, PARAMS.losses, 0, [known])
    ours, *others = result["memory"]
    assert ours == asdict(known)
    assert [row["model"] for row in others] == [kind.name for kind in KINDS[1:]]
    assert all(row["train_peak_mib"] > 1 for row in others)


def test_exponent_is_the_slope_of_long_windows():
    rows = [Row("quadratic", n, 1, n**2 / 1e3, 1.0, 1.0, 1.0) for n in (384, 768, 1536)]
    ended = [Row("ends", 384, 1, 5.0, 1.0, 1.0, 1.0), Row("ends", 768, 1, None, None, None, None)]
    short = [Row("quadratic", 64, 16, 1e6, 1.0, 1.0, 1.0)]
    assert exponents([*short, *rows, *ended]) == {"quadratic": 2.0}


@pytest.mark.parametrize(
    ("differences", "expected"),
    [([-2, -1, 1, 3], 300), ([1, 2, 3, 4], 100), ([-1, -2, -3, -4], None), ([1, -1, 1, 2], 300)],
)
def test_crossover_is_the_last_change_of_sign(differences, expected):
    rows = [
        {"frames": frames, "ours": 10.0, "nn.TransformerEncoderLayer": 10.0 + gain}
        for frames, gain in zip((100, 200, 400, 800), differences, strict=True)
    ]
    assert crossover(rows) == expected


@pytest.mark.filterwarnings("ignore")
def test_peers_compute_the_same_and_have_like_sizes():
    """Another scan that were not the same scan, or a larger layer, would make a ratio without a meaning."""
    inputs, calls = scan_inputs(), scans()
    for name, call in calls.items():
        torch.testing.assert_close(call(*inputs), calls["ours"](*inputs), rtol=1e-4, atol=1e-4, msg=name)
    layers = blocks()
    for name, layer in layers.items():
        assert count(layer) == pytest.approx(count(layers["ours"]), rel=0.01), name
    for name in (name for name in layers if "transformers" in name):
        layers[name].load_state_dict(layers["ours"].state_dict())
        x = torch.randn(2, 50, 256)
        torch.testing.assert_close(layers[name].eval()(x), layers["ours"](x), rtol=1e-3, atol=1e-5)


def test_lengths_are_compared_on_as_many_frames():
    seen = []

    class Counting(nn.Linear):
        def forward(self, x):
            seen.append(x.shape[0] * x.shape[1])
            return super().forward(x)

    costs = length_costs({"a": Counting(256, 256)}, (48, 96), 1)
    assert set(seen) == {96}
    assert all(row["a"] > 0 for row in costs.values())


def test_stream_steps_are_timed():
    assert all(taken > 0 for taken in stream_steps(VARIANTS["da_mamba"], 25, 2).values())
