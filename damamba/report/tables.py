"""The main table and the ablation as JSON, CSV and Markdown."""

import csv
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from damamba.config import EvaluateParams, ModelParams
from damamba.digits import json_text
from damamba.files import replace_file
from damamba.metrics import Metric
from damamba.report.markdown import number, span, table
from damamba.report.published import corpus_title, published
from damamba.scoring.by_session import with_session_mean
from damamba.scoring.comparison import compare_runs, main_variant, run_names
from damamba.scoring.layout import MISSING, TOP, column, of_metric
from damamba.scoring.participants import Groups
from damamba.scoring.pooling import GLOBAL
from damamba.scoring.runs import FULL_MODEL, RunResult

logger = logging.getLogger(__name__)

SIMULATED = (
    "> **SIMULATED.** The people in these sessions are simulated by `damamba_sim`. The numbers show that the software "
    "works and how its variants compare on such data; they show nothing about real people, and nothing about the "
    "challenge."
)
NOT_COMPARABLE = "Published by others on other data, with other encoders: **not comparable** with the tables above."
SPLITS = {"val": "validation", "test": "test"}


def score_columns(comparison: Mapping[str, Any], metrics: Mapping[str, Metric]) -> list[tuple[str, str, str]]:
    """(metric, corpus or Global, title) of each column of scores; the mean over sessions of the first metric is last.

    All metrics but the first carry their names in the titles.
    """
    first = next(iter(metrics))
    return [
        (name, place, corpus_title(place) if name == first else f"{metric.title} {corpus_title(place)}")
        for name, metric in with_session_mean(metrics).items()
        for place in (*comparison["sessions"], GLOBAL)
    ]


def by_session_text(comparison: Mapping[str, Any], metrics: Mapping[str, Metric]) -> str:
    """What the mean over sessions is, and how many sessions have no part in it."""
    title = next(iter(metrics.values())).title
    left = [
        f"{corpus_title(corpus)} {n} of {comparison['sessions'][corpus]}"
        for corpus, n in comparison["left_out"].items()
        if n
    ]
    counted = (
        f"Sessions whose annotation is constant have no {title} and are left out: {', '.join(left)}."
        if left
        else f"No session is left out; one whose annotation is constant would be, as it has no {title}."
    )
    return f"{title} by session is the mean over sessions of the {title} of each, however long it is. {counted}"


def groups_text(column: str, values: Mapping[str, Any]) -> str:
    """What the table of a column has, or why there is none."""
    if list(values) == [MISSING]:
        return f"No scored participant has a value of {column} in the manifest."
    if len(values) == 1:
        return f"All participants have the same {column}, {next(iter(values))}: their scores are those above."
    return (
        "Scores of the participants of a group alone: Global, the mean over the corpora that they are in. Intervals "
        "come from their sessions."
    )


def group_rows(values: Mapping[str, Any], metrics: Mapping[str, Metric]) -> Iterator[tuple[str, str, list[int], list]]:
    """Value, variant, counts (sessions, participants, frames, sessions left out) and the record of each metric."""
    for value, group in values.items():
        counts = [group[name] for name in ("sessions", "participants", "frames", "left_out")]
        for variant, row in group["variants"].items():
            yield value, variant, counts, [of_metric(row, name) for name in with_session_mean(metrics)]


def titles_of(metrics: Mapping[str, Metric]) -> str:
    """Metrics as in headings: "CCC", or "CCC and MAE"."""
    return " and ".join(metric.title for metric in metrics.values())


def main_table(comparison: Mapping[str, Any], metrics: Mapping[str, Metric], simulated: bool, label: str = "") -> str:
    """``ccc.md``: the main table, the differences, every run; and, apart, what others published.

    `label` names a further label in the heading; nothing is published about it.
    """
    columns = score_columns(comparison, metrics)
    titles = [title for *_, title in columns]
    sessions = ", ".join(f"{corpus_title(corpus)} {n}" for corpus, n in comparison["sessions"].items())
    suffix = " (SIMULATED people)" if simulated else ""
    lines = [
        f"# {label and f'`{label}`: '}{titles_of(metrics)} on the {SPLITS[comparison['split']]} split{suffix}",
        "",
        *([SIMULATED, ""] if simulated else []),
        "Scores pool all frames of all sessions and participants of a corpus; Global is the mean over corpora. Mean ± "
        f"standard deviation over seeds; in brackets a {comparison['confidence']:.0%} bootstrap interval over sessions "
        f"({sessions}). Few sessions make rough intervals, and seeds are held fixed in them. "
        f"Splits: {comparison['protocol']}.",
        "",
        *_who_and_when(comparison, metrics),
        by_session_text(comparison, metrics),
        "",
        *table(
            ["variant", "seeds", *titles],
            (
                [
                    f"`{variant}`",
                    str(len(row["seeds"])),
                    *(_cell(of_metric(row, metric), place) for metric, place, _ in columns),
                ]
                for variant, row in comparison["variants"].items()
            ),
        ),
        "",
        *_warnings(comparison),
    ]
    if comparison["paired"]:
        lines += [
            "## Differences",
            "",
            f"`{FULL_MODEL}` less each other variant, means over seeds, on the same resampled sessions. Where the "
            "interval holds 0, these sessions do not separate the two.",
            "",
            *table(
                ["difference", *titles],
                (
                    [f"`{pair}`", *(_difference_cell(of_metric(row, metric)[place]) for metric, place, _ in columns)]
                    for pair, row in comparison["paired"].items()
                ),
            ),
            "",
        ]
    lines += [
        "## Every run",
        "",
        *table(
            ["run", *titles],
            (
                [f"`{run}`", *(number(of_metric(comparison[run], metric)[place]) for metric, place, _ in columns)]
                for run in run_names(comparison)
            ),
        ),
        "",
        *_groups(comparison, metrics),
        *(() if label else _published_scores()),
    ]
    return "\n".join(lines) + "\n"


