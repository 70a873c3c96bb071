"""The report: one HTML file that needs nothing beside it, neither a network nor a server."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from damamba.config import LABEL_RATE_HZ
from damamba.files import whole_file
from damamba.report.markdown import to_html
from damamba.report.published import GLOBAL, corpus_title, published
from damamba.report.tables import NOT_COMPARABLE, SPLITS, number
from damamba.report.timeline import SessionSeries, decimate, step_for, stretches
from damamba.scoring.results import main_variant
from damamba.svg import COLOURS, SERIES, inline_svg

HERE = Path(__file__).parent
THOUSANDTHS = 1000
"""Series travel as whole thousandths; -1 stands for a frame without a label."""


def report_html(
    ccc: Mapping[str, Any],
    run: Mapping[str, Any],
    seats: Mapping[str, Sequence[Mapping[str, Any]]],
    series: Sequence[SessionSeries],
    shown: str,
    texts: Mapping[str, str],
    figures: Mapping[str, Path],
) -> str:
    """The whole page.

    Args:
        ccc: ``ccc.json``.
        run: ``run.json``.
        seats: Run -> rows of ``sessions/<run>.csv``.
        series: Scored sessions over time, of the run `shown`.
        shown: Run whose predictions are drawn.
        texts: Name -> Markdown of ``ablation.md``, ``memory.md`` and ``speed.md``.
        figures: Name -> SVG file.
    """
    names = [*ccc["sessions"], GLOBAL]
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "title": corpus_title, "duration": duration, "thousands": "{:,}".format}
    return environment.get_template("report.html.j2").render(
        ccc=ccc,
        split=SPLITS[ccc["split"]],
        run=run,
        names=names,
        main=main_variant(ccc),
        shown=shown,
        shown_seats=seats[shown],
        seats=seats,
        score_scale=_scale(ccc["variants"], "mean", names),
        difference_scale=_scale(ccc["paired"], "difference", names),
        series_colours=SERIES,
        colours=COLOURS,
        published=published()["ccc"],
        not_comparable=Markup(to_html(NOT_COMPARABLE)),
        texts={name: Markup(to_html(_without_title(text))) for name, text in texts.items()},
        figures={name: Markup(inline_svg(path)) for name, path in figures.items()},
        timelines=Markup(_script_json(timeline_data(series, seats[shown]))),
        style=Markup((HERE / "report.css").read_text(encoding="utf8")),
        script=Markup((HERE / "report.js").read_text(encoding="utf8")),
    )


def write_report(path: Path, page: str) -> None:
    """Write the page, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf8")


def _without_title(text: str) -> str:
    """Markdown without its first heading and the note on simulation, which the page has already."""
    lines = text.split("\n")
    return "\n".join(line for i, line in enumerate(lines) if not (i == 0 or line.startswith("> ")))


def _scale(rows: Mapping[str, Any], key: str, names: Sequence[str]) -> tuple[float, float]:
    """Ends of the axis of a table's small interval plots: 0 and everything that is drawn, to the next tenth."""
    ends = [0.0]
    for row in rows.values():
        for name in names:
            cell = {key: row[key][name], "interval": row["interval"][name]} if key in row else row[name]
            ends += [value for value in (cell[key], *cell["interval"]) if value is not None]
    return math.floor(min(ends) * 10) / 10, max(math.ceil(max(ends) * 10) / 10, 0.1)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def timeline_data(series: Sequence[SessionSeries], seats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the page's script draws: series of every session, at 25 Hz or means of a few frames where it is long."""
    scores = {(seat["corpus"], seat["session"], seat["participant"]): seat["ccc"] for seat in seats}
    sessions = []
    for session in series:
        step = step_for(session.n_labels)
        people = [
            {
                "name": seat.participant,
                "role": seat.role if seat.role != seat.participant else "",
                "ccc": scores.get((session.corpus, session.session, seat.participant)),
                "label": _thousandths(decimate(seat.label, step)),
                "prediction": _thousandths(decimate(seat.prediction, step)),
                "missing": {cue: stretches(mask, step) for cue, mask in seat.missing.items()},
            }
            for seat in session.seats
        ]
        sessions.append(
            {
                "name": session.name,
                "language": session.language,
                "frames": session.n_labels,
                "step": step,
                "seats": people,
            }
        )
    return {"rate_hz": LABEL_RATE_HZ, "scale": THOUSANDTHS, "sessions": sessions}


def _thousandths(values: np.ndarray) -> list[int]:
    return np.where(np.isfinite(values), np.round(np.nan_to_num(values) * THOUSANDTHS), -1).astype(int).tolist()


def _script_json(data: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
