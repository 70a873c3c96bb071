"""The memory table and its picture, from what the `benchmark` stage measured."""

from pathlib import Path
from typing import Any

PUBLISHED = {64: ("8.2", "6.1"), 96: ("18.4", "11.2"), 128: ("OOM", "15.8"), 192: ("OOM", "22.1")}
"""Frames -> peak GB of DAT and DA-Mamba on one RTX 4090, batch size not stated; authors' README of arXiv:2509.17711."""


def memory_table(measured: dict[str, Any]) -> str:
    """Markdown: ours, and apart from it the published rows."""
    lines = [
        "# Memory and time by length of the window",
        "",
        f"Untrained models at the upstream cue widths, {measured['memory'][0]['batch']} windows of two participants, "
        f"{measured['device']}, {measured['threads']} threads. Peak above what is held before the first forward pass; "
        "training includes the loss and the gradients.",
        "",
        "| model | parameters | frames | training peak, MiB | inference peak, MiB | training, ms | inference, ms |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in measured["memory"]:
        lines.append(
            f"| {row['model']} | {measured['parameters'][row['model']] / 1e6:.2f} M | {row['frames']} "
            f"| {row['train_peak_mib']:.0f} | {row['infer_peak_mib']:.0f} | {row['train_ms']:.0f} | {row['infer_ms']:.0f} |"
        )
    lines += [
        "",
        "Parameters of every variant: " + ", ".join(f"{k} {v / 1e6:.2f} M" for k, v in measured["parameters"].items()),
    ]
    lines += [
        f"A random window of all cues is read in {measured['window_read_ms']} ms (median).",
        "",
        "Published, for another machine, batch size and code (authors' README of arXiv:2509.17711; not comparable):",
        "",
        "| frames | DAT, GB | DA-Mamba, GB |",
        "|---:|---:|---:|",
        *(f"| {frames} | {dat} | {ours} |" for frames, (dat, ours) in PUBLISHED.items()),
    ]
    return "\n".join(lines) + "\n"


def memory_figure(measured: dict[str, Any], path: Path) -> None:
    """Training and inference peak over the length of the window, as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    colours = {"da_mamba": "#0072B2", "transformer": "#D55E00"}
    with mpl.rc_context(
        {"svg.hashsalt": "damamba", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure = Figure(figsize=(7, 3), layout="constrained")
        for axes, (key, title) in zip(
            figure.subplots(1, 2),
            (("train_peak_mib", "training, peak MiB"), ("infer_peak_mib", "inference, peak MiB")),
            strict=True,
        ):
            for model in dict.fromkeys(row["model"] for row in measured["memory"]):
                rows = [row for row in measured["memory"] if row["model"] == model]
                axes.plot(
                    [row["frames"] for row in rows],
                    [row[key] for row in rows],
                    "o-",
                    label=model,
                    color=colours.get(model),
                )
            axes.set(title=title, xlabel="frames of a window", ylim=(0, None))
            axes.legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})
