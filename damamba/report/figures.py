"""Pictures of the results as SVG; each function draws one file from the numbers of its arguments."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from damamba.data.shards import AlignedSession
from damamba.report.published import corpus_title
from damamba.scoring.layout import of_metric
from damamba.scoring.participants import ParticipantScore
from damamba.scoring.pooling import GLOBAL
from damamba.scoring.series import SessionSeries
from damamba.svg import house_style, light, save_svg, series_style

LARGEST_STEPS = 200
"""Points of a learning curve; of a longer one, each point is the mean of a few steps."""
CELLS, TENTHS = 24, 10
"""Of the calibration: cells of the density a side, steps between the means."""
FEWEST_FRAMES = 20
"""Behind a mean of the calibration."""
SEED_LINES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))


def curves_figure(curves: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Loss, CCC of the batch and CCC of the validation split by step; colour = variant, dashes = seed.

    Args:
        curves: Run -> columns of its learning curve.
        path: File to write.
    """
    styles = _run_styles(curves)
    with house_style():
        figure = Figure(figsize=(9, 3.3), layout="constrained")
        panels = figure.subplots(1, 3)
        first = next(iter(curves.values()))
        term = next(name for name in first if name not in ("step", "loss"))
        score = next(name for name in first if name.startswith("val_"))
        columns = ("loss", term, score)
        shown = score.removeprefix("val_").replace("ccc", "CCC")
        titles = (
            "training loss",
            f"{term.replace('ccc', 'CCC').replace('_', ' ')} of the batch",
            f"{shown} of the validation split",
        )
        for axes, column, title in zip(panels, columns, titles, strict=True):
            for run, curve in curves.items():
                colour, marker, dashes = styles[run]
                known = np.isfinite(curve[column])
                steps, values = _thin(curve["step"][known]), _thin(curve[column][known])
                if column == score:
                    line = {"marker": marker, "markersize": 4}
                else:
                    line = {}
                    axes.plot(steps, values, color=colour, alpha=0.18, linewidth=0.8)
                    values = _smooth(values)
                axes.plot(steps, values, color=colour, linestyle=dashes, linewidth=1.4, label=run, **line)
            axes.set(title=title, xlabel="step")
        for axes in panels[1:]:
            axes.axhline(0, color=light("muted"), linewidth=0.6)
        handles, labels = panels[2].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), fontsize=8)
        save_svg(figure, path)


def _run_styles(runs: Mapping[str, Any]) -> dict[str, tuple[str, str, Any]]:
    """Run -> colour, marker and dashes."""
    variants = list(dict.fromkeys(run.rpartition("-")[0] for run in runs))
    styles, seen = {}, dict.fromkeys(variants, 0)
    for run in runs:
        variant = run.rpartition("-")[0]
        styles[run] = (*series_style(variants.index(variant)), SEED_LINES[seen[variant] % len(SEED_LINES)])
        seen[variant] += 1
    return styles


def _thin(values: np.ndarray) -> np.ndarray:
    """At most `LARGEST_STEPS` means."""
    return np.array([part.mean() for part in np.array_split(values, min(len(values), LARGEST_STEPS)) if len(part)])


