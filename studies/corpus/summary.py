"""Models compared with the ceiling: results of the study -> docs/results.md and a ccc.json of each corpus."""

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
from damamba.scoring.layout import of_metric
from damamba.scoring.pooling import GLOBAL
from damamba.scoring.reading import read_json
from damamba.scoring.runs import FULL_MODEL, RunResult

LONG, BRIEF, DEMO, MEDIA = Path(), Path("brief"), Path("demo"), Path("../..")
PAGE = Path("../../docs/results.md")
TITLES = {"ccc": "CCC", "ccc_within": "CCC within"}
VIEWS = {
    "ceiling": "everything",
    "target_only": "without the partners",
    "audio_only": "sound only",
    "visual_only": "picture only",
    "chance": "another session's prediction",
}


def oracle_table(oracle: dict[str, Any], metric: str) -> list[str]:
    """Both readers by view and corpus, scored by a metric."""
    corpora = list(oracle["sessions"])

    def row(title: str, *path: str) -> list[str]:
        cells = []
        for corpus in corpora:
            values = []
            for reader in ("linear", "nonlinear"):
                value = of_metric(oracle[corpus], metric)["readers"][reader]
                for key in path:
                    value = value[key]
                values.append(number(value))
            cells.append(" / ".join(values))
        return [title, *cells]

    rows = [row(title, name) for name, title in VIEWS.items()]
    rows += [row(f"within {seconds} s", "context_s", seconds) for seconds in ("1", "4", "15", "60")]
    rows += [row(f"no contingency: {VIEWS[name]}", "no_contingency", name) for name in ("ceiling", "target_only")]
    counts = (f"{corpus_title(c)} {n['train']} / {n['test']}" for c, n in oracle["sessions"].items())
    return [
        f"{TITLES[metric]} of a linear / a non-linear [reader](glossary.md) of the true channels, means over "
        f"{len(oracle['seeds'])} corpora. Training / test sessions, {oracle['minutes']:g} min each: "
        f"{', '.join(counts)}. MPIIGI has no training split and is evaluated with readers trained on its validation "
        "sessions, NoXi-Add with readers trained on NoXi.",
        "",
        *table(["what is read", *map(corpus_title, corpora)], rows),
    ]


def model_table(ccc: dict[str, Any], ceiling: dict[str, float], metric: str) -> list[str]:
    """Every variant by a metric: scores, share of the ceiling, and difference from the full model."""
    names = [*ccc["sessions"], GLOBAL]
    rows = []
    results = {variant: (len(row["seeds"]), of_metric(row, metric)) for variant, row in ccc["variants"].items()}
    for variant, (seeds, result) in sorted(results.items(), key=lambda item: -item[1][1]["mean"][GLOBAL]):
        pair = ccc["paired"].get(f"{FULL_MODEL} - {variant}")
        paired = of_metric(pair, metric)[GLOBAL] if pair else None
        difference = f"{number(paired['difference'], True)} {span(paired['interval'], True)}" if paired else ""
        sd = result["sd"][GLOBAL]
        spread = "" if sd is None else f" ± {sd:.3f}"
        scores = [number(result["mean"][name]) for name in names[:-1]]
        scores.append(f"{number(result['mean'][GLOBAL])}{spread} {span(result['interval'][GLOBAL])}")
        share = f"{result['mean'][GLOBAL] / ceiling[GLOBAL]:.0%}"
        rows.append([f"`{variant}`", str(seeds), *scores, share, difference])
    rows.append(["*ceiling*", "", *(number(ceiling[name]) for name in names), "100%", ""])
    titles = [corpus_title(name) for name in names]
    head = [TITLES[metric], "seeds", *titles, "share of the ceiling", f"`{FULL_MODEL}` minus this"]
    return table(head, rows)


def media_table(
    channels: dict[str, Any], media: dict[str, Any], ceiling: dict[str, dict[str, float]], metric: str
) -> list[str]:
    """The models of the demo: ceiling, models of the true channels, models of the rendered media, and what is lost."""
    rows = []
    for variant, result in media["variants"].items():
        scored = of_metric(result, metric)
        on_channels = of_metric(channels["variants"][variant], metric)["mean"][GLOBAL]
        on_media = scored["mean"][GLOBAL]
        differences = number(on_channels - ceiling[metric][GLOBAL], True), number(on_media - on_channels, True)
        score = f"{number(on_media)} {span(scored['interval'][GLOBAL])}"
        row = [differences[0], number(on_channels), differences[1], score]
        rows.append([f"`{variant}`", str(len(result["seeds"])), *row])
    titles = ["channels minus ceiling", "true channels", "media minus channels", "rendered media"]
    return table([TITLES[metric], "seeds", *titles], rows)


def ceilings(oracle: dict[str, Any], corpora: Iterable[str], metric: str) -> dict[str, float]:
    """By corpus, and Global."""
    by_corpus = {corpus: of_metric(oracle[corpus], metric)["ceiling"] for corpus in corpora}
    return by_corpus | {GLOBAL: fmean(by_corpus.values())}


