"""The report: one HTML file that needs nothing beside it, neither a network nor a server."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from damamba.config import LABEL_RATE_HZ
from damamba.digits import DECIMALS, rounded
from damamba.metrics import Metric
from damamba.page import SCALE, page, script_data
from damamba.page.participant import participant_data
from damamba.report.markdown import number, to_html
from damamba.report.published import corpus_title, published, session_title
from damamba.report.tables import NOT_COMPARABLE, SPLITS, by_session_text, group_rows, groups_text, score_columns
from damamba.report.timeline import clock
from damamba.report.timing import MACHINE, elapsed
from damamba.scoring.by_session import with_session_mean
from damamba.scoring.comparison import main_variant
from damamba.scoring.layout import of_metric
from damamba.scoring.participants import ParticipantScore
from damamba.scoring.series import SessionSeries, Stretch, stretches
from damamba.svg import COLOURS, SERIES, inline_svg

HERE = Path(__file__).parent


def report_html(
    comparison: Mapping[str, Any],
    metrics: Mapping[str, Metric],
    run: Mapping[str, Any],
    timing: Mapping[str, Any],
    participants: Mapping[str, Sequence[ParticipantScore]],
    series: Sequence[SessionSeries],
    shown: str,
    texts: Mapping[str, str],
    figures: Mapping[str, Path],
    videos: Mapping[tuple[str, str, str], str],
    worst: Sequence[Stretch],
) -> str:
    """The whole page.

    Args:
        comparison: From `compare_runs`.
        metrics: What was compared, by name; the first leads.
        run: ``run.json``.
        timing: ``timing.json``.
        participants: Run -> rows of ``sessions/<run>.csv``.
        series: Scored sessions over time, of the run `shown`.
        shown: Run whose predictions are drawn.
        texts: Name -> Markdown of ``ablation.md``, ``memory.md`` and ``speed.md``.
        figures: Name -> SVG file.
        videos: Corpus, session and participant -> link to the video, of those who have one.
        worst: The longest stretches without cues, of all sessions.
    """
    columns = score_columns(comparison, metrics)
    scales, difference_scales = {}, {}
    for metric in with_session_mean(metrics):
        places = [place for name, place, _ in columns if name == metric]
        scales[metric] = _scale(_scores(comparison, metric, places))
        difference_scales[metric] = _scale(_differences(comparison, metric, places))
    by = comparison["by"]
    return page(
        HERE,
        "report",
        {"number": number, "title": corpus_title, "elapsed": elapsed, "thousands": "{:,}".format, "clock": clock},
        comparison=comparison,
        columns=columns,
        of_metric=of_metric,
        by_session=by_session_text(comparison, metrics),
        groups={column: (groups_text(column, values), group_rows(values, metrics)) for column, values in by.items()},
        group_titles=[(name, metric.title) for name, metric in with_session_mean(metrics).items()],
        first=next(iter(metrics)),
        first_title=next(iter(metrics.values())).title,
        split=SPLITS[comparison["split"]],
        run=run,
        timing=timing,
        machine_titles=MACHINE,
        main=main_variant(comparison),
        shown=shown,
        shown_colour=_colour(comparison, shown),
        shown_participants=participants[shown],
        participants=participants,
        scales=scales,
        difference_scales=difference_scales,
        series_colours=SERIES,
        colours=COLOURS,
        published=published()["ccc"],
        not_comparable=Markup(to_html(NOT_COMPARABLE)),
        texts={name: Markup(to_html(_without_title(text))) for name, text in texts.items()},
        figures={name: Markup(inline_svg(path)) for name, path in figures.items()},
        worst=[(one, videos.get((one.corpus, one.session, one.participant), "")) for one in worst],
        timelines=script_data(timeline_data(series, participants[shown], videos, _colour(comparison, shown))),
    )


def _without_title(text: str) -> str:
    """Markdown without its first heading and the note on simulation, which stand on the page already."""
    lines = text.split("\n")
    return "\n".join(line for i, line in enumerate(lines) if not (i == 0 or line.startswith("> ")))


def _scores(comparison: Mapping[str, Any], metric: str, places: Sequence[str]) -> list[float | None]:
    """Everything that the small plots of a metric's scores draw."""
    rows = [of_metric(row, metric) for row in comparison["variants"].values()]
    return [value for row in rows for place in places for value in (row["mean"][place], *row["interval"][place])]


def _differences(comparison: Mapping[str, Any], metric: str, places: Sequence[str]) -> list[float | None]:
    """Everything that the small plots of a metric's differences draw."""
    cells = [of_metric(row, metric)[place] for row in comparison["paired"].values() for place in places]
    return [value for cell in cells for value in (cell["difference"], *cell["interval"])]


def _scale(values: Sequence[float | None]) -> tuple[float, float]:
    """Ends of the axis of a table's small plots: 0 and all values, to the next tenth."""
    ends = [0.0, *(value for value in values if value is not None)]
    return math.floor(min(ends) * 10) / 10, max(math.ceil(max(ends) * 10) / 10, 0.1)


def _colour(comparison: Mapping[str, Any], run: str) -> str:
    """Colour of a run's variant, as in every table and figure."""
    return SERIES[list(comparison["variants"]).index(run.rpartition("-")[0]) % len(SERIES)]


def timeline_data(
    series: Sequence[SessionSeries],
    scores: Sequence[ParticipantScore],
    videos: Mapping[tuple[str, str, str], str],
    colour: str,
) -> dict[str, Any]:
    """What `curves.js` draws: every session at 25 Hz."""
    scored = {(one.corpus, one.session, one.participant): one for one in scores}
    sessions = []
    for session in series:
        keys = [(session.corpus, session.session, one.participant) for one in session.participants]
        people = [
            participant_data(
                one.participant,
                [("annotated", "ink", one.label), ("predicted", colour, one.prediction)],
                {cue: stretches(mask) for cue, mask in one.missing.items()},
                {},
                None,
                videos.get(key, ""),
                one.role,
                **_both(scored.get(key)),
            )
            for key, one in zip(keys, session.participants, strict=True)
        ]
        name = session_title(session.corpus, session.session)
        sessions.append({"name": name, "language": session.language, "participants": people})
    facts = {"rate_hz": LABEL_RATE_HZ, "scale": SCALE, "colours": SERIES, "eager": False}
    return {**facts, "first": _median(sessions), "sessions": sessions}


def _median(sessions: Sequence[Mapping[str, Any]]) -> int:
    """Number of the session whose mean CCC within is the median; the lower of two, and 0 where none has one."""
    means = {}
    for place, session in enumerate(sessions):
        scores = [one["ccc_within"] for one in session["participants"] if one["ccc_within"] is not None]
        if scores:
            means[place] = sum(scores) / len(scores)
    return sorted(means, key=lambda place: means[place])[(len(means) - 1) // 2] if means else 0


def _both(score: ParticipantScore | None) -> dict[str, float | None]:
    return {name: score and rounded(getattr(score, name), DECIMALS) for name in ("ccc", "ccc_within")}
