"""Pictures of the results as SVG; each function draws one file from numbers that it is given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from damamba.config import LABEL_RATE_HZ
from damamba.data.shards import Aligned, AlignedSession, shard_moments
from damamba.report.published import GLOBAL, corpus_title
from damamba.report.timeline import SessionSeries
from damamba.svg import house_style, light, save_svg, series_style

LARGEST_STEPS = 200
"""Points of a learning curve; longer ones show the mean of each few steps."""
SEED_LINES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))


def curves_figure(curves: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Loss, CCC of the batch and CCC of the validation split by step; colour = variant, dashes = seed.

    Args:
        curves: Run -> columns of its learning curve.
        path: File to write.
    """
    styles = _run_styles(curves)
    with house_style("learning_curves"):
        figure = Figure(figsize=(9, 3.3), layout="constrained")
        panels = figure.subplots(1, 3)
        columns = ("loss", "ccc", "val_ccc")
        titles = ("training loss", "CCC of the batch", "CCC of the validation split")
        for axes, column, title in zip(panels, columns, titles, strict=True):
            for run, curve in curves.items():
                colour, marker, dashes = styles[run]
                known = np.isfinite(curve[column])
                steps, values = _thin(curve["step"][known]), _thin(curve[column][known])
                if column == "val_ccc":
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


def ccc_figure(ccc: Mapping[str, Any], path: Path) -> None:
    """Bars of CCC by corpus and variant with intervals over sessions; dots are seeds."""
    variants, names = ccc["variants"], [*ccc["sessions"], GLOBAL]
    width = 0.8 / len(variants)
    with house_style("ccc"):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        axes = figure.subplots()
        for i, (variant, row) in enumerate(variants.items()):
            colour, marker = series_style(i)
            x = np.arange(len(names)) + (i - (len(variants) - 1) / 2) * width
            x[-1] += 0.15  # Global stands apart: it is no corpus
            mean = np.array([np.nan if row["mean"][name] is None else row["mean"][name] for name in names])
            axes.bar(x, mean, width * 0.86, color=to_rgba(colour, 0.75), label=variant)
            for at, name in zip(x, names, strict=True):
                low, high = row["interval"][name]
                if low is not None and high is not None:
                    axes.plot([at, at], [low, high], color=light("ink"), linewidth=1.1)
                seeds = [ccc[f"{variant}-{seed}"][name] for seed in row["seeds"]]
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
        axes.set(ylabel="CCC", xlim=(-0.55, len(names) - 0.3))
        figure.legend(loc="outside lower center", ncols=len(variants), fontsize=8)
        save_svg(figure, path)


def calibration_figure(series: Sequence[SessionSeries], path: Path) -> None:
    """Annotated against predicted engagement, all frames of a corpus: density, and the mean of each tenth."""
    corpora = list(dict.fromkeys(session.corpus for session in series))
    with house_style("calibration"):
        figure = Figure(figsize=(3 * max(len(corpora), 2), 3.2), layout="constrained")
        panels = figure.subplots(1, len(corpora), squeeze=False)[0]
        for axes, corpus in zip(panels, corpora, strict=True):
            seats = [seat for session in series if session.corpus == corpus for seat in session.seats]
            label, pred = (np.concatenate([getattr(seat, name) for seat in seats]) for name in ("label", "prediction"))
            _draw_calibration(axes, pred[np.isfinite(label)], label[np.isfinite(label)])
            axes.set(title=corpus_title(corpus), xlabel="predicted", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        panels[0].set_ylabel("annotated")
        panels[0].legend(loc="upper left", fontsize=7.5)
        save_svg(figure, path)


def _draw_calibration(axes: Axes, pred: np.ndarray, label: np.ndarray) -> None:
    axes.plot([0, 1], [0, 1], color=light("muted"), linewidth=0.8, linestyle=(0, (4, 3)))
    if not len(pred):
        return
    cells = axes.hexbin(pred, label, gridsize=24, extent=(0, 1, 0, 1), mincnt=1, linewidths=0)
    share = np.asarray(cells.get_array(), float)
    cells.set_array(None)
    cells.set_facecolor([to_rgba(light("blue"), 0.08 + 0.6 * v) for v in np.sqrt(share / share.max())])
    edges = np.quantile(pred, np.linspace(0, 1, 11))
    tenth = np.clip(np.searchsorted(edges, pred, side="right") - 1, 0, 9)
    filled = [i for i in range(10) if (tenth == i).any()]
    x, y = ([series[tenth == i].mean() for i in filled] for series in (pred, label))
    low, high = (np.array([np.quantile(label[tenth == i], q) for i in filled]) for q in (0.25, 0.75))
    axes.vlines(x, low, high, color=light("orange"), linewidth=1.1)
    axes.plot(x, y, "o-", color=light("orange"), markersize=4, linewidth=1.3, label="mean, middle half")


def sessions_figure(seats: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """CCC within each session: a dot a participant and run, colour = variant.

    Args:
        seats: Run -> rows of ``sessions/<run>.csv``.
        path: File to write.
    """
    styles = _run_styles(seats)
    rows = list(dict.fromkeys((seat["corpus"], seat["session"]) for held in seats.values() for seat in held))
    places = {row: i + 0.6 * list(dict.fromkeys(c for c, _ in rows)).index(row[0]) for i, row in enumerate(rows)}
    variants = list(dict.fromkeys(run.rpartition("-")[0] for run in seats))
    with house_style("sessions"):
        figure = Figure(figsize=(9, 0.9 + 0.3 * len(rows)), layout="constrained")
        axes = figure.subplots()
        named = set()
        for run, held in reversed(list(seats.items())):  # the first on top
            variant = run.rpartition("-")[0]
            colour, marker, _ = styles[run]
            first = variant == variants[0]
            known = [seat for seat in held if seat["ccc"] is not None]
            shift = 0.3 * (variants.index(variant) / max(len(variants) - 1, 1) - 0.5)
            axes.plot(
                [seat["ccc"] for seat in known],
                [places[seat["corpus"], seat["session"]] + shift for seat in known],
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


def valid_shares(aligned: Aligned) -> dict[AlignedSession, dict[str, float]]:
    """Session -> cue, and `label` -> share of its participants' frames that are valid."""
    shares = {}
    for session in aligned.sessions:
        n_frames = session.n_labels * aligned.rate_hz // LABEL_RATE_HZ
        paths = [aligned.path(session, seat.participant, ".arrow") for seat in session.seats]
        held = {
            cue: sum(shard_moments(path, cue).n for path in paths) / (n_frames * len(paths)) for cue in aligned.cues
        }
        annotated = [aligned.labels(session, seat.participant)[1].mean() for seat in session.seats]
        shares[session] = {**held, "label": float(np.mean(annotated))}
    return shares


def health_figure(shares: Mapping[AlignedSession, Mapping[str, float]], path: Path) -> None:
    """Sessions × cues: the more of a cue is missing, the deeper the cell."""
    columns = list(next(iter(shares.values())))
    with house_style("data_health"):
        figure = Figure(figsize=(7.2, 0.8 + 0.21 * len(shares)), layout="constrained")
        axes = figure.subplots()
        for i, held in enumerate(shares.values()):
            for j, column in enumerate(columns):
                colour = to_rgba(light("orange"), 0.85 * (1 - held[column]) ** 0.5)
                axes.add_patch(Rectangle((j - 0.48, i - 0.46), 0.96, 0.92, facecolor=colour, linewidth=0))
                axes.text(j, i, f"{100 * held[column]:.0f}", ha="center", va="center", fontsize=7)
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
