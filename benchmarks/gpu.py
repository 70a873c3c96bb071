"""One visit to a GPU, in under eight minutes: does it compute what the CPU computes, and how much and how fast.

    PYTHONPATH=. python benchmarks/gpu.py --out benchmarks/gpu

Writes ``gpu.json`` and ``gpu.md``: conformance of scan and model with their reference on the CPU (values, gradients,
masks, states, bfloat16); memory and time of steps at the sizes of a preset beside DAT, with fused and with written-out
attention; frames a second of each encoder whose weights are on this machine; a step of a stream. Ends with 1 where a
bar of conformance is missed. Without a GPU it does the same on the CPU: use small numbers.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from damamba.benchmark.models import CUE_WIDTHS, PARTICIPANTS, streaming_form
from damamba.benchmark.process import alone
from damamba.benchmark.run import measure_models
from damamba.config import EXTRACTORS, ModelParams, Params, parse_section
from damamba.console import InputError, machine
from damamba.corpus.manifest import Participant
from damamba.device import choose_device
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.face_embedding import FaceEmbedding
from damamba.model import build_model
from damamba.plugins import find
from damamba.presets.apply import merged, read_preset
from damamba.report.benchmark import memory_table
from damamba.scan import ssd_extend
from damamba.scan.dispatch import choose_backend

LENGTHS = (64, 96, 192, 384, 768, 1536, 3072, 6144, 12288)
BATCH = 128
SMALL = {"audio": {"a": 6, "b": 3}, "visual": {"v": 5}}
"""Cues of the models whose numbers are compared."""
SCAN_BAR, MODEL_BAR, BF16_BAR = 1e-4, 1e-3, 0.05
"""Largest difference, relative to the largest number of its kind."""
FREE_SHARE = 0.95
SOUND_S, PICTURES, SAMPLE_RATE_HZ = 60, 256, 16_000


def worst(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """The largest difference of all tensors, each relative to its largest number."""
    differences = []
    for name, reference in expected.items():
        reference = reference.detach().double().cpu()
        off = (found[name].detach().double().cpu() - reference).abs().max() / reference.abs().max().clamp_min(1e-12)
        differences.append(off.item())
    return float("nan") if any(map(np.isnan, differences)) else max(differences)


def scan_results(device: torch.device, backend: Any, kind: torch.dtype, length: int, groups: int) -> dict[str, Tensor]:
    """Output, last state and gradients of a scan with missing frames, the same inputs everywhere."""
    draw = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    dt = 0.1 * torch.rand(2, length, 4, generator=draw)
    dt[:, length // 3 : length // 2] = 0  # missing: the state passes through
    inputs = {
        "x": normal(2, length, 4, 16), "dt": dt, "A": -1 - 15 * torch.rand(4, generator=draw),
        "B": normal(2, length, groups, 16), "C": normal(2, length, groups, 16), "D": normal(4),
        "initial_state": normal(2, 4, 16, 16),
    }  # fmt: skip
    weights = normal(2, length, 4, 16), normal(2, 4, 16, 16)
    named = {name: tensor.to(device, kind).requires_grad_() for name, tensor in inputs.items()}
    y, state = ssd_extend(**named, backend=backend)
    total = (y * weights[0].to(device, kind)).sum() + (state * weights[1].to(device, kind)).sum()
    gradients = torch.autograd.grad(total, list(named.values()))
    return {"y": y, "state": state, **dict(zip(named, gradients, strict=True))}


def model_inputs(frames: int) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor, Tensor]:
    """Cues with missing frames, the masks of cues and seats, and weights for the output."""
    draw = torch.Generator().manual_seed(frames)
    shape = (3, PARTICIPANTS, frames)
    widths = {name: width for group in SMALL.values() for name, width in group.items()}
    valid = {name: torch.rand(shape, generator=draw) < 0.8 for name in widths}
    cues = {name: torch.randn(*shape, width, generator=draw) for name, width in widths.items()}
    present = torch.ones(shape[:2], dtype=torch.bool)
    present[-1, -1] = False
    return cues, valid, present, torch.randn(3, frames, generator=draw)


def model_results(params: ModelParams, device: torch.device, frames: int, bf16: bool = False) -> dict[str, Tensor]:
    """Engagement and the gradients of all weights."""
    torch.manual_seed(0)
    model = build_model(SMALL, params, 25).to(device).eval()  # without dropout
    cues, valid, present, weights = model_inputs(frames)
    where = {name: tensor.to(device) for name, tensor in cues.items()}
    masks = {name: tensor.to(device) for name, tensor in valid.items()}
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        y = model(where, masks, present.to(device)).engagement
    (y.float() * weights.to(device)).sum().backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return {"engagement": y, "gradients": torch.cat(gradients)}


def masked_frames_matter(params: ModelParams, device: torch.device, frames: int) -> float:
    """Largest change of the output where values of frames that are not valid change."""
    torch.manual_seed(0)
    model = build_model(SMALL, params, 25).to(device).eval()
    cues, valid, present, _ = model_inputs(frames)
    outputs = []
    for fill in (0.0, 1e3):
        filled = {name: torch.where(valid[name][..., None], x, fill).to(device) for name, x in cues.items()}
        with torch.inference_mode():
            outputs.append(model(filled, {n: v.to(device) for n, v in valid.items()}, present.to(device)).engagement)
    return (outputs[0] - outputs[1]).abs().max().item()


def pieces_and_whole(params: ModelParams, device: torch.device, frames: int) -> float:
    """Largest difference between a causal model on a whole sequence, and on three pieces with its state."""
    causal = params.model_copy(update={"settings": {**params.settings, "causal": True}})
    torch.manual_seed(0)
    model: Any = build_model(SMALL, causal, 25).to(device).eval()
    cues, valid, present, _ = model_inputs(frames)
    cues, valid = ({n: x.to(device) for n, x in named.items()} for named in (cues, valid))
    with torch.inference_mode():
        whole = model(cues, valid, present.to(device)).engagement
        state, pieces = model.stream(), []
        for part in torch.arange(frames).split(-(-frames // 3)):
            piece = slice(int(part[0]), int(part[-1]) + 1)
            inputs = ({n: x[:, :, piece] for n, x in named.items()} for named in (cues, valid))
            y, state = model.extend(*inputs, present.to(device), state)
            pieces.append(y)
    return worst({"y": torch.cat(pieces, 1)}, {"y": whole})


def conformance(models: Mapping[str, ModelParams], frames: int) -> list[dict[str, Any]]:
    """Rows of (what, difference, bar); the reference is the loop in double precision, and the model on the CPU."""
    torch.set_num_threads(1)
    device, cpu = choose_device(), torch.device("cpu")
    rows: list[tuple[str, float, float]] = []
    for backend in dict.fromkeys((choose_backend(device.type), "torch")):
        for length, groups in ((1, 1), (frames, 1), (2 * frames + 1, 2)):
            found = scan_results(device, backend, torch.float32, length, groups)
            expected = scan_results(cpu, "reference", torch.float64, length, groups)
            rows.append((f"scan {backend}, {length} frames, {groups} groups", worst(found, expected), SCAN_BAR))
    for name, params in models.items():
        expected = model_results(params, cpu, frames)
        found = model_results(params, device, frames)
        rows.append((f"{name}: values and gradients", worst(found, expected), MODEL_BAR))
        rounded = model_results(params, device, frames, bf16=True)
        kept = {"engagement": expected["engagement"]}
        rows.append((f"{name}: values in bfloat16", worst(rounded, kept), BF16_BAR))
        rows.append((f"{name}: frames that are not valid", masked_frames_matter(params, device, frames), 0.0))
        if streaming_form(params, 25):
            rows.append((f"{name}: pieces with a state", pieces_and_whole(params, device, frames), MODEL_BAR))
    return [
        {"what": what, "difference": off, "bar": bar, "kept": bool(off <= bar)}  # False for nan
        for what, off, bar in rows
    ]


def encoder_rates(presets: Sequence[str], sound_s: float, pictures: int) -> list[dict[str, Any]]:
    """Rows a second of each encoder of these presets whose weights are on this machine."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = _noise(Path(folder) / "noise.wav", sound_s)
        for preset in presets:
            for cue, settings in read_preset(preset)["cues"].items():
                kind = find(EXTRACTORS, settings["extractor"], Extractor)
                if not kind.uses_device:
                    continue
                own = {name: value for name, value in settings.items() if name not in ("group", "extractor", "reads")}
                try:
                    extractor = kind(parse_section(kind.Params, own, f"preset {preset}: cues.{cue}"))
                    extractor.load()
                except InputError:
                    rows.append({"preset": preset, "cue": cue, "rows_per_s": None})
                    continue
                rows.append({"preset": preset, "cue": cue, "rows_per_s": _rate(extractor, source, pictures)})
    return rows


