"""Models beside the known answer: results of the study -> results/ccc.json and docs/results.md."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from damamba.config import Params
from damamba.console import run_stage
from damamba.report.markdown import table
from damamba.report.published import GLOBAL, corpus_title
from damamba.report.results import FULL_MODEL, RunResult, read_json
from damamba.report.tables import SIMULATED, gather, number, span

RESULTS, MEDIA = Path("results"), Path("../../results")
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


def media_table(channels: dict[str, Any], media: dict[str, Any]) -> list[str]:
    """The same variants from channels and from rendered media."""
    rows = []
    for variant, held in media["variants"].items():
        other = channels["variants"].get(variant)
        above = number(other["mean"][GLOBAL]) if other else "–"
        rows.append([f"`{variant}`", above, f"{number(held['mean'][GLOBAL])} {span(held['interval'][GLOBAL])}"])
    return table(["variant", "channels, sessions of minutes", "rendered media, sessions of seconds"], rows)


def main() -> str:
    """Gather and write; the summary line."""
    params = Params.load()
    known = {name: None for name in (*params.variants, *BASELINES)}
    names = [*params.runs, *(f"{name}-0" for name in BASELINES)]
    ccc = gather([RunResult.read(RESULTS, name, known) for name in names], params.evaluate)
    (RESULTS / "ccc.json").write_text(json.dumps(ccc, indent=1) + "\n")
    oracle = read_json(RESULTS / "oracle.json", "dvc repro studies/corpus/dvc.yaml:oracle")
    media = read_json(MEDIA / "ccc.json", "dvc repro")
    ceiling = {corpus: oracle[corpus]["ceiling"] for corpus in ccc["sessions"]}
    ceiling[GLOBAL] = fmean(ceiling.values())
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
        "few, under the easier law `brief`, so that it runs in minutes: the columns are of different corpora.",
        "",
        *media_table(ccc, media),
    ]
    PAGE.write_text("\n".join(text) + "\n")
    best = ccc["variants"][FULL_MODEL]["mean"][GLOBAL]
    return f"{FULL_MODEL} {best:.3f}, {best / ceiling[GLOBAL]:.0%} of the ceiling"


if __name__ == "__main__":
    run_stage("summary", main)
