"""Stage report: everything that was measured -> results/figures, run.json, timing.json, timing.md and report.html."""

import _root

import argparse
from collections.abc import Collection
from functools import partial
from pathlib import Path

from damamba.config import MAIN, Params
from damamba.console import run_stage
from damamba.corpus.manifest import Manifest
from damamba.data.shards import Aligned
from damamba.digits import json_text
from damamba.files import prune, replace_file
from damamba.metrics import find_each
from damamba.page.participant import link_to
from damamba.report.figures import calibration_figure, curves_figure, health_figure, scores_figure, sessions_figure
from damamba.report.html import report_html
from damamba.report.provenance import provenance
from damamba.report.session_picture import draw_session, face_pictures
from damamba.report.timeline import timeline_figure
from damamba.report.timing import read_timing, timing_table
from damamba.scoring.comparison import compare_runs, main_variant
from damamba.scoring.groups import groups_of
from damamba.scoring.reading import read_curve, read_text
from damamba.scoring.runs import RunResult
from damamba.scoring.series import SessionSeries, read_series, valid_shares, worst_stretches


def main(options: argparse.Namespace) -> str:
    params, results, data = Params.load(), options.results, options.data
    metrics = find_each(params.evaluate, params.labels)[MAIN]
    runs = [RunResult.read(results, name, params.variants, metrics) for name in params.runs]
    people = Manifest.read(data / "corpus/manifest.jsonl").participants
    groups = groups_of(people, [one.key for one in runs[0].participants], params.evaluate.by)
    comparison = compare_runs(runs, params.evaluate, metrics, groups)
    shown = next(run for run in runs if run.variant == main_variant(comparison))
    curves = {
        run.name: read_curve(results / "curves" / f"{run.name}.csv", f"dvc repro -f train@{run.name}") for run in runs
    }
    texts = {
        "ablation": read_text(results / "ablation.md", "dvc repro -f ablate"),
        "memory": read_text(results / "memory.md", "dvc repro -f benchmark"),
        "speed": read_text(results / "speed.md", "dvc repro -f benchmark"),
    }
    read_text(results / "memory.svg", "dvc repro -f benchmark")
    aligned = Aligned.read(data / "aligned")
    series = list(read_series(aligned, data / "predictions" / shown.name, comparison["split"]))
    participants = {run.name: run.participants for run in runs}

    folder = results / "figures"
    names = ("learning_curves", "ccc", "calibration", "sessions", "data_health")
    figures = {name: folder / f"{name}.svg" for name in names}
    first, metric = next(iter(metrics.items()))
    curves_figure(curves, figures["learning_curves"])
    scores_figure(comparison, first, metric.title, figures["ccc"])
    calibration_figure(series, figures["calibration"])
    sessions_figure(participants, figures["sessions"])
    health_figure(valid_shares(aligned), figures["data_health"])
    timelines = {folder / f"timeline-{session.corpus}-{session.session}.svg": session for session in series}
    for path, session in timelines.items():
        timeline_figure(session, path)
    median = shown.median_session(first, metric)
    session = next(session for session in series if (session.corpus, session.session) == median)
    subtitle = f"the {comparison['split']} session with the median {metric.title} of {shown.name}"
    picture_session(session, shown, subtitle, params.corpus.sources, data, folder / "session.svg")
    prune(folder, {*figures.values(), *timelines, folder / "session.svg"})

    run = provenance(aligned.cues, params.simulated, params.preset)
    timing = read_timing(results / "timing", set(params.runs), aligned.cues)
    figures["memory"] = results / "memory.svg"
    videos = {one.key: link_to(Path(one.video), results) for one in people if one.video and Path(one.video).is_file()}
    worst = worst_stretches(aligned)
    page = report_html(
        comparison, metrics, run, timing, participants, series, shown.name, texts, figures, videos, worst
    )
    replace_file(results / "run.json", json_text(run).encode())
    replace_file(results / "timing.json", json_text(timing).encode())
    replace_file(results / "timing.md", timing_table(timing).encode())
    replace_file(results / "report.html", page.encode())
    n_figures = len(list(folder.iterdir()))
    return f"{results / 'report.html'} ({len(page) / 1e6:.1f} MB), {n_figures} figures in {folder}"


def picture_session(
    session: SessionSeries, run: RunResult, subtitle: str, sources: Collection[str], data: Path, path: Path
) -> None:
    """Draw the session with the faces of its people, if they are simulated."""
    pictures = {}
    if set(sources) == {"simulate"}:
        subtitle += "; simulated people"
        people = Manifest.read(data / "corpus/manifest.jsonl").participants
        pictures = face_pictures(session, people, data / "faces")
    draw_session(session, pictures, run.participants, subtitle, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    run_stage("report", partial(main, parser.parse_args()), timed=False)  # it reads results/timing
