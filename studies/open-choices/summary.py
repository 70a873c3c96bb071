"""Every choice beside the default: results -> docs/open-choices.md. Rows that are not there yet are named."""

import json
from pathlib import Path
from typing import Any

from choice import RESULTS, chosen, read_study

from damamba.config import Params
from damamba.console import InputError, run_stage
from damamba.metrics import find_metrics
from damamba.report.markdown import number, span, table
from damamba.report.published import corpus_title
from damamba.report.tables import SIMULATED
from damamba.scoring.comparison import compare_runs
from damamba.scoring.pooling import GLOBAL
from damamba.scoring.runs import FULL_MODEL, RunResult

PAGE = Path("../../docs/open-choices.md")
TITLES = {"brief": "Sessions of seconds", "long": "Sessions of minutes"}


def said(changes: dict[str, Any]) -> str:
    """`model.causal: true`, and so on; the size of a batch follows from the window."""
    return ", ".join(
        f"`{section}.{key}: {json.dumps(value)}`"
        for section, new in changes.items()
        for key, value in new.items()
        if key != "batch_windows"
    )


def rows_of(ccc: dict[str, Any], choices: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row a choice: scores, and how far it is from the default."""
    names = [*ccc["sessions"], GLOBAL]
    rows = []
    for variant, held in ccc["variants"].items():
        sd = held["sd"][GLOBAL]
        scores = [number(held["mean"][name]) for name in names]
        scores[-1] += "" if sd is None else f" ± {sd:.3f}"
        paired = ccc["paired"].get(f"{FULL_MODEL} - {variant}", {}).get(GLOBAL)
        behind = f"{number(paired['difference'], True)} {span(paired['interval'], True)}" if paired else ""
        name = "default" if variant == FULL_MODEL else f"`{variant}`"
        rows.append([name, said(choices[variant]), str(len(held["seeds"])), *scores, behind])
    return rows


def setting(params: Params, ccc: dict[str, Any]) -> str:
    """What the default is."""
    window, model, train, simulate = params.window, params.model, params.train, params.simulate
    tested = ", ".join(f"{corpus_title(corpus)} {n}" for corpus, n in ccc["sessions"].items())
    return (
        f"{simulate.sessions.noxi.train} training sessions of {60 * simulate.minutes:g} s, law `{simulate.law}`; "
        f"tested on {tested} sessions of other people. Default: windows of {window.frames / window.rate_hz:.3g} s at "
        f"{window.rate_hz} Hz, {train.steps} steps of {train.batch_windows} windows, `lambda_align` "
        f"{model.lambda_align:g}, `d_state` {model.d_state}, `chunk_frames` {model.chunk_frames}, `d_fusion` "
        f"{model.d_fusion}, `dropout` {model.dropout:g}, {model.dialogue_layers} dialogue layer, both ways in time."
    )


def section(name: str, study: dict[str, Any]) -> tuple[list[str], int, int]:
    """(lines of a corpus, runs that are there, runs that were asked for)."""
    choices = study[name]
    wanted = [f"{choice}-{seed}" for choice in choices for seed in study["seeds"]]
    there = [run for run in wanted if (RESULTS / name / "scores" / f"{run}.json").exists()]
    if f"{FULL_MODEL}-{study['seeds'][0]}" not in there:
        raise InputError(f"no default to compare with; run it first: dvc repro {name}@{FULL_MODEL}-0")
    params = chosen(study["corpora"][name], {})
    metrics = find_metrics(params.evaluate)
    runs = [RunResult.read(RESULTS / name, run, choices, metrics) for run in there]
    ccc = compare_runs(runs, params.evaluate, metrics)
    lacking = [run for run in wanted if run not in there]
    titles = [corpus_title(corpus) for corpus in (*ccc["sessions"], GLOBAL)]
    lines = [
        f"## {TITLES[name]}",
        "",
        setting(params, ccc),
        "",
        *table(["choice", "changes", "seeds", *titles, "default less it"], rows_of(ccc, choices), left=2),
        *(["", f"Not trained yet: {', '.join(lacking)}."] if lacking else []),
        "",
    ]
    return lines, len(there), len(wanted)


def main() -> str:
    """Gather and write; the summary line."""
    study = read_study()
    parts = [section(name, study) for name in study["corpora"]]
    text = [
        "# What the paper leaves open, tried on the built-in corpus (SIMULATED people)",
        "",
        "Written by `studies/open-choices/summary.py`; do not edit. One factor at a time, on the channels of "
        "[the corpus study](results.md), same steps and seeds, windows of every length with about as many frames a "
        "step. CCC, means over seeds ± standard deviation; differences are the default less the row, with 95 % paired "
        "bootstraps over sessions. Seeds are held fixed in them, so that what is smaller than the spread over seeds "
        "tells nothing. What was made of it: [log](log.md).",
        "",
        SIMULATED,
        "",
        *(line for lines, *_ in parts for line in lines),
    ]
    PAGE.write_text("\n".join(text).rstrip() + "\n", encoding="utf8")
    return f"{sum(there for _, there, _ in parts)} of {sum(wanted for *_, wanted in parts)} runs"


if __name__ == "__main__":
    run_stage("summary", main, timed=False)