def _rate(extractor: Any, source: ExtractorInput, pictures: int) -> float | None:
    if isinstance(extractor, FaceEmbedding):
        squares = np.zeros((min(pictures, extractor.params.batch_frames), *2 * (extractor.side_px,), 3), np.uint8)
        calls = max(1, pictures // len(squares))
        return _rows_per_s(lambda: sum(len(extractor.embed(squares)) for _ in range(calls)))
    if extractor.media == "audio":
        return _rows_per_s(lambda: len(extractor.extract(source).t_s))
    return None  # clips of video need a recording and its faces


def _rows_per_s(call: Callable[[], int]) -> float:
    call()  # tunes kernels
    started = time.perf_counter()
    rows = call()
    return float(f"{rows / (time.perf_counter() - started):.3g}")


def _noise(path: Path, seconds: float) -> ExtractorInput:
    samples = np.random.default_rng(0).normal(0, 3000, round(seconds * SAMPLE_RATE_HZ)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.tobytes())
    who = Participant("own", "s", "p", "p", "test", "en", "p", "", str(path), "", duration_s=seconds)
    return ExtractorInput(who, None)


def stream_step_ms(params: ModelParams, rate_hz: int, frames: int) -> dict[str, float | None]:
    """Median time of a step of the causal model with a dyad on the device, ms; None where it cannot stream."""
    torch.set_num_threads(1)
    device = choose_device()
    model: Any = streaming_form(params, rate_hz)
    if model is None:
        return {"step": None}
    model = model.to(device)
    widths = {name: width for group in CUE_WIDTHS.values() for name, width in group.items()}
    cues = {name: torch.randn(1, PARTICIPANTS, 1, width, device=device) for name, width in widths.items()}
    valid = {name: torch.ones(1, PARTICIPANTS, 1, dtype=torch.bool, device=device) for name in widths}
    present = torch.ones(1, PARTICIPANTS, dtype=torch.bool, device=device)
    state, times = model.stream(), []
    with torch.inference_mode():
        for _ in range(2 * frames):
            started = time.perf_counter()
            y, state = model.extend(cues, valid, present, state)
            y.cpu()  # waits for the device
            times.append(1000 * (time.perf_counter() - started))
    return {"step": round(statistics.median(times[frames:]), 2)}


def measure(params: Params, small: Params, options: argparse.Namespace) -> dict[str, Any]:
    """Everything; `params` has the sizes that are measured, `small` those whose numbers are compared."""
    device = choose_device()
    models = {name: params.variant(name) for name in ("da_mamba", "dat")}
    total = torch.cuda.get_device_properties(device).total_memory / 2**30 if device.type == "cuda" else options.gib
    benchmark = params.benchmark.model_copy(
        update={
            "frames": tuple(options.frames),
            "long_frames": (),
            "batch_windows": options.batch,
            "memory_limit_gib": min(options.gib, FREE_SHARE * total),
            "stream_frames": options.stream,
        }
    )
    compared = {name: small.variant("no_floor" if name == "da_mamba" else name) for name in models}
    rows = alone(conformance, compared, options.compare)
    results, times = measure_models(benchmark, params.window, params.losses, models, options.repeats)
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "machine": machine(),
        "torch": torch.__version__,
        "scan": choose_backend(device.type),
        "preset": params.preset,
        "conformance": rows,
        "results": results,
        "times": times,
        "encoders": alone(encoder_rates, options.encoders, options.sound, options.pictures),
        "stream_step_ms": alone(stream_step_ms, models["da_mamba"], params.window.rate_hz, options.stream)["step"],
    }


