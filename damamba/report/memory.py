"""The memory table and its picture, from what the `benchmark` stage measured."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from damamba.report.markdown import table
from damamba.report.published import published
from damamba.report.svg import house_style, save_svg, series_style

COLUMNS = (
    ("train_peak_mib", "training peak, MiB"),
    ("infer_peak_mib", "inference peak, MiB"),
    ("train_ms", "training, ms"),
    ("infer_ms", "inference, ms"),
)


def memory_table(measured: dict[str, Any]) -> str:
    """Markdown: ours, and apart from it the published rows."""
    parameters = {model: f"{count / 1e6:.2f} M" for model, count in measured["parameters"].items()}
    theirs = published()["memory"]
    lines = [
        "# Memory and time by length of the window",
        "",
        f"Untrained models at the upstream cue widths, {measured['memory'][0]['batch']} windows of two participants, "
        f"{measured['device']}, {measured['threads']} threads. Peak above what is held before the first forward pass; "
        "training includes the loss and the gradients.",
        "",
        *table(
            ["model", "parameters", "frames", *(title for _, title in COLUMNS)],
            (
                [
                    row["model"],
                    parameters[row["model"]],
                    str(row["frames"]),
                    *(f"{row[key]:.0f}" for key, _ in COLUMNS),
                ]
                for row in measured["memory"]
            ),
        ),
        "",
        f"Parameters of every variant: {', '.join(f'{model} {count}' for model, count in parameters.items())}.",
        f"A random window of all cues is read in {measured['window_read_ms']} ms (median).",
        "",
        "## Published",
        "",
        "Published by others for another machine, batch and code: **not comparable** with the table above.",
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


def _gigabytes(value: float | None) -> str:
    return "out of memory" if value is None else f"{value:.1f}"


def memory_figure(measured: dict[str, Any], path: Path) -> None:
    """Training and inference peak over the length of the window, as SVG."""
    with house_style("memory"):
        figure = Figure(figsize=(7.6, 2.9), layout="constrained")
        panels = figure.subplots(1, 2)
        models = list(dict.fromkeys(row["model"] for row in measured["memory"]))
        for axes, (key, title) in zip(panels, COLUMNS[:2], strict=True):
            for i, model in enumerate(models):
                colour, marker = series_style(i)
                rows = [row for row in measured["memory"] if row["model"] == model]
                frames, peaks = [row["frames"] for row in rows], [row[key] for row in rows]
                axes.plot(frames, peaks, color=colour, marker=marker, markersize=5, label=model)
            axes.set(title=title, xlabel="frames of a window", ylim=(0, None), xticks=frames)
        panels[0].legend(loc="upper left")
        save_svg(figure, path)
