"""Tables and the figure of what stage `benchmark` measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from damamba.report.markdown import table
from damamba.report.published import published
from damamba.svg import house_style, save_svg, series_style

PEAKS = {"train_peak_mib": "training peak, MiB", "infer_peak_mib": "inference peak, MiB"}
TIMES = {"train_ms": "training, ms", "infer_ms": "inference, ms"}
OUT_OF_MEMORY = "out of memory"


def memory_table(results: Mapping[str, Any]) -> str:
    """Markdown: peak memory and parameters of our models, and apart from them the published rows."""
    rows = results["memory"]
    reference = next((name for name, form in results["forms"].items() if form["explicit_attention"]), None)
    reference_peaks = {
        (row["frames"], row["batch"]): row["train_peak_mib"] for row in rows if row["model"] == reference
    }

    def ratio(row: Mapping[str, Any]) -> str:
        peak, other = row["train_peak_mib"], reference_peaks.get((row["frames"], row["batch"]))
        return f"{peak / other:.2f}" if peak and other and row["model"] != reference else ""

    ratios = [f"training peak / that of {reference}"] if reference else []
    lines = [
        "# Peak memory by length of the window",
        "",
        f"Untrained models at the upstream cue widths, windows of two participants, {results['device']}. Peaks are "
        "memory of tensors above that before the first forward pass; training includes the loss and the gradients. A "
        f"step that needs more than {results['memory_limit_gib']:g} GiB is out of memory.",
        "",
        *table(
            ["model", "frames", "windows", *PEAKS.values(), *ratios],
            (
                [*_configuration(row), *(_cell(row[key]) for key in PEAKS), *([ratio(row)] if reference else [])]
                for row in rows
            ),
        ),
        "",
        *_form_notes(results["forms"]),
        f"Parameters: {', '.join(f'{model} {n / 1e6:.2f} M' for model, n in results['parameters'].items())}.",
    ]
    if results["exponent"]:
        powers = ", ".join(f"{model} {power:.2f}" for model, power in results["exponent"].items())
        lines.append(f"Training memory grows with the length to the power of: {powers}.")
    theirs = published()["memory"]
    lines += [
        "",
        "## Published",
        "",
        "Published by others for another machine, batch and code: **not comparable** with the table above.",
        "",
        *table(
            ["frames", "DAT, GB", "DA-Mamba, GB"],
            (
                [str(row["frames"]), *(_cell(row[model], decimals=1) for model in ("dat", "da_mamba"))]
                for row in theirs["rows"]
            ),
        ),
        "",
        f"Source: {theirs['source']}.",
    ]
    return "\n".join(lines) + "\n"


def _form_notes(forms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the names of the rows mean; ends with an empty line."""
    notes = []
    explicit = {name: form["variant"] for name, form in forms.items() if form["explicit_attention"]}
    for name, variant in explicit.items():
        fused = next(other for other, form in forms.items() if form["variant"] == variant and other != name)
        notes.append(
            f"*{name}* writes its attention matrices to memory, as its published code does; *{fused}* is the same "
            "model with kernels that do not."
        )
    if any(form["checkpointing"] for form in forms.values()):
        notes.append("*checkpointing* computes each block again in the backward pass.")
    return [" ".join(notes), ""] if notes else []


def speed_table(times: Mapping[str, Any]) -> str:
    """Markdown: time of a step, of a frame of a stream and of reading; and single layers beside their peers."""
    clock = "elapsed time" if times["device"] == "cuda" else "processor time on one thread"
    streams = [[name, f"{taken:.2f}"] for name, taken in times["stream_step_ms"].items()]
    lines = [
        "# Time by length of the window",
        "",
        f"Steps of the models in memory.md, {times['device']}, {clock}.",
        "",
        *table(
            ["model", "frames", "windows", *TIMES.values()],
            ([*_configuration(row), *(_cell(row[key]) for key in TIMES)] for row in times["steps"]),
        ),
        "",
        f"A random window with all cues is read in {times['window_read_ms']} ms (median).",
        "",
        "## One frame of a stream",
        "",
        *table(["", "ms"], streams),
        "",
    ]
    return "\n".join([*lines, *(peers_section(times["peers"]) if "peers" in times else [])]).rstrip("\n") + "\n"


def peers_section(peers: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown: our scan and block beside their peers, and the time per frame by length."""
    setting, crossover = peers["setting"], peers["crossover_frames"]
    ours = [row["ours"] for row in peers["us_per_frame"]]
    faster = f"from {crossover} frames on" if crossover else "at none of these lengths"
    return [
        "## Speed of the scan and of a block",
        "",
        f"{setting['batch']} sequences of {setting['frames']} frames, d_inner {setting['d_inner']}, one thread; "
        "medians of processor time over alternating calls in one run. All layers have about as many parameters.",
        "",
        *table(
            ["", "", "ms", "times ours"],
            (
                [operation, name, f"{taken:.1f}", "" if name == "ours" else f"{peers['speedup'][operation][name]:.2f}"]
                for operation, calls in peers["ms"].items()
                for name, taken in calls.items()
            ),
        ),
        "",
        "In training, on equally many frames in total, a block is faster than a Transformer layer with about as many "
        f"parameters {faster}:",
        "",
        *table(
            ["frames", *(f"{name}, µs per frame" for name in peers["us_per_frame"][0] if name != "frames")],
            (
                [str(row["frames"]), *(f"{row[name]:.1f}" for name in row if name != "frames")]
                for row in peers["us_per_frame"]
            ),
        ),
        "",
        f"Over these lengths, our time per frame varies by a factor of at most {max(ours) / min(ours):.2f}.",
        "",
    ]


def _configuration(row: Mapping[str, Any]) -> list[str]:
    return [row["model"], str(row["frames"]), str(row["batch"])]


def _cell(value: float | None, decimals: int = 0) -> str:
    return OUT_OF_MEMORY if value is None else f"{value:.{decimals}f}"


def memory_figure(results: Mapping[str, Any], path: Path) -> None:
    """Training and inference peak over the length of the window, as SVG; a curve ends where memory runs out.

    Each batch size is a row of panels; lengths that differ by more than a factor of 8 get logarithmic axes.
    """
    rows: Sequence[Mapping[str, Any]] = results["memory"]
    batches = list(dict.fromkeys(row["batch"] for row in rows))
    with house_style():
        figure = Figure(figsize=(7.6, 2.9 * len(batches)), layout="constrained")
        panels = figure.subplots(len(batches), 2, squeeze=False)
        for batch, line in zip(batches, panels, strict=True):
            for axes, (key, title) in zip(line, PEAKS.items(), strict=True):
                for i, model in enumerate(dict.fromkeys(row["model"] for row in rows)):
                    colour, marker = series_style(i)
                    points = [
                        (row["frames"], row[key])
                        for row in rows
                        if row["model"] == model and row["batch"] == batch and row[key] is not None
                    ]
                    axes.plot(
                        *zip(*points, strict=True) if points else ((), ()), color=colour, marker=marker, label=model
                    )
                frames = sorted({row["frames"] for row in rows if row["batch"] == batch})
                axes.set(title=f"{title}, {_windows(batch)}", xlabel="frames of a window")
                if frames[-1] > 8 * frames[0]:
                    axes.set(xscale="log", yscale="log")
                    axes.minorticks_off()
                else:
                    axes.set(ylim=(0, None))
                axes.set_xticks(frames, [str(n) for n in frames])
        handles, models = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, models, loc="outside lower center", ncols=3)
        save_svg(figure, path)


def _windows(batch: int) -> str:
    return "1 window" if batch == 1 else f"{batch} windows"