def markdown(measured: Mapping[str, Any]) -> str:
    """The same as tables."""
    return "\n".join(_lines(measured)) + "\n"


def _lines(measured: Mapping[str, Any]) -> Iterator[str]:
    yield f"# One visit: {measured['device']}, preset {measured['preset']}, scan {measured['scan']}"
    yield from ("", "## Conformance with the CPU", "", "| what | difference | bar | |", "|---|---|---|---|")
    for row in measured["conformance"]:
        kept = "kept" if row["kept"] else "**missed**"
        yield f"| {row['what']} | {row['difference']:.1e} | {row['bar']:g} | {kept} |"
    yield from ("", memory_table(measured["results"]).strip().replace("# ", "## ", 1))
    yield from ("", "## Windows a second in training", "", "| model | frames | batch | windows a second |")
    yield "|---|---|---|---|"
    for step in measured["times"]["steps"]:
        rate = f"{1000 * step['batch'] / step['train_ms']:.3g}" if step["train_ms"] else "out of memory"
        yield f"| {step['model']} | {step['frames']} | {step['batch']} | {rate} |"
    yield from ("", "## Encoders", "", "| preset | cue | rows a second |", "|---|---|---|")
    for row in measured["encoders"]:
        shown = "not measured" if row["rows_per_s"] is None else f"{row['rows_per_s']:g}"
        yield f"| {row['preset']} | {row['cue']} | {shown} |"
    step = measured["stream_step_ms"]
    yield from ("", f"A step of a stream with a dyad: {step} ms" if step else "The model cannot stream.")


