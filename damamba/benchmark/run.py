"""The measurements of stage `benchmark`: results, which a rerun repeats, apart from times, which it does not."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from damamba.benchmark.models import CUE_WIDTHS, ModelForm, at_upstream_cues, forms_to_measure, parameters
from damamba.benchmark.peers import compare_with_peers
from damamba.benchmark.process import alone
from damamba.benchmark.reading import window_read_ms
from damamba.benchmark.steps import StepCost, StepTask, exponents, measure_step
from damamba.benchmark.streaming import stream_steps_ms
from damamba.config import BenchmarkParams, LossParams, ModelParams, WindowParams
from damamba.console import InputError, progress
from damamba.data.windows import WindowGrid
from damamba.device import choose_device

PEAKS, TIMES = ("train_peak_mib", "infer_peak_mib"), ("train_ms", "infer_ms")


def run_benchmark(
    params: BenchmarkParams, window: WindowParams, losses: Mapping[str, LossParams], variants: Mapping[str, ModelParams]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Contents of ``results/benchmark.json`` and of ``results/speed.json``."""
    peers = alone(compare_with_peers, params.length_frames, params.speed_repeats)
    results, times = measure_models(params, window, losses, variants, params.repeats)
    return results, {**times, "peers": peers}


def measure_models(
    params: BenchmarkParams,
    window: WindowParams,
    losses: Mapping[str, LossParams],
    variants: Mapping[str, ModelParams],
    repeats: int,
    known: Iterable[StepCost] = (),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything but the comparison of single layers with their peers: (results, times).

    Args:
        params, window, losses: Sections of params.yaml.
        variants: Models to measure; those that use other cues than the upstream ones are left out.
        repeats: Timed steps, after an untimed one; 0 times a single step.
        known: Costs of configurations that are not measured again.

    Raises:
        InputError: No variant can be built with the upstream cues.
    """
    variants = at_upstream_cues(variants)
    if not variants:
        raise InputError(
            "params.yaml: no variant can be measured: models are built with the cues of the upstream encoders "
            f"({', '.join(name for widths in CUE_WIDTHS.values() for name in widths)}), and every variant selects "
            "others; add a variant with `cues: null`"
        )
    forms = forms_to_measure(variants, window.rate_hz)
    costs_known = {(cost.model, cost.frames, cost.batch): cost for cost in known}
    tasks = [
        StepTask(form, variants[form.variant], losses, frames, batch, times, window.rate_hz, params.memory_limit_gib)
        for form in forms
        for frames, batch, times in (
            *((frames, params.batch_windows, repeats) for frames in params.frames),
            *((frames, 1, 0) for frames in params.long_frames),
        )
    ]
    costs: list[StepCost] = []
    for task in progress(tasks, "benchmark"):
        cost = costs_known.get((task.form.name, task.frames, task.batch))
        costs.append(cost or alone(measure_step, task))
    device = choose_device().type
    streaming = {form.variant: variants[form.variant] for form in forms}
    results = {
        "device": device,
        "memory_limit_gib": params.memory_limit_gib,
        "cue_widths": CUE_WIDTHS,
        "parameters": {name: parameters(model, window.rate_hz) for name, model in variants.items()},
        "forms": {form.name: _description(form) for form in forms},
        "memory": [_part(cost, PEAKS) for cost in costs],
        "exponent": exponents(costs),
    }
    return results, {
        "device": device,
        "threads": 1,
        "steps": [_part(cost, TIMES) for cost in costs],
        "stream_step_ms": alone(stream_steps_ms, streaming, window.rate_hz, params.stream_frames),
        "window_read_ms": window_read_ms(WindowGrid.of(window)),
    }


def step_costs(results: Mapping[str, Any], times: Mapping[str, Any]) -> list[StepCost]:
    """The costs in the two files of an earlier measurement."""
    return [
        StepCost(**peaks, **{name: step[name] for name in TIMES})
        for peaks, step in zip(results["memory"], times["steps"], strict=True)
    ]


def _part(cost: StepCost, columns: tuple[str, ...]) -> dict[str, Any]:
    values = asdict(cost)
    return {name: values[name] for name in ("model", "frames", "batch", *columns)}


def _description(form: ModelForm) -> dict[str, Any]:
    return {name: value for name, value in asdict(form).items() if name != "name"}
