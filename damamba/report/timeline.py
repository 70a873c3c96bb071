"""Picture of a session over time: what was annotated and predicted, and where a cue was missing."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from damamba.config import LABEL_RATE_HZ
from damamba.digits import write_result
from damamba.report.published import session_title
from damamba.scoring.series import LARGEST_POINTS, ParticipantSeries, SessionSeries, decimate, step_for, stretches
from damamba.svg import DECIMALS, LARGEST_BYTES, house_style, light, svg_text


def timeline_figure(series: SessionSeries, path: Path) -> None:
    """Draw label and prediction of every participant, one below the other, with strips of the missing cues.

    At 25 Hz where the session is short. The longer it is, and the more gaps it has, the more frames share a point, so
    that the file stays small.
    """
    points = LARGEST_POINTS
    while len(text := _draw_session(series, step_for(series.n_labels, points))) > LARGEST_BYTES and points >= 100:
        points //= 2
    write_result(path, text, DECIMALS)


def _draw_session(series: SessionSeries, step: int) -> str:
    cues = list(series.participants[0].missing)
    heights = [height for _ in series.participants for height in (1.3, 0.13 * len(cues))]
    with house_style():
        figure = Figure(figsize=(9, 0.75 + sum(heights) + 0.2 * len(series.participants)), layout="constrained")
        figure.get_layout_engine().set(h_pad=0.02, hspace=0.02)  # type: ignore[union-attr]
        panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for participant, upper, lower in zip(series.participants, panels[::2], panels[1::2], strict=True):
            draw_scores(upper, participant, step)
            upper.set_ylabel(participant_title(participant))
            _draw_missing(lower, participant, cues, step)
        draw_clock(panels[-1], series.n_labels / LABEL_RATE_HZ)
        figure.suptitle(
            session_title(series.corpus, series.session), x=0.01, ha="left", fontsize=10.5, fontweight="bold"
        )
        handles = [
            *panels[0].get_legend_handles_labels()[0],
            Patch(facecolor=light("shade"), label="not annotated"),
            Patch(facecolor=light("orange"), label="cue missing"),
        ]
        figure.legend(handles=handles, loc="upper right", ncols=len(handles), fontsize=8)
        return svg_text(figure)


def participant_title(participant: ParticipantSeries) -> str:
    """Name of a participant, with the role where it is another word."""
    name, role = participant.participant, participant.role
    return name if role in ("", name) else f"{name} ({role})"


def draw_scores(axes: Axes, participant: ParticipantSeries, step: int) -> None:
    """Label and prediction of a participant; one drawn point stands for `step` frames."""
    t_s = (np.arange(-(-len(participant.label) // step)) + 0.5) * step / LABEL_RATE_HZ
    for start, stop in stretches(np.isnan(participant.label), step):
        axes.axvspan(start / LABEL_RATE_HZ, stop / LABEL_RATE_HZ, facecolor=light("shade"), linewidth=0)
    axes.plot(t_s, decimate(participant.label, step), color=light("ink"), linewidth=1.4, label="annotated")
    axes.plot(t_s, decimate(participant.prediction, step), color=light("blue"), linewidth=1.6, label="predicted")
    axes.set(ylim=(0, 1), yticks=(0, 0.5, 1))
    axes.tick_params(labelbottom=False, length=0)


def clock(seconds: float) -> str:
    """1:05 for 65 s."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def draw_clock(axes: Axes, duration_s: float, ticks: int = 12) -> None:
    """Minutes and seconds below a panel, at most so many ticks."""
    axes.set(xlim=(0, duration_s), xlabel="time, min:s")
    axes.tick_params(labelbottom=True)
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
    axes.xaxis.set_major_locator(MultipleLocator(next((s for s in steps if duration_s / s <= ticks), 1800)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))


def _draw_missing(axes: Axes, participant: ParticipantSeries, cues: list[str], step: int) -> None:
    for i, cue in enumerate(cues):
        axes.axhline(i, color=light("line"), linewidth=0.6)
        gaps = stretches(participant.missing[cue], step)
        bars = [(start / LABEL_RATE_HZ, (stop - start) / LABEL_RATE_HZ) for start, stop in gaps]
        axes.broken_barh(bars, (i - 0.32, 0.64), facecolor=light("orange"), linewidth=0, zorder=3)
    axes.set(ylim=(len(cues) - 0.4, -0.6), yticks=range(len(cues)))
    axes.set_yticklabels(cues, fontsize=6.2)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