def _smooth(values: np.ndarray) -> np.ndarray:
    """Running mean over a twentieth of the curve, shorter at its ends."""
    width = max(len(values) // 20, 1)
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def scores_figure(comparison: Mapping[str, Any], metric: str, title: str, path: Path) -> None:
    """Bars of a score by corpus and variant with intervals over sessions; dots are seeds.

    Args:
        comparison: From `compare_runs`.
        metric: Its name.
        title: Of the axis.
        path: File to write.
    """
    variants, names = comparison["variants"], [*comparison["sessions"], GLOBAL]
    width = 0.8 / len(variants)
    with house_style():
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        axes = figure.subplots()
        for i, (variant, row) in enumerate(variants.items()):
            colour, marker = series_style(i)
            x = np.arange(len(names)) + (i - (len(variants) - 1) / 2) * width
            x[-1] += 0.15  # Global stands apart, as it is not a corpus
            scores = of_metric(row, metric)
            mean = np.array([np.nan if scores["mean"][name] is None else scores["mean"][name] for name in names])
            axes.bar(x, mean, width * 0.86, color=to_rgba(colour, 0.75), label=variant)
            for at, name in zip(x, names, strict=True):
                low, high = scores["interval"][name]
                if low is not None and high is not None:
                    axes.plot([at, at], [low, high], color=light("ink"), linewidth=1.1)
                seeds = [of_metric(comparison[f"{variant}-{seed}"], metric)[name] for seed in row["seeds"]]
                known = [score for score in seeds if score is not None]
                spread = np.linspace(-0.22, 0.22, len(known)) * width if len(known) > 1 else np.zeros(len(known))
                paper, ink = light("paper"), light("ink")
                axes.plot(at + spread, known, marker, color=paper, markeredgecolor=ink, markersize=3.6, mew=0.8)
        axes.axhline(0, color=light("muted"), linewidth=0.8)
        axes.axvline(len(names) - 1.42, color=light("line"), linewidth=0.8)
        ticks = [*range(len(names) - 1), len(names) - 0.85]
        axes.set_xticks(ticks, [corpus_title(name) for name in names], color=light("ink"))
        axes.tick_params(length=0)
        axes.grid(visible=False, axis="x")
        axes.set(ylabel=title, xlim=(-0.55, len(names) - 0.3))
        figure.legend(loc="outside lower center", ncols=len(variants), fontsize=8)
        save_svg(figure, path)


def calibration_figure(series: Sequence[SessionSeries], path: Path) -> None:
    """Annotated against predicted engagement, all frames of a corpus: density, and the mean at each tenth."""
    corpora = list(dict.fromkeys(session.corpus for session in series))
    with house_style():
        figure = Figure(figsize=(3 * max(len(corpora), 2), 3.2), layout="constrained")
        panels = figure.subplots(1, len(corpora), squeeze=False)[0]
        for axes, corpus in zip(panels, corpora, strict=True):
            people = [one for session in series if session.corpus == corpus for one in session.participants]
            label, pred = (np.concatenate([getattr(one, name) for one in people]) for name in ("label", "prediction"))
            _draw_calibration(axes, pred[np.isfinite(label)], label[np.isfinite(label)])
            axes.set(title=corpus_title(corpus), xlabel="predicted", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        panels[0].set_ylabel("annotated")
        panels[0].legend(loc="upper left", fontsize=7.5)
        save_svg(figure, path)


def _draw_calibration(axes: Axes, pred: np.ndarray, label: np.ndarray) -> None:
    axes.plot([0, 1], [0, 1], color=light("muted"), linewidth=0.8, linestyle=(0, (4, 3)))
    if not len(pred):
        return
    count = shared_count([pred, label], CELLS + 1)
    density = np.sqrt(count / count.max())
    for i, j in np.argwhere(count >= 0.5).tolist():
        colour = to_rgba(light("blue"), 0.06 + 0.62 * float(density[i, j]))
        corner, side = ((i - 0.5) / CELLS, (j - 0.5) / CELLS), 1 / CELLS
        axes.add_patch(Rectangle(corner, side, side, facecolor=colour, linewidth=0))
    weight = shared_count([pred], TENTHS + 1)
    known = weight >= FEWEST_FRAMES
    mean, square = (
        shared_count([pred], TENTHS + 1, values)[known] / weight[known] for values in (label, label.astype(float) ** 2)
    )
    x, spread = np.arange(TENTHS + 1)[known] / TENTHS, np.sqrt(np.maximum(square - mean**2, 0))
    for at, low, high in zip(x, mean - spread, mean + spread, strict=True):
        axes.plot([at, at], [low, high], color=light("orange"), linewidth=1.1)
    axes.plot(x, mean, "o-", color=light("orange"), markersize=4, linewidth=1.3, label="mean ± deviation")


def shared_count(axes: Sequence[np.ndarray], n: int, values: np.ndarray | float = 1.0) -> np.ndarray:
    """Sum of `values` at the points of a grid over [0, 1]: each frame is shared between the points around it.

    Unlike a histogram, it does not jump where a frame crosses the border of a bin.

    Args:
        axes: (frames,) coordinates, one array for each dimension.
        n: Points along each dimension.
        values: (frames,) or one for all.

    Returns:
        (n,) for each dimension.
    """
    places = [np.clip(series.astype(np.float64), 0, 1) * (n - 1) for series in axes]
    lower = [np.minimum(place.astype(int), n - 2) for place in places]
    total = np.zeros((n,) * len(axes))
    for corner in itertools.product((0, 1), repeat=len(axes)):
        parts = zip(corner, places, lower, strict=True)
        shares = [place - low if upper else 1 - (place - low) for upper, place, low in parts]
        np.add.at(
            total, tuple(low + upper for low, upper in zip(lower, corner, strict=True)), np.prod(shares, 0) * values
        )
    return total


def sessions_figure(participants: Mapping[str, Sequence[ParticipantScore]], path: Path) -> None:
    """CCC within each session: a dot for each participant and run, colour = variant.

    Args:
        participants: Run -> rows of ``sessions/<run>.csv``.
        path: File to write.
    """
    styles = _run_styles(participants)
    rows = list(dict.fromkeys((one.corpus, one.session) for scores in participants.values() for one in scores))
    places = {row: i + 0.6 * list(dict.fromkeys(c for c, _ in rows)).index(row[0]) for i, row in enumerate(rows)}
    variants = list(dict.fromkeys(run.rpartition("-")[0] for run in participants))
    with house_style():
        figure = Figure(figsize=(9, 0.9 + 0.3 * len(rows)), layout="constrained")
        axes = figure.subplots()
        named = set()
        for run, scores in reversed(list(participants.items())):  # the first on top
            variant = run.rpartition("-")[0]
            colour, marker, _ = styles[run]
            first = variant == variants[0]
            known = [(one, one.ccc) for one in scores if one.ccc is not None]
            shift = 0.3 * (variants.index(variant) / max(len(variants) - 1, 1) - 0.5)
            axes.plot(
                [ccc for _, ccc in known],
                [places[one.corpus, one.session] + shift for one, _ in known],
                marker,
                color=to_rgba(colour, 0.9 if first else 0.55),
                markersize=5.5 if first else 3.8,
                markeredgewidth=0,
                label="" if variant in named else variant,
            )
            named.add(variant)
        axes.axvline(0, color=light("muted"), linewidth=0.8)
        labels = [f"{corpus_title(corpus)} {session}" for corpus, session in rows]
        axes.set_yticks([places[row] for row in rows], labels, fontsize=7.5)
        axes.set(xlabel="CCC within the session", ylim=(max(places.values()) + 0.6, -0.6))
        axes.tick_params(length=0)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles[::-1], names[::-1], loc="outside lower center", ncols=len(variants), fontsize=8)
        save_svg(figure, path)


def health_figure(shares: Mapping[AlignedSession, Mapping[str, float]], path: Path) -> None:
    """Sessions × cues: the larger the missing share of a cue, the stronger the colour of its cell."""
    columns = list(next(iter(shares.values())))
    with house_style():
        figure = Figure(figsize=(7.2, 0.8 + 0.21 * len(shares)), layout="constrained")
        axes = figure.subplots()
        for i, share in enumerate(shares.values()):
            for j, column in enumerate(columns):
                colour = to_rgba(light("orange"), 0.85 * (1 - share[column]) ** 0.5)
                axes.add_patch(Rectangle((j - 0.48, i - 0.46), 0.96, 0.92, facecolor=colour, linewidth=0))
                axes.text(j, i, f"{100 * share[column]:.0f}", ha="center", va="center", fontsize=7)
        labels = [f"{corpus_title(s.corpus)} {s.session} · {s.split}" for s in shares]
        axes.set_yticks(range(len(shares)), labels, fontsize=7)
        axes.set_xticks(range(len(columns)), columns, color=light("ink"))
        axes.xaxis.tick_top()
        axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(shares) - 0.5, -0.5))
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        save_svg(figure, path)
