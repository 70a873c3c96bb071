"""Models beside the known answer: results of the study -> docs/results.md and a ccc.json of each corpus."""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from damamba.config import Params
from damamba.console import run_stage
from damamba.digits import json_text
from damamba.files import replace_file
from damamba.metrics import find_metrics
from damamba.report.markdown import number, span, table
from damamba.report.published import corpus_title
from damamba.report.tables import SIMULATED
from damamba.scoring.comparison import compare_runs
from damamba.scoring.pooling import GLOBAL
from damamba.scoring.reading import read_json
from damamba.scoring.runs import FULL_MODEL, RunResult

LONG, BRIEF, DEMO, MEDIA = Path(), Path("brief"), Path("demo"), Path("../..")
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


def gathered(folder: Path, params: Params, names: Iterable[str]) -> dict[str, Any]:
    """Scores of runs and how they differ."""
    known = {name: None for name in (*params.variants, *BASELINES)}
    metrics = find_metrics(params.evaluate)
    runs = [RunResult.read(folder / "results", name, known, metrics) for name in names]
    return compare_runs(runs, params.evaluate, metrics)


def setting(params: Params, ccc: dict[str, Any]) -> str:
    """What the models of a table were trained and tested on."""
    minutes, asked = params.simulate.minutes, params.simulate.sessions.noxi.train
    tested = ", ".join(f"{corpus_title(corpus)} {n}" for corpus, n in ccc["sessions"].items())
    return (
        f"{asked} training sessions of NoXi's shape, {f'{minutes:g} min' if minutes >= 1 else f'{minutes * 60:g} s'} "
        f"each, law `{params.simulate.law}`; tested on {tested} sessions of other people. Windows of "
        f"{params.window.frames / params.window.rate_hz:.3g} s at {params.window.rate_hz} Hz, {params.train.steps} "
        f"steps of {params.train.batch_windows} windows; `d_model` {params.model.d_model}, `d_fusion` "
        f"{params.model.d_fusion}, `lambda_align` {params.model.lambda_align:g}."
    )


def main() -> str:
    """Gather and write; the summary line."""
    params, brief, demo, main_params = (Params.load(folder / "params.yaml") for folder in (LONG, BRIEF, DEMO, MEDIA))
    oracle = read_json(MEDIA / "results/oracle.json", "dvc repro studies/corpus/dvc.yaml:oracle")
    brief_oracle = read_json(BRIEF / "results/oracle.json", "dvc repro studies/corpus/dvc.yaml:brief_oracle")
    media = gathered(MEDIA, main_params, main_params.runs)
    baselines = [f"{name}-0" for name in BASELINES]
    ccc = gathered(LONG, params, [*params.runs, *baselines])
    brief_ccc = gathered(BRIEF, brief, [*brief.runs, *baselines])
    demo_ccc = gathered(DEMO, demo, main_params.runs)
    for folder, held in ((LONG, ccc), (BRIEF, brief_ccc), (DEMO, demo_ccc)):
        replace_file(folder / "results/ccc.json", json_text(held).encode())
    ceiling, brief_ceiling = (
        ceilings(known, held["sessions"]) for known, held in ((oracle, ccc), (brief_oracle, brief_ccc))
    )
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
        "The true channels of behaviour as five cues, no media. Mean ± standard deviation over seeds; intervals of "
        f"{ccc['confidence']:.0%} are bootstraps over sessions, paired for differences. `ridge` is linear on running "
        "means of the target's cues, `ridge_partners` of everybody's; `lstm` sees the target alone; `…_only` is "
        "`da_mamba` with one cue.",
        "",
        "### Sessions of minutes: what passes between people counts",
        "",
        setting(params, ccc),
        "",
        *model_table(ccc, ceiling),
        "",
        "### Sessions of seconds, few people to learn from",
        "",
        setting(brief, brief_ccc),
        "",
        *model_table(brief_ccc, brief_ceiling),
        "",
        "## What is left of it in rendered media",
        "",
        "The main pipeline films and records people and reads them through five encoders. Here are its models, and the "
        f"same models of the true channels of the same sessions ({demo.simulate.sessions.noxi.train} to learn from, "
        f"{demo.simulate.minutes * 60:g} s each). Readers who have met 120 such sessions reach "
        f"{number(brief_ceiling[GLOBAL])} on other people.",
        "",
        *media_table(demo_ccc, media, brief_ceiling[GLOBAL]),
    ]
    PAGE.write_text("\n".join(text) + "\n", encoding="utf8")
    best = [held["variants"][FULL_MODEL]["mean"][GLOBAL] for held in (ccc, brief_ccc)]
    shares = [f"{best[0] / ceiling[GLOBAL]:.0%}", f"{best[1] / brief_ceiling[GLOBAL]:.0%}"]
    return f"{FULL_MODEL} {best[0]:.3f} ({shares[0]} of the ceiling), brief {best[1]:.3f} ({shares[1]})"


if __name__ == "__main__":
    run_stage("summary", main)
