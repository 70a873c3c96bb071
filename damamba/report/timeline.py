"""A session over time: what was annotated, what was predicted, and where a cue was missing; all at 25 Hz."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.data.shard_writer import ROWS_A_BATCH
from damamba.data.shards import Aligned, AlignedSeat, AlignedSession, Shard
from damamba.report.published import corpus_title
from damamba.svg import LARGEST_BYTES, house_style, light, save_svg

LARGEST_POINTS = 1500
"""Points a series in a picture, and in the report; longer sessions show the mean of each few frames."""


@dataclass(frozen=True)
class SeatSeries:
    """One participant."""

    participant: str
    role: str
    label: np.ndarray
    """(L,) NaN where not annotated."""
    prediction: np.ndarray
    """(L,)"""
    missing: dict[str, np.ndarray]
    """Cue -> (L,) True where not a single grid frame of the label frame is valid."""


@dataclass(frozen=True)
class SessionSeries:
    """One session; only participants with labels."""

    corpus: str
    session: str
    language: str
    seats: tuple[SeatSeries, ...]

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{corpus_title(self.corpus)} · {self.session}"

    @property
    def n_labels(self) -> int:
        """Label frames of the session."""
        return len(self.seats[0].prediction)


def read_series(aligned: Aligned, predictions: Path, split: str) -> Iterator[SessionSeries]:
    """Every session of the split that was scored, one after the other.

    Args:
        aligned: Shards, for the masks of the cues.
        predictions: Folder of one run.
        split: Which one.

    Raises:
        InputError: A prediction is missing, damaged or of another length than its session.
    """
    for session in aligned.split(split):
        seats = tuple(_read_seat(aligned, predictions, session, seat) for seat in session.seats if seat.labelled)
        if seats:
            yield SessionSeries(session.corpus, session.session, session.language, seats)


def _read_seat(aligned: Aligned, predictions: Path, session: AlignedSession, seat: AlignedSeat) -> SeatSeries:
    path = predictions / session.corpus / session.session / f"{seat.participant}.parquet"
    remedy = f"dvc repro -f evaluate@{predictions.name}"
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {remedy}") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: damaged ({' '.join(str(error).split())[:80]}); make it again: {remedy}") from None
    if table.num_rows != session.n_labels:
        raise InputError(
            f"{path}: {table.num_rows} rows, but {session.name} has {session.n_labels} label frames; "
            f"predict again: {remedy}"
        )
    # nulls of the label column arrive as NaN
    label, prediction = (table[name].to_numpy().astype(np.float32) for name in ("label", "prediction"))
    shard = aligned.shard(session, seat.participant)
    rows_per_label = aligned.rate_hz // LABEL_RATE_HZ
    missing = {cue: ~_seen(shard, cue, rows_per_label) for cue in aligned.cues}
    return SeatSeries(seat.participant, seat.role, label, prediction, missing)


def _seen(shard: Shard, cue: str, rows_per_label: int) -> np.ndarray:
    """(L,) whether any grid frame of a label is valid; block by block, so that no values are copied."""
    blocks = range(0, shard.rows, ROWS_A_BATCH)
    valid = np.concatenate([shard.read(cue, at, min(at + ROWS_A_BATCH, shard.rows))[1] for at in blocks])
    return valid.reshape(-1, rows_per_label).max(1)


def stretches(mask: np.ndarray, step: int = 1) -> list[tuple[int, int]]:
    """[start, stop) of every run of True, widened to whole groups of `step` frames."""
    grouped = np.pad(mask, (0, -len(mask) % step)).reshape(-1, step).any(1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], grouped, [False]]).astype(np.int8)))
    return [(int(start) * step, min(int(stop) * step, len(mask))) for start, stop in edges.reshape(-1, 2)]


def decimate(series: np.ndarray, step: int) -> np.ndarray:
    """Mean of every `step` values that are no NaN; the last few may be fewer."""
    padded = np.pad(series.astype(np.float64), (0, -len(series) % step), constant_values=np.nan).reshape(-1, step)
    known = np.isfinite(padded)
    total = np.where(known, padded, 0).sum(1)
    return np.divide(total, known.sum(1), out=np.full(len(total), np.nan), where=known.any(1))


def step_for(n_labels: int, points: int = LARGEST_POINTS) -> int:
    """How many frames one drawn point stands for."""
    return -(-n_labels // points)


def timeline_figure(series: SessionSeries, path: Path) -> None:
    """Truth and prediction of every participant, one below the other, with strips of the missing cues.

    At 25 Hz where the session is short; the longer it is, and the more gaps it has, the more frames share a point, so
    that the file stays small.
    """
    points = LARGEST_POINTS
    while True:
        _draw_session(series, path, step_for(series.n_labels, points))
        if path.stat().st_size <= LARGEST_BYTES or points < 100:
            return
        points //= 2


def _draw_session(series: SessionSeries, path: Path, step: int) -> None:
    cues = list(series.seats[0].missing)
    heights = [height for _ in series.seats for height in (1.3, 0.13 * len(cues))]
    with house_style(path.stem):
        figure = Figure(figsize=(9, 0.75 + sum(heights) + 0.2 * len(series.seats)), layout="constrained")
        figure.get_layout_engine().set(h_pad=0.02, hspace=0.02)  # type: ignore[union-attr]
        panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        t_s = (np.arange(-(-series.n_labels // step)) + 0.5) * step / LABEL_RATE_HZ
        for seat, upper, lower in zip(series.seats, panels[::2], panels[1::2], strict=True):
            _draw_scores(upper, seat, t_s, step)
            _draw_missing(lower, seat, cues, step)
        panels[-1].set(xlim=(0, series.n_labels / LABEL_RATE_HZ), xlabel="time, min:s")
        panels[-1].xaxis.set_major_locator(MultipleLocator(_tick_s(series.n_labels / LABEL_RATE_HZ)))
        panels[-1].xaxis.set_major_formatter(FuncFormatter(_minutes))
        figure.suptitle(series.name, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
        handles = [
            *panels[0].get_legend_handles_labels()[0],
            Patch(facecolor=light("shade"), label="not annotated"),
            Patch(facecolor=light("orange"), label="cue missing"),
        ]
        figure.legend(handles=handles, loc="upper right", ncols=len(handles), fontsize=8)
        save_svg(figure, path)


def _draw_scores(axes: Axes, seat: SeatSeries, t_s: np.ndarray, step: int) -> None:
    name = seat.participant if seat.role in ("", seat.participant) else f"{seat.participant} ({seat.role})"
    for start, stop in stretches(np.isnan(seat.label), step):
        axes.axvspan(start / LABEL_RATE_HZ, stop / LABEL_RATE_HZ, facecolor=light("shade"), linewidth=0)
    axes.plot(t_s, decimate(seat.label, step), color=light("ink"), linewidth=1.4, label="annotated")
    axes.plot(t_s, decimate(seat.prediction, step), color=light("blue"), linewidth=1.6, label="predicted")
    axes.set(ylim=(0, 1), yticks=(0, 0.5, 1), ylabel=name)
    axes.tick_params(labelbottom=False, length=0)


def _draw_missing(axes: Axes, seat: SeatSeries, cues: list[str], step: int) -> None:
    for i, cue in enumerate(cues):
        axes.axhline(i, color=light("line"), linewidth=0.6)
        gaps = stretches(seat.missing[cue], step)
        bars = [(start / LABEL_RATE_HZ, (stop - start) / LABEL_RATE_HZ) for start, stop in gaps]
        axes.broken_barh(bars, (i - 0.32, 0.64), facecolor=light("orange"), linewidth=0, zorder=3)
    axes.set(ylim=(len(cues) - 0.4, -0.6), yticks=range(len(cues)))
    axes.set_yticklabels(cues, fontsize=6.2)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)


def _tick_s(duration_s: float) -> float:
    """A round distance of at most a dozen ticks."""
    return next((step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600) if duration_s / step <= 12), 1800)


def _minutes(seconds: float, _: int) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
