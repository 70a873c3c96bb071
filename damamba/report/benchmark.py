"""The memory table and its pictures, from the measurements of the stage `benchmark`."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from damamba.report.markdown import table
from damamba.report.published import published
from damamba.svg import house_style, save_svg, series_style

COLUMNS = (
    ("train_peak_mib", "training peak, MiB"),
    ("infer_peak_mib", "inference peak, MiB"),
    ("train_ms", "training, ms"),
    ("infer_ms", "inference, ms"),
)
FULL = "out of memory"
PREDECESSOR = "dat, as published"


def memory_table(measured: dict[str, Any]) -> str:
    """Markdown: memory and time of our models, speed of our layers beside others, and the published rows apart."""
    theirs = published()["memory"]
    predecessor = {
        (row["frames"], row["batch"]): row["train_peak_mib"]
        for row in measured["memory"]
        if row["model"] == PREDECESSOR and row["train_peak_mib"]
    }

    def beside_predecessor(row: dict[str, Any]) -> str:
        peak, theirs = row["train_peak_mib"], predecessor.get((row["frames"], row["batch"]))
        return f"{peak / theirs:.2f}" if peak and theirs and row["model"] != PREDECESSOR else ""

    parameters = ", ".join(f"{model} {count / 1e6:.2f} M" for model, count in measured["parameters"].items())
    clock = "the clock's time" if measured["device"] == "cuda" else "1 thread, processor time"
    lines = [
        "# Memory and time by length of the window",
        "",
        f"Untrained models at the upstream cue widths, windows of two participants, {measured['device']}, {clock}. "
        "Peaks are above the memory in use before the first forward pass; training includes the loss and the "
        f"gradients. A step that would take more than {measured['memory_limit_gib']:g} GiB is out of memory.",
        "",
        *table(
            ["model", "frames", "windows", *(title for _, title in COLUMNS), "training peak / that of DAT"],
            (
                [
                    row["model"],
                    str(row["frames"]),
                    str(row["batch"]),
                    *(FULL if row[key] is None else f"{row[key]:.0f}" for key, _ in COLUMNS),
                    beside_predecessor(row),
                ]
                for row in measured["memory"]
            ),
        ),
        "",
        "*dat, as published* writes its attention matrices to memory, as its code does, and is the DAT of the last "
        "column; the *fused* row is the same model with kernels that do not. *checkpointing* computes each block again "
        "in the backward pass.",
        "",
        f"Parameters: {parameters}.",
    ]
    if measured["exponent"]:
        powers = ", ".join(f"{model} {power:.2f}" for model, power in measured["exponent"].items())
        lines.append(f"Training memory grows with the length to the power of: {powers}.")
    lines += [
        f"A step of a stream: {', '.join(f'{what} {taken} ms' for what, taken in measured['stream_step_ms'].items())}.",
        f"A random window of all cues is read in {measured['window_read_ms']} ms (median).",
        "",
        *(speed_section(measured) if "speed_setting" in measured else []),
        "## Published",
        "",
        "Published by others for another machine, batch and code: **not comparable** with the tables above.",
        "",
        *table(
            ["frames", "DAT, GB", "DA-Mamba, GB"],
            (
                [str(row["frames"]), *(_gigabytes(row[model]) for model in ("dat", "da_mamba"))]
                for row in theirs["rows"]
            ),
        ),
        "",
        f"Source: {theirs['source']}.",
    ]
    return "\n".join(lines) + "\n"


def speed_section(measured: dict[str, Any]) -> list[str]:
    """Lines of Markdown: time of our layers beside others, and time of a frame by length."""
    setting, cross = measured["speed_setting"], measured["crossover_frames"]
    ours = [row["ours"] for row in measured["us_per_frame"]]
    faster = f"from {cross} frames on" if cross else "at none of these lengths"
    return [
        "## Speed of the scan and of a block",
        "",
        f"{setting['batch']} sequences of {setting['frames']} frames, d_inner {setting['d_inner']}, one thread, "
        "measured in turn in one run; medians of processor time. Layers have similar numbers of parameters.",
        "",
        *table(
            ["", "", "ms", "times ours"],
            (
                [
                    operation,
                    name,
                    f"{taken:.1f}",
                    "" if name == "ours" else f"{measured['speedup'][operation][name]:.2f}",
                ]
                for operation, times in measured["ms"].items()
                for name, taken in times.items()
            ),
        ),
        "",
        f"In training, with as many frames in all, a block is faster than a Transformer layer of its size {faster}:",
        "",
        *table(
            ["frames", *(f"{name}, µs a frame" for name in measured["us_per_frame"][0] if name != "frames")],
            (
                [str(row["frames"]), *(f"{row[k]:.1f}" for k in row if k != "frames")]
                for row in measured["us_per_frame"]
            ),
        ),
        "",
        f"Over these lengths a frame of ours costs at most {max(ours) / min(ours):.2f} times what it costs at best.",
        "",
    ]


def _gigabytes(value: float | None) -> str:
    return FULL if value is None else f"{value:.1f}"


def memory_figure(measured: dict[str, Any], path: Path) -> None:
    """Training and inference peak over the length of the window, as SVG; a curve ends where memory runs out.

    Long windows, of which one at a time was measured, are a second row, with logarithmic axes.
    """
    rows = measured["memory"]
    batches = list(dict.fromkeys(row["batch"] for row in rows))
    with house_style():
        figure = Figure(figsize=(7.6, 2.9 * len(batches)), layout="constrained")
        panels = figure.subplots(len(batches), 2, squeeze=False)
        for batch, line in zip(batches, panels, strict=True):
            for axes, (key, title) in zip(line, COLUMNS[:2], strict=True):
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
