"""Models beside the known answer: results of the study -> results/ccc.json and docs/results.md."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from damamba.config import Params
from damamba.console import run_stage
from damamba.report.markdown import table
from damamba.report.published import GLOBAL, corpus_title
from damamba.report.results import FULL_MODEL, RunResult, read_json, run_names
from damamba.report.tables import SIMULATED, gather, number, span

RESULTS, DEMO, MEDIA = Path("results"), Path("demo"), Path("../../results")
PAGE = Path("../../docs/results.md")
BASELINES = ("ridge", "ridge_partners")
VIEWS = {
    "ceiling": "everything",
    "target_only": "without the partners",
    "audio_only": "heard alone",
    "visual_only": "seen alone",
    "chance": "another session's prediction",
}


def oracle_table(oracle: dict[str, Any]) -> list[str]:
    """Both readers by view and corpus."""
    corpora = list(oracle["sessions"])

    def row(title: str, *path: str) -> list[str]:
        cells = []
        for corpus in corpora:
            values = []
            for reader in ("linear", "nonlinear"):
                held = oracle[corpus]["readers"][reader]
                for key in path:
                    held = held[key]
                values.append(number(held))
            cells.append(" / ".join(values))
        return [title, *cells]

    rows = [row(title, name) for name, title in VIEWS.items()]
    rows += [row(f"within {seconds} s", "context_s", seconds) for seconds in ("1", "4", "15", "60")]
    rows += [row(f"no contingency: {VIEWS[name]}", "no_contingency", name) for name in ("ceiling", "target_only")]
    counts = (f"{corpus_title(c)} {n['train']} / {n['test']}" for c, n in oracle["sessions"].items())
    return [
        f"CCC of a linear / a non-linear reader of the true channels; means over {len(oracle['seeds'])} corpora. "
        f"Training / test sessions of {oracle['minutes']:g} min: {', '.join(counts)}. MPIIGI has no training split, "
        "its groups are read by who has learnt from its validation sessions; NoXi-Add's by who has learnt from NoXi.",
        "",
        *table(["reads", *map(corpus_title, corpora)], rows),
    ]


def model_table(ccc: dict[str, Any], ceiling: dict[str, float]) -> list[str]:
    """Every variant: scores, share of the ceiling, and its distance from the full model."""
    names = [*ccc["sessions"], GLOBAL]
    rows = []
    for variant, held in sorted(ccc["variants"].items(), key=lambda item: -item[1]["mean"][GLOBAL]):
        paired = ccc["paired"].get(f"{FULL_MODEL} - {variant}", {}).get(GLOBAL)
        behind = f"{number(paired['difference'], True)} {span(paired['interval'], True)}" if paired else ""
        sd = held["sd"][GLOBAL]
        spread = "" if sd is None else f" ± {sd:.3f}"
        scores = [number(held["mean"][name]) for name in names[:-1]]
        scores.append(f"{number(held['mean'][GLOBAL])}{spread} {span(held['interval'][GLOBAL])}")
        share = f"{held['mean'][GLOBAL] / ceiling[GLOBAL]:.0%}"
        rows.append([f"`{variant}`", str(len(held["seeds"])), *scores, share, behind])
    rows.append(["*ceiling*", "", *(number(ceiling[name]) for name in names), "100%", ""])
    titles = [corpus_title(name) for name in names]
    return table(["variant", "seeds", *titles, "of the ceiling", f"`{FULL_MODEL}` less it"], rows)


def media_table(channels: dict[str, Any], media: dict[str, Any], best: float) -> list[str]:
    """The demo's models: what is lost from the ceiling to the channels' models, and from those to the media's."""
    rows = []
    for variant, held in media["variants"].items():
        above, below = channels["variants"][variant]["mean"][GLOBAL], held["mean"][GLOBAL]
        interval = span(held["interval"][GLOBAL])
        lost = [number(above - best, True), number(above), number(below - above, True), f"{number(below)} {interval}"]
        rows.append([f"`{variant}`", str(len(held["seeds"])), *lost])
    titles = ["lost by model and few people", "from true channels", "lost by encoders", "from rendered media"]
    return table(["variant", "seeds", *titles], rows)


def ceilings(oracle: dict[str, Any], corpora: Iterable[str]) -> dict[str, float]:
    """By corpus, and Global."""
    held = {corpus: oracle[corpus]["ceiling"] for corpus in corpora}
    return held | {GLOBAL: fmean(held.values())}


def gathered(results: Path, params: Params, names: Sequence[str]) -> dict[str, Any]:
    """Scores of runs and how they differ."""
    known = {name: None for name in (*params.variants, *BASELINES)}
    return gather([RunResult.read(results, name, known) for name in names], params.evaluate)


def main() -> str:
    """Gather and write; the summary line."""
    params, demo = Params.load(), Params.load(DEMO / "params.yaml")
    ccc = gathered(RESULTS, params, [*params.runs, *(f"{name}-0" for name in BASELINES)])
    (RESULTS / "ccc.json").write_text(json.dumps(ccc, indent=1) + "\n")
    oracle = read_json(RESULTS / "oracle.json", "dvc repro studies/corpus/dvc.yaml:oracle")
    media = read_json(MEDIA / "ccc.json", "dvc repro")
    demo_channels = gathered(DEMO / "results", demo, run_names(media))
    demo_best = ceilings(read_json(DEMO / "results/oracle.json", "dvc repro demo_oracle"), media["sessions"])
    ceiling = ceilings(oracle, ccc["sessions"])
    window_s = params.window.frames / params.window.rate_hz
    sessions = ", ".join(f"{corpus_title(corpus)} {n}" for corpus, n in ccc["sessions"].items())
    asked = params.simulate.sessions
    text = [
        "# Results on the built-in corpus (SIMULATED people)",
        "",
        "Written by `studies/corpus/summary.py`; do not edit. How the corpus is made: [simulator.md](simulator.md).",
        "",
        SIMULATED,
        "",
        "## What can be read at best",
        "",
        *oracle_table(oracle),
        "",
        "## What models find in the channels",
        "",
        f"The true channels of behaviour as five cues, no media. {asked.noxi.train} training sessions of NoXi's shape, "
        f"{params.simulate.minutes:g} min each; tested on {sessions} sessions of other people. Windows of "
        f"{window_s:g} s at {params.window.rate_hz} Hz, {params.train.steps} steps of {params.train.batch_windows} "
        f"windows. Mean ± standard deviation over seeds; intervals of {ccc['confidence']:.0%} are bootstraps over "
        "sessions, paired for differences. `ridge` is linear on running means of the target's cues, `ridge_partners` "
        "of everybody's; `lstm` sees the target alone; `…_only` is `da_mamba` with one cue.",
        "",
        *model_table(ccc, ceiling),
        "",
        "## What is left of it in rendered media",
        "",
        "The main pipeline films and records people and reads them through five encoders. Its sessions are short and "
        f"few ({demo.simulate.sessions.noxi.train} training sessions of {demo.simulate.minutes * 60:g} s), under the "
        "easier law `brief`, so that it runs in minutes. Here are its models, and the same models of the true channels "
        "of the same sessions. Readers who have met 120 such sessions reach "
        f"{number(demo_best[GLOBAL])}.",
        "",
        *media_table(demo_channels, media, demo_best[GLOBAL]),
    ]
    PAGE.write_text("\n".join(text) + "\n")
    best = ccc["variants"][FULL_MODEL]["mean"][GLOBAL]
    return f"{FULL_MODEL} {best:.3f}, {best / ceiling[GLOBAL]:.0%} of the ceiling"


if __name__ == "__main__":
    run_stage("summary", main)
