"""Compare every choice with the default: results -> docs/open-choices.md. Rows that are missing are listed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from choice import chosen, read_study

from damamba.config import Params
from damamba.console import InputError, run_stage
from damamba.metrics import find_metrics
from damamba.report.markdown import number, span, table
from damamba.report.published import corpus_title
from damamba.report.tables import SIMULATED
from damamba.scoring.comparison import compare_runs
from damamba.scoring.layout import of_metric
from damamba.scoring.pooling import GLOBAL
from damamba.scoring.runs import FULL_MODEL, RunResult

RESULTS = Path("results")
PAGE = Path("../../docs/open-choices.md")
METRICS = {"ccc": "CCC", "ccc_within": "CCC within"}
"""Metric -> its title; means over corpora."""


def as_text(changes: dict[str, Any]) -> str:
    """The changes as `section.key: value`, without the size of a batch, which follows from the window."""
    return ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in flat(changes) if key != "train.batch_windows")


def flat(changes: dict[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """(section.key, value) of nested sections."""
    for key, value in changes.items():
        if isinstance(value, dict):
            yield from flat(value, f"{section}{key}.")
        else:
            yield f"{section}{key}", value


def rows_of(ccc: dict[str, Any], choices: dict[str, dict[str, Any]]) -> list[list[str]]:
    """One row for each choice: its scores, and what the default has more, by each of `METRICS`."""
    rows = []
    for variant, result in ccc["variants"].items():
        pair = ccc["paired"].get(f"{FULL_MODEL} - {variant}")
        cells = []
        for metric in METRICS:
            score, paired = of_metric(result, metric), of_metric(pair, metric)[GLOBAL] if pair else None
            sd = score["sd"][GLOBAL]
            cells.append(number(score["mean"][GLOBAL]) + ("" if sd is None else f" ± {sd:.3f}"))
            cells.append(f"{number(paired['difference'], True)} {span(paired['interval'], True)}" if paired else "")
        name = "default" if variant == FULL_MODEL else f"`{variant}`"
        rows.append([name, as_text(choices[variant]), str(len(result["seeds"])), *cells])
    return rows


def setting(params: Params, ccc: dict[str, Any]) -> str:
    """Data, windows and sizes of the default."""
    window, train, simulate = params.window, params.train, params.simulate
    default = params.variant(FULL_MODEL)
    sizes = default.settings
    tested = ", ".join(f"{corpus_title(corpus)} {n}" for corpus, n in ccc["sessions"].items())
    return (
        f"{simulate.sessions.noxi.train} training sessions of {60 * simulate.minutes:g} s. Test "
        f"sessions, all of other people: {tested}. Default: windows of {window.frames / window.rate_hz:.3g} s at "
        f"{window.rate_hz} Hz, {train.steps} steps of {train.batch_windows} windows, `lambda_align` "
        f"{default.weights['align']:g}, `d_state` {sizes['d_state']}, `chunk_frames` {sizes['chunk_frames']}, "
        f"`d_fusion` {sizes['d_fusion']}, `dropout` {sizes['dropout']:g}, {sizes['dialogue_layers']} dialogue layer, "
        "both ways in time."
    )


def main() -> str:
    """Gather and write; returns the summary line."""
    study = read_study()
    choices = study["choices"]
    wanted = [f"{choice}-{seed}" for choice in choices for seed in study["seeds"]]
    there = [run for run in wanted if (RESULTS / "scores" / f"{run}.json").exists()]
    if f"{FULL_MODEL}-{study['seeds'][0]}" not in there:
        raise InputError(f"no default to compare with; run it first: dvc repro choice@{FULL_MODEL}-0")
    params = chosen(study, FULL_MODEL)
    metrics = find_metrics(params.evaluate)
    ccc = compare_runs([RunResult.read(RESULTS, run, choices, metrics) for run in there], params.evaluate, metrics)
    lacking = [run for run in wanted if run not in there]
    titles = [title for metric in METRICS.values() for title in (metric, "default minus this")]
    text = [
        "# What the paper leaves open, tried on the built-in corpus (SIMULATED people)",
        "",
        "Written by `studies/open-choices/summary.py`; do not edit. Each row changes one factor, on the channels of "
        "[the corpus study](results.md). All rows have the same steps and seeds, and about as many frames a step. "
        "Scores are means over corpora and seeds ± standard deviation over seeds: the pooled CCC, and the CCC within "
        "people, which is about *when*. Differences are the default minus the row, with 95 % intervals from paired "
        "bootstraps over sessions. These intervals hold the seeds fixed, so a difference smaller "
        "than the spread over seeds means nothing. Conclusions: [log](log.md). Words: [glossary](glossary.md).",
        "",
        SIMULATED,
        "",
        setting(params, ccc),
        "",
        *table(["choice", "changes", "seeds", *titles], rows_of(ccc, choices), left=2),
        *(["", f"Not trained yet: {', '.join(lacking)}."] if lacking else []),
    ]
    PAGE.write_text("\n".join(text).rstrip() + "\n", encoding="utf8")
    return f"{len(there)} of {len(wanted)} runs"


if __name__ == "__main__":
    run_stage("summary", main, timed=False)