def _warnings(comparison: Mapping[str, Any]) -> list[str]:
    """Reasons to doubt the scores, as a list."""
    if not comparison["warnings"]:
        return []
    head = "**Read with care** (what is looked for: docs/design.md, Scores):"
    return [head, "", *(f"- {line}" for line in comparison["warnings"]), ""]


def _groups(comparison: Mapping[str, Any], metrics: Mapping[str, Metric]) -> list[str]:
    """A table for each column that scores were asked for by."""
    header = ["variant", "sessions", "participants", "frames", "left out"]
    titles = [metric.title for metric in with_session_mean(metrics).values()]
    lines = []
    for name, values in comparison["by"].items():
        lines += [f"## By {name}", "", groups_text(name, values), ""]
        if len(values) > 1:
            rows = (
                [value, f"`{variant}`", *map(str, counts), *(_cell(record, GLOBAL) for record in records)]
                for value, variant, counts, records in group_rows(values, metrics)
            )
            lines += [*table([name, *header, *titles], rows, left=2), ""]
    return lines


def _who_and_when(comparison: Mapping[str, Any], metrics: Mapping[str, Metric]) -> list[str]:
    """What the two forms of CCC mean, and how much of the labels' variance each rests on."""
    if not {"ccc", "ccc_within"} <= metrics.keys():
        return []
    shares = ", ".join(
        f"{corpus_title(corpus)} {'undefined' if share is None else f'{share:.0%}'}"
        for corpus, share in comparison["label_variance_within"].items()
    )
    return [
        "CCC, as the challenge computes it, rewards both: *who* is engaged, the level of each person, and *when*, the "
        "movement over time. CCC within is the same after each participant's own means in the session were taken off "
        "prediction and label, so it is about *when* alone: a constant for each person scores 0. Share of the labels' "
        f"variance that lies within participants: {shares}.",
        "",
    ]


def _cell(row: Mapping[str, Any], place: str) -> str:
    spread = "" if row["sd"][place] is None else f" ± {row['sd'][place]:.3f}"
    return f"{number(row['mean'][place])}{spread} {span(row['interval'][place])}".strip()


def _difference_cell(cell: Mapping[str, Any]) -> str:
    return f"{number(cell['difference'], True)} {span(cell['interval'], True)}".strip()


def _published_scores() -> list[str]:
    """The challenge's test table as the authors print it, with its known errors."""
    source = published()["ccc"]
    columns: dict[str, str] = source["columns"]
    return [
        "## Published",
        "",
        NOT_COMPARABLE,
        "",
        *table(
            ["method", *columns.values()],
            ([row["method"], *(f"{row[name]:.2f}" for name in columns)] for row in source["rows"]),
        ),
        "",
        f"Source: {source['source']}.",
        "",
        *(f"- {caveat}" for caveat in source["caveats"]),
    ]


