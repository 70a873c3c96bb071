"""Every row beside the recommended model: results -> docs/wide.md. Rows that are missing are left out, and counted."""

from pathlib import Path
from typing import Any

import yaml

from damamba.config import Params
from damamba.console import InputError, run_stage
from damamba.metrics import Metric, find_metrics
from damamba.report.markdown import number, span, table
from damamba.report.published import corpus_title
from damamba.report.tables import SIMULATED
from damamba.scoring.comparison import compare_runs
from damamba.scoring.layout import of_metric
from damamba.scoring.pooling import GLOBAL
from damamba.scoring.runs import FULL_MODEL, RunResult

PAGE = Path("../../docs/wide.md")
TITLES = {"ccc": "CCC", "ccc_within": "CCC within"}


def rows_of(ccc: dict[str, Any], metric: str) -> list[list[str]]:
    """One row a variant: scores, and what the recommended model has more."""
    names = [*ccc["sessions"], GLOBAL]
    scored = {variant: (len(row["seeds"]), of_metric(row, metric)) for variant, row in ccc["variants"].items()}
    rows = []
    for variant, (seeds, result) in sorted(scored.items(), key=lambda item: -item[1][1]["mean"][GLOBAL]):
        pair = ccc["paired"].get(f"{FULL_MODEL} - {variant}")
        paired = of_metric(pair, metric)[GLOBAL] if pair else None
        difference = f"{number(paired['difference'], True)} {span(paired['interval'], True)}" if paired else ""
        cells = [number(result["mean"][name]) for name in names]
        cells[-1] += f" {span(result['interval'][GLOBAL])}"
        rows.append([f"`{variant}`", str(seeds), *cells, difference])
    return rows


def section(params: Params, tracks: int, runs: list[str], metrics: dict[str, Metric]) -> list[str]:
    """Both tables of a size."""
    folder = Path("results") / str(tracks)
    there = [run for run in runs if (folder / "scores" / f"{run}.json").is_file()]
    if not any(run.startswith(f"{FULL_MODEL}-") for run in there):
        return []
    ccc = compare_runs(
        [RunResult.read(folder, run, params.variants, metrics) for run in there], params.evaluate, metrics
    )
    lines = [f"## {tracks} people in training", ""]
    for metric, title in TITLES.items():
        head = [title, "seeds", *map(corpus_title, (*ccc["sessions"], GLOBAL)), f"`{FULL_MODEL}` minus this"]
        lines += [*table(head, rows_of(ccc, metric)), ""]
    missing = len(runs) - len(there)
    return [*lines, *([f"{missing} of {len(runs)} runs are still to be made.", ""] if missing else [])]


def main() -> str:
    """Gather and write; the summary line."""
    params = Params.load()
    metrics = find_metrics(params.evaluate)
    planned: dict[int, list[str]] = {}
    for row in yaml.safe_load(Path("rows.yaml").read_text(encoding="utf8"))["rows"].values():
        planned.setdefault(row["tracks"], []).append(row["run"])
    sections = {tracks: section(params, tracks, runs, metrics) for tracks, runs in planned.items()}
    if not any(sections.values()):
        raise InputError("results: no row yet; run dvc repro here")
    text = [
        "# Few people and wide cues (SIMULATED people)",
        "",
        "Written by `studies/wide/summary.py`; do not edit. The streams have the names and widths of the MultiMediate "
        "release, 2 474 channels in all, and no media behind them: each person has a series that can be heard and one "
        "that can be seen; the label follows both and, 0.8 s later, those of the partners (`studies/wide/make.py`). "
        "Models have the sizes and windows of the preset `multimediate`, at most "
        f"{params.train.steps} steps of {params.train.batch_windows} windows. Scores are those of the validation "
        "split, as for the release, whose test labels are withheld; the same sessions choose the weights.",
        "",
        SIMULATED,
        "",
        *(line for lines in sections.values() for line in lines),
    ]
    PAGE.write_text("\n".join(text).rstrip("\n") + "\n", encoding="utf8")
    return f"{sum(map(bool, sections.values()))} of {len(planned)} sizes -> {PAGE}"


if __name__ == "__main__":
    run_stage("summary", main, timed=False)