def sizes(preset: str | None) -> Params:
    """params.yaml with the sizes of a preset."""
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf8"))
    return parse_section(Params, merged(values, read_preset(preset)) if preset else values, "params.yaml")


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="paper", help="sizes to measure")
    parser.add_argument("--frames", type=int, nargs="+", default=list(LENGTHS))
    parser.add_argument("--batch", type=int, default=BATCH, help="windows a step")
    parser.add_argument("--gib", type=float, default=4096.0, help="memory that a step may take")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps, after one that does not count")
    parser.add_argument("--compare", type=int, default=96, help="frames whose numbers are compared")
    parser.add_argument("--encoders", nargs="*", default=["compact", "upstream", "foundation"], help="their presets")
    parser.add_argument("--sound", type=float, default=SOUND_S, help="seconds for an encoder of sound")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="for an encoder of pictures")
    parser.add_argument("--stream", type=int, default=100, help="timed steps of a stream")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/gpu"))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, and return the exit code."""
    options = read_arguments(arguments)
    started = time.perf_counter()
    measured = measure(sizes(options.preset), sizes("demo"), options)
    measured["minutes"] = round((time.perf_counter() - started) / 60, 1)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gpu.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf8")
    (options.out / "gpu.md").write_text(markdown(measured), encoding="utf8")
    missed = [row["what"] for row in measured["conformance"] if not row["kept"]]
    for what in missed:
        print(f"missed: {what}", file=sys.stderr)
    print(f"{options.out}: {measured['minutes']} min, {len(measured['conformance']) - len(missed)} bars kept")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