def ablation_table(
    comparison: Mapping[str, Any], metrics: Mapping[str, Metric], models: Mapping[str, ModelParams], simulated: bool
) -> str:
    """``ablation.md``: which part each variant has, and its scores; the published ablation apart.

    Args:
        comparison: From `compare_runs`.
        metrics: What was compared, by name.
        models: Variant -> its parameters.
        simulated: Whether the participants are.
    """
    columns = [one for one in score_columns(comparison, metrics) if one[0] in metrics]
    header = ["Mamba", "Trans.", "Mod-F", "Part-F"]
    rows = []
    for variant, row in comparison["variants"].items():
        model = models[variant]
        if model.architecture != "da_mamba":
            continue  # a model of another kind, not one with a part less; the main table has it
        settings = model.settings
        hybrid = settings["block"] == "hybrid"
        parts = hybrid, not hybrid, settings["modality_fusion"], settings["partner_fusion"], settings["floor"] != "none"
        ticks = _ticks(*parts)
        scores = (number(of_metric(row, metric)["mean"][place]) for metric, place, _ in columns)
        rows.append([f"`{variant}`", *ticks, str(len(row["seeds"])), *scores])
    source = published()
    titles: dict[str, str] = source["ccc"]["columns"]
    theirs = (
        [
            *_ticks(row["mamba"], row["transformer"], row["modality_fusion"], row["partner_fusion"]),
            *(f"{row[name]:.2f}" for name in titles),
        ]
        for row in source["ablation"]["rows"]
    )
    suffix = " (SIMULATED people)" if simulated else ""
    lines = [
        f"# Ablation, {titles_of(metrics)} on the {SPLITS[comparison['split']]} split{suffix}",
        "",
        *([SIMULATED, ""] if simulated else []),
        "Means over seeds. Mod-F: stacks by modality group, Part-F: partners as context, Floor: predictions start "
        "from a linear reading; intervals, paired differences and means over sessions stand in the main table.",
        "",
        *table(["variant", *header, "Floor", "seeds", *(title for *_, title in columns)], rows, left=6),
        "",
        "## Published",
        "",
        NOT_COMPARABLE,
        "",
        *table([*header, *titles.values()], theirs, left=4),
        "",
        f"Source: {source['ablation']['source']}.",
    ]
    return "\n".join(lines) + "\n"


def _ticks(*parts: bool) -> list[str]:
    return ["✓" if part else "✗" for part in parts]


def scores_csv(runs: Sequence[RunResult], metrics: Mapping[str, Metric]) -> str:
    """``ccc.csv``: a row for each run and corpus, with score, interval, frames, and sessions left out of the mean."""
    metrics = with_session_mean(metrics)
    top = [name for name in metrics if name == TOP]
    others = [name for name in metrics if name != TOP]

    def header(names: Sequence[str]) -> list[str]:
        return [title for name in names for title in (name, column(name, "low"), column(name, "high"))]

    def cells(run: RunResult, names: Sequence[str], place: str) -> list[float | None]:
        scores = [of_metric(run.scores, name) for name in names]
        return [value for one in scores for value in (one[place], *one["interval"][place])]

    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["run", "variant", "seed", "corpus", *header(top), "frames", *header(others), "left_out"])
    for run in runs:
        for place in (*run.corpora, GLOBAL):
            frames, left = (
                run.scores[name].get(place, sum(run.scores[name].values())) for name in ("frames", "left_out")
            )
            name = [run.name, run.variant, run.seed, place]
            rows.writerow([*name, *cells(run, top, place), frames, *cells(run, others, place), left])
    return text.getvalue()


def write_tables(
    runs: Sequence[RunResult],
    params: EvaluateParams,
    metrics: Mapping[str, Metric],
    models: Mapping[str, ModelParams],
    simulated: bool,
    results: Path,
    groups: Groups | None = None,
    also: Mapping[str, tuple[Sequence[RunResult], Mapping[str, Metric], Groups]] = MappingProxyType({}),
) -> str:
    """Write ``ccc.json``, ``ccc.csv``, ``ccc.md`` and ``ablation.md`` below `results`; returns the summary line.

    Tables of further labels follow in ``ccc.md``, and under the key ``also`` of ``ccc.json``: `also` has their runs,
    those that learned them, metrics and groups. What makes scores doubtful is logged. `groups` are those of
    `compare_runs`.

    Raises:
        InputError: Runs were scored on different sessions or frames.
    """
    comparison = compare_runs(runs, params, metrics, groups)
    others = {label: compare_runs(own, params, its, by) for label, (own, its, by) in also.items()}
    for caution in comparison["warnings"]:
        logger.warning("warning: %s", caution)
    for label, each in others.items():
        for caution in each["warnings"]:
            logger.warning("warning: %s: %s", label, caution)
    tables = [main_table(comparison, metrics, simulated)]
    tables += [main_table(each, also[label][1], simulated, label) for label, each in others.items()]
    files = {
        "ccc.json": json_text({**comparison, **({"also": others} if others else {})}),
        "ccc.csv": scores_csv(runs, metrics),
        "ccc.md": "\n".join(tables),
        "ablation.md": ablation_table(comparison, metrics, models, simulated),
    }
    for name, text in files.items():
        replace_file(results / name, text.encode())
    variant, first = main_variant(comparison), next(iter(metrics))
    row = of_metric(comparison["variants"][variant], first)
    shown = f"{number(row['mean'][GLOBAL])} {span(row['interval'][GLOBAL])}".strip()
    n_variants = len(comparison["variants"])
    return f"{len(runs)} runs of {n_variants} variants · {variant}: Global {metrics[first].title} {shown}"
