"""Stage report: everything that was measured -> results/figures, results/run.json and results/report.html."""

import _root

import argparse
import json
from pathlib import Path

from damamba.config import Params
from damamba.console import run_stage
from damamba.data.shards import Aligned
from damamba.files import prune, whole_file
from damamba.report.figures import (
    calibration_figure,
    ccc_figure,
    curves_figure,
    health_figure,
    sessions_figure,
    valid_shares,
)
from damamba.report.html import report_html, write_report
from damamba.report.provenance import provenance
from damamba.report.timeline import read_series, timeline_figure
from damamba.scoring.results import main_variant, read_curve, read_json, read_seats, read_text, run_names

RESULTS, FIGURES = Path("results"), Path("results/figures")
ALIGNED, PREDICTIONS = Path("data/aligned"), Path("data/predictions")


def main() -> str:
    params = Params.load()
    ccc = read_json(RESULTS / "ccc.json", "dvc repro ablate")
    runs = run_names(ccc)
    shown = next(run for run in runs if run.startswith(f"{main_variant(ccc)}-"))
    curves = {run: read_curve(RESULTS / "curves" / f"{run}.csv", f"dvc repro -f train@{run}") for run in runs}
    seats = {run: read_seats(RESULTS / "sessions" / f"{run}.csv", f"dvc repro -f evaluate@{run}") for run in runs}
    texts = {
        "ablation": read_text(RESULTS / "ablation.md", "dvc repro -f ablate"),
        "memory": read_text(RESULTS / "memory.md", "dvc repro -f benchmark"),
        "speed": read_text(RESULTS / "speed.md", "dvc repro -f benchmark"),
    }
    read_text(RESULTS / "memory.svg", "dvc repro -f benchmark")
    aligned = Aligned.read(ALIGNED)
    series = list(read_series(aligned, PREDICTIONS / shown, ccc["split"]))

    figures = {
        name: FIGURES / f"{name}.svg" for name in ("learning_curves", "ccc", "calibration", "sessions", "data_health")
    }
    curves_figure(curves, figures["learning_curves"])
    ccc_figure(ccc, figures["ccc"])
    calibration_figure(series, figures["calibration"])
    sessions_figure(seats, figures["sessions"])
    health_figure(valid_shares(aligned), figures["data_health"])
    timelines = {FIGURES / f"timeline-{session.corpus}-{session.session}.svg": session for session in series}
    for path, session in timelines.items():
        timeline_figure(session, path)
    prune(FIGURES, {*figures.values(), *timelines})

    run = provenance(RESULTS / "timing", runs, aligned.cues, params.simulated, params.preset)
    with whole_file(RESULTS / "run.json") as temporary:
        temporary.write_text(json.dumps(run, indent=1) + "\n", encoding="utf8")
    drawn = {**figures, "memory": RESULTS / "memory.svg"}
    write_report(RESULTS / "report.html", report_html(ccc, run, seats, series, shown, texts, drawn))
    size_mb = (RESULTS / "report.html").stat().st_size / 1e6
    return f"{RESULTS / 'report.html'} ({size_mb:.1f} MB), {len(figures) + len(timelines)} figures in {FIGURES}"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    run_stage("report", main, timed=False)  # results/timing is among what this stage reads
