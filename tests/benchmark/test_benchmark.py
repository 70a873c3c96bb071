"""Memory that a step takes is seen, limits hold, and the sums behind the tables are right."""

import pytest
import torch
from torch import nn

from damamba.benchmark import run
from damamba.benchmark.models import PARTICIPANTS, ModelForm, forms_to_measure, streaming_form
from damamba.benchmark.peers import blocks, count, crossover, length_costs, scan_inputs, scans
from damamba.benchmark.process import alone
from damamba.benchmark.run import measure_models, step_costs
from damamba.benchmark.steps import StepCost, StepTask, exponents, measure_step
from damamba.benchmark.streaming import stream_steps_ms
from damamba.config import ModelParams
from damamba.console import InputError
from tests.conftest import frozen_params

PARAMS = frozen_params()
VARIANTS = {name: PARAMS.variant(name) for name in PARAMS.variants}
FORMS = {form.name: form for form in forms_to_measure(VARIANTS, 25)}


def measured(name, frames=64, batch=2, limit_gib=4.0):
    form = FORMS[name]
    return alone(measure_step, StepTask(form, VARIANTS[form.variant], PARAMS.losses, frames, batch, 0, 25, limit_gib))


def test_attention_as_published_costs_its_matrices():
    """One matrix of heads x frames x frames for each encoder, kept for the backward pass."""
    frames = 1024
    published, fused = (measured(name, frames, 1) for name in ("dat, as published", "dat, fused attention"))
    one = VARIANTS["dat"].settings["n_heads"] * frames**2 * 4 / 2**20
    encoders = PARTICIPANTS * 7 + 2  # five cues and two groups per person, two cross encoders
    assert published.train_peak_mib - fused.train_peak_mib >= encoders * one
    assert published.infer_peak_mib >= one


def test_checkpointing_saves_memory():
    plain, saving = (measured(name, 192, 8) for name in ("da_mamba", "da_mamba, checkpointing"))
    assert saving.train_peak_mib < 0.95 * plain.train_peak_mib  # of a small model much is inputs


def test_beyond_the_limit_is_out_of_memory():
    cost = measured("da_mamba", 512, 16, limit_gib=0.05)
    assert (cost.train_peak_mib, cost.train_ms) == (None, None)


def test_the_same_step_has_the_same_peak_in_every_process():
    first, second = (measured("transformer", 64, 8) for _ in range(2))
    assert (first.train_peak_mib, first.infer_peak_mib) == (second.train_peak_mib, second.infer_peak_mib)


def test_forms_follow_from_what_the_variants_are():
    renamed = {"full": VARIANTS["da_mamba"], "attention": VARIANTS["transformer"], "old": VARIANTS["dat"]}
    assert forms_to_measure({**renamed, "again": VARIANTS["no_fusion"]}, 25) == [
        ModelForm("full", "full"),
        ModelForm("full, checkpointing", "full", checkpointing=True),
        ModelForm("attention", "attention"),
        ModelForm("old, as published", "old", explicit_attention=True),
        ModelForm("old, fused attention", "old"),
    ]


def test_a_variant_that_cannot_stream_is_left_out_of_streaming():
    assert {name for name, params in VARIANTS.items() if streaming_form(params, 25) is None} == {
        "transformer",
        "dat",
        "lstm",
        "ridge",
        "mlp",
        "tcn",
        "boosting",
        "constant",
    }
    taken = stream_steps_ms({"no": VARIANTS["lstm"], "yes": VARIANTS["da_mamba"]}, 25, 2)
    assert list(taken)[1:] == ["yes, a dyad"]
    assert all(ms > 0 for ms in taken.values())


def benchmark_params(**changes):
    smallest = {"frames": [64], "long_frames": [], "batch_windows": 2, "stream_frames": 1}
    return PARAMS.benchmark.model_copy(update={**smallest, **changes})


def test_known_costs_are_not_measured_again_and_results_hold_no_times():
    known = StepCost("da_mamba", 64, 2, 1, 2, 3.0, 4.0)
    params = benchmark_params()
    results, times = measure_models(params, PARAMS.window, PARAMS.losses, VARIANTS, 0, [known])
    ours, *others = step_costs(results, times)
    assert ours == known
    assert [cost.model for cost in others] == list(FORMS)[1:]
    assert all(cost.train_peak_mib > 1 and cost.train_ms > 0 for cost in others)
    assert set(results["parameters"]) == set(VARIANTS)
    assert not any("_ms" in key for row in results["memory"] for key in row)
    assert not any("peak" in key for row in times["steps"] for key in row)


def test_another_architecture_alone_can_be_measured(monkeypatch):
    """Nothing depends on the name of a variant: `model.architecture` may be any architecture."""
    monkeypatch.setattr(run, "window_read_ms", lambda grid: 1.0)
    lstm = ModelParams(**{**VARIANTS["lstm"].model_dump(), "cues": None})
    results, times = measure_models(benchmark_params(), PARAMS.window, PARAMS.losses, {"da_mamba": lstm}, 0)
    assert [row["model"] for row in results["memory"]] == ["da_mamba"]
    assert len(times["stream_step_ms"]) == 1  # the blocks alone


def test_variants_with_cues_of_their_own_are_left_out():
    own = VARIANTS["da_mamba"].model_copy(update={"cues": ("gaze",)})
    with pytest.raises(InputError, match="no variant can be measured"):
        measure_models(benchmark_params(), PARAMS.window, PARAMS.losses, {"own": own}, 0)


def test_exponent_is_the_slope_of_long_windows():
    long = [StepCost("quadratic", n, 1, n**2, 1, 1.0, 1.0) for n in (384, 768, 1536)]
    ended = [StepCost("ends", 384, 1, 5, 1, 1.0, 1.0), StepCost("ends", 768, 1, None, None, None, None)]
    short = [StepCost("quadratic", 64, 16, 10**6, 1, 1.0, 1.0)]
    assert exponents([*short, *long, *ended]) == {"quadratic": 2.0}


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
def test_peers_compute_the_same_and_have_similar_sizes():
    """A ratio means nothing if the other scan computes something else, or the other layer is larger."""
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


def test_lengths_are_compared_on_equally_many_frames():
    seen = []

    class Counting(nn.Linear):
        def forward(self, x):
            seen.append(x.shape[0] * x.shape[1])
            return super().forward(x)

    costs = length_costs({"a": Counting(256, 256)}, (48, 96), 1)
    assert set(seen) == {96}
    assert all(row["a"] > 0 for row in costs.values())
