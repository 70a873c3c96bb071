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

LONG, DEMO, MEDIA = Path(), Path("demo"), Path("../..")
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


def finished(folder: Path, names: Iterable[str]) -> bool:
    """Whether all of these runs have scores."""
    return all((folder / "results/scores" / f"{name}.json").is_file() for name in names)


def models_section(oracle: dict[str, Any]) -> list[str]:
    """Models on the true channels of sessions of minutes, beside the ceiling."""
    params = Params.load(LONG / "params.yaml")
    if not finished(LONG, params.runs):
        return ["Not run on the present law yet (`cd studies/corpus && dvc repro`).", ""]
    scored = gathered(LONG, params, params.runs)
    replace_file(LONG / "results/ccc.json", json_text(scored).encode())
    known = {metric: ceilings(oracle, scored["sessions"], metric) for metric in TITLES}
    tables = (line for metric in TITLES for line in (*model_table(scored, known[metric], metric), ""))
    return [setting(params, scored), "", *tables]


def media_section() -> list[str]:
    """What is lost from channels to rendered media."""
    demo, main_params = Params.load(DEMO / "params.yaml"), Params.load(MEDIA / "params.yaml")
    command = "cd studies/corpus/demo && dvc repro"
    if not finished(DEMO, main_params.runs):
        return [f"Not run on the present law yet (`{command}`).", ""]
    media, channels = gathered(MEDIA, main_params, main_params.runs), gathered(DEMO, demo, main_params.runs)
    replace_file(DEMO / "results/ccc.json", json_text(channels).encode())
    oracle = read_json(DEMO / "results/oracle.json", command)
    known = {metric: ceilings(oracle, channels["sessions"], metric) for metric in TITLES}
    return [
        "The pipeline renders video and sound of these people and extracts five cues from them. This table compares "
        "its models with the same models trained on the true channels of the same sessions "
        f"({demo.simulate.sessions.noxi.train} for training, {demo.simulate.minutes * 60:g} s each). Readers trained "
        f"on {oracle['sessions']['noxi']['train']} such sessions reach a CCC of {number(known['ccc'][GLOBAL])} and "
        f"within people {number(known['ccc_within'][GLOBAL])} on other people: the ceilings. The first difference is "
        "due to the model and the small number of people to learn from, the second to the encoders.",
        "",
        *(line for metric in TITLES for line in (*media_table(channels, media, known, metric), "")),
    ]


def main() -> str:
    """Gather and write; returns the summary line."""
    oracle = read_json(LONG / "results/oracle.json", "cd studies/corpus && dvc repro oracle")
    confidence = Params.load(LONG / "params.yaml").evaluate.confidence
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
        f"over seeds; {confidence:.0%} intervals are bootstraps over sessions, paired for differences. `ridge` "
        "is a linear regression on running means of all participants' cues, `ridge_alone` on those of the target. "
        "`mlp` and `lstm` see only the target. `…_only` is `da_mamba` with one cue, `no_floor` the network alone.",
        "",
        *models_section(oracle),
        "## What remains in rendered media",
        "",
        *media_section(),
    ]
    PAGE.write_text("\n".join(text).rstrip("\n") + "\n", encoding="utf8")
    return f"{PAGE}"


if __name__ == "__main__":
    run_stage("summary", main)