def gathered(folder: Path, params: Params, names: Iterable[str]) -> dict[str, Any]:
    """Scores of runs, and their differences."""
    metrics = find_metrics(params.evaluate)
    runs = [RunResult.read(folder / "results", name, params.variants, metrics) for name in names]
    return compare_runs(runs, params.evaluate, metrics)


def setting(params: Params, ccc: dict[str, Any]) -> str:
    """Data, windows and sizes behind a table."""
    minutes, trained = params.simulate.minutes, params.simulate.sessions.noxi.train
    tested = ", ".join(f"{corpus_title(corpus)} {n}" for corpus, n in ccc["sessions"].items())
    sizes, weights = params.variant(FULL_MODEL).settings, params.variant(FULL_MODEL).weights
    return (
        f"{trained} training sessions with the settings of NoXi, "
        f"{f'{minutes:g} min' if minutes >= 1 else f'{minutes * 60:g} s'} each. "
        f"Test sessions, all of other people: {tested}. Windows of "
        f"{params.window.frames / params.window.rate_hz:.3g} s at {params.window.rate_hz} Hz, {params.train.steps} "
        f"steps of {params.train.batch_windows} windows; `d_model` {sizes['d_model']}, `d_fusion` "
        f"{sizes['d_fusion']}, `lambda_align` {weights['align']:g}."
    )


def main() -> str:
    """Gather and write; returns the summary line."""
    params, brief, demo, main_params = (Params.load(folder / "params.yaml") for folder in (LONG, BRIEF, DEMO, MEDIA))
    oracle = read_json(LONG / "results/oracle.json", "cd studies/corpus && dvc repro oracle")
    brief_oracle = read_json(BRIEF / "results/oracle.json", "cd studies/corpus/brief && dvc repro oracle")
    media = gathered(MEDIA, main_params, main_params.runs)
    ccc = gathered(LONG, params, params.runs)
    brief_ccc = gathered(BRIEF, brief, brief.runs)
    demo_ccc = gathered(DEMO, demo, main_params.runs)
    for folder, scored in ((LONG, ccc), (BRIEF, brief_ccc), (DEMO, demo_ccc)):
        replace_file(folder / "results/ccc.json", json_text(scored).encode())
    ceiling, brief_ceiling = (
        {metric: ceilings(known, scored["sessions"], metric) for metric in TITLES}
        for known, scored in ((oracle, ccc), (brief_oracle, brief_ccc))
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
        *(line for metric in TITLES for line in (*oracle_table(oracle, metric), "")),
        "## What models find in the channels",
        "",
        "The cues are the true channels of behaviour, in five groups; there are no media. Mean ± standard deviation "
        f"over seeds; {ccc['confidence']:.0%} intervals are bootstraps over sessions, paired for differences. `ridge` "
        "is a linear regression on running means of all participants' cues, `ridge_alone` on those of the target. "
        "`mlp` and `lstm` see only the target. `…_only` is `da_mamba` with one cue.",
        "",
        "### Sessions of minutes: the partners matter",
        "",
        setting(params, ccc),
        "",
        *(line for metric in TITLES for line in (*model_table(ccc, ceiling[metric], metric), "")),
        "### Sessions of seconds, and few people to learn from",
        "",
        setting(brief, brief_ccc),
        "",
        *(line for metric in TITLES for line in (*model_table(brief_ccc, brief_ceiling[metric], metric), "")),
        "## What remains in rendered media",
        "",
        "The pipeline renders video and sound of these people and extracts five cues from them. This table compares "
        "its models with the same models trained on the true channels of the same sessions "
        f"({demo.simulate.sessions.noxi.train} for training, {demo.simulate.minutes * 60:g} s each). Readers trained "
        f"on 120 such sessions reach a CCC of {number(brief_ceiling['ccc'][GLOBAL])} and within people "
        f"{number(brief_ceiling['ccc_within'][GLOBAL])} on other people: the ceilings. The first "
        "difference is due to the model and the small number of people to learn from, the second to the encoders.",
        "",
        *(line for metric in TITLES for line in (*media_table(demo_ccc, media, brief_ceiling, metric), "")),
    ]
    PAGE.write_text("\n".join(text) + "\n", encoding="utf8")
    best = [of_metric(scored["variants"][FULL_MODEL], "ccc_within")["mean"][GLOBAL] for scored in (ccc, brief_ccc)]
    tops = [top["ccc_within"][GLOBAL] for top in (ceiling, brief_ceiling)]
    shares = [f"{score / top:.0%}" for score, top in zip(best, tops, strict=True)]
    return f"CCC within, {FULL_MODEL}: {best[0]:.3f} ({shares[0]} of the ceiling), brief {best[1]:.3f} ({shares[1]})"


if __name__ == "__main__":
    run_stage("summary", main)
