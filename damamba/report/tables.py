"""The main table and the ablation: scores of all runs gathered, compared, and written as JSON, CSV and Markdown.

Scores of a variant are means over its seeds. Intervals and differences come from drawing the sessions of each corpus
again, the same draw for every run, so that a difference is paired.
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import EvaluateParams, ModelParams
from damamba.console import InputError
from damamba.metrics import percentile_interval, resampled_ccc
from damamba.report.markdown import table
from damamba.report.published import GLOBAL, corpus_title, published
from damamba.scoring.results import FULL_MODEL, RunResult, main_variant, run_names

SIMULATED = (
    "> **SIMULATED.** The people in these sessions are made by `damamba_sim`. The numbers say that the software "
    "works and how its variants compare on such data; they say nothing about real people, and nothing about the "
    "challenge."
)
NOT_COMPARABLE = "Published by others on other data, with other encoders: **not comparable** with the tables above."
SPLITS = {"val": "validation", "test": "test"}
SEED = 0


def gather(runs: Sequence[RunResult], params: EvaluateParams) -> dict[str, Any]:
    """Everything that ``results/ccc.json`` holds.

    Args:
        runs: In the order of params.yaml.
        params: Resamples and confidence.

    Returns:
        ``{<run>: its scores, …, "variants": {<variant>: {"seeds", "mean", "sd", "interval"}},
        "paired": {"da_mamba - <variant>": {<corpus> | "global": {"difference", "interval"}}}, "split", "protocol",
        "sessions", "confidence"}``. `sd` is the standard
        deviation over seeds (n - 1), None with one seed.

    Raises:
        InputError: Runs were scored on different sessions or frames.
    """
    _check_same_sessions(runs)
    names = [*runs[0].corpora, GLOBAL]
    variants = dict.fromkeys(run.variant for run in runs)
    by_variant = {variant: [run for run in runs if run.variant == variant] for variant in variants}
    resampled = {v: {name: _resampled(held, name, params) for name in names} for v, held in by_variant.items()}
    means = {v: {name: _mean(run.scores[name] for run in held) for name in names} for v, held in by_variant.items()}

    def interval(scores: np.ndarray, name: str) -> list[float | None]:
        return [_defined(end) for end in percentile_interval(scores, params.confidence, _moments(runs[0], name))]

    paired = {}
    for variant in variants:
        if FULL_MODEL in variants and variant != FULL_MODEL:
            paired[f"{FULL_MODEL} - {variant}"] = {
                name: {
                    "difference": _difference(means[FULL_MODEL][name], means[variant][name]),
                    "interval": interval(resampled[FULL_MODEL][name] - resampled[variant][name], name),
                }
                for name in names
            }
    return {
        **{run.name: run.scores for run in runs},
        "variants": {
            v: {
                "seeds": [run.seed for run in held],
                "mean": means[v],
                "sd": {name: _sd([run.scores[name] for run in held]) for name in names},
                "interval": {name: interval(resampled[v][name], name) for name in names},
            }
            for v, held in by_variant.items()
        },
        "paired": paired,
        "split": runs[0].scores["split"],
        "protocol": runs[0].scores["protocol"],
        "sessions": {corpus: len(sessions) for corpus, sessions in runs[0].moments.items()},
        "confidence": params.confidence,
    }


def _check_same_sessions(runs: Sequence[RunResult]) -> None:
    """All runs speak of the same frames of the same sessions, else no difference is paired."""
    first, *others = ({(c, s): int(m[0]) for c, held in run.moments.items() for s, m in held.items()} for run in runs)
    for run, held in zip(runs[1:], others, strict=True):
        differing = sorted(key for key in first.keys() | held.keys() if first.get(key) != held.get(key))
        splits = [(one.scores["split"], one.scores["protocol"]) for one in (runs[0], run)]
        if differing or splits[0] != splits[1]:
            where = "/".join(differing[0]) if differing else f"split {', '.join(splits[1])}"
            raise InputError(
                f"results/sessions/{run.name}.csv: scored on other frames than {runs[0].name} ({where}); score both "
                f"again: dvc repro -f evaluate@{runs[0].name} evaluate@{run.name}"
            )


def _moments(run: RunResult, name: str) -> list[np.ndarray]:
    """(sessions, 6) of the corpus `name`, or of each corpus for Global."""
    corpora = run.corpora if name == GLOBAL else [name]
    return [np.stack(list(run.moments[corpus].values())) for corpus in corpora]


def _resampled(runs: Sequence[RunResult], name: str, params: EvaluateParams) -> np.ndarray:
    """(resamples,) mean over seeds of a score on sessions drawn again."""
    return np.mean([resampled_ccc(_moments(run, name), params.bootstrap, SEED) for run in runs], axis=0)


def _mean(values: Iterable[float | None]) -> float | None:
    held = list(values)
    known = [value for value in held if value is not None]
    return float(np.mean(known)) if len(known) == len(held) else None


def _sd(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) == len(values) > 1 else None


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def number(value: float | None, signed: bool = False) -> str:
    """Three decimals with a real minus sign; a dash where undefined."""
    return "–" if value is None else f"{value:{'+' if signed else ''}.3f}".replace("-", "−")


def span(ends: Sequence[float | None], signed: bool = False) -> str:
    """An interval, or nothing where there is none."""
    return "" if None in ends else f"[{number(ends[0], signed)}, {number(ends[1], signed)}]"


def main_table(ccc: Mapping[str, Any], simulated: bool) -> str:
    """``ccc.md``: the main table, the differences, every run; and, apart, what others published."""
    names = [*ccc["sessions"], GLOBAL]
    titles = [corpus_title(name) for name in names]
    sessions = ", ".join(f"{corpus_title(corpus)} {n}" for corpus, n in ccc["sessions"].items())
    lines = [
        f"# CCC on the {SPLITS[ccc['split']]} split{' (SIMULATED people)' if simulated else ''}",
        "",
        *([SIMULATED, ""] if simulated else []),
        "One CCC a corpus over all frames of all its sessions and participants; Global is the mean over corpora. Mean "
        f"± standard deviation over seeds; in brackets a {ccc['confidence']:.0%} bootstrap interval over sessions "
        f"({sessions}). Few sessions make rough intervals, and seeds are held fixed in them. "
        f"Splits: {ccc['protocol']}.",
        "",
        *table(
            ["variant", "seeds", *titles],
            (
                [
                    f"`{variant}`",
                    str(len(row["seeds"])),
                    *(_cell(row["mean"][n], row["sd"][n], row["interval"][n]) for n in names),
                ]
                for variant, row in ccc["variants"].items()
            ),
        ),
        "",
    ]
    if ccc["paired"]:
        lines += [
            "## Differences",
            "",
            f"`{FULL_MODEL}` less each other variant, means over seeds, on the same resampled sessions. Where the "
            "interval holds 0, these sessions do not tell the two apart.",
            "",
            *table(
                ["difference", *titles],
                (
                    [
                        f"`{pair}`",
                        *(f"{number(r[n]['difference'], True)} {span(r[n]['interval'], True)}".strip() for n in names),
                    ]
                    for pair, r in ccc["paired"].items()
                ),
            ),
            "",
        ]
    lines += [
        "## Every run",
        "",
        *table(["run", *titles], ([f"`{run}`", *(number(ccc[run][n]) for n in names)] for run in run_names(ccc))),
        "",
        *published_scores(),
    ]
    return "\n".join(lines) + "\n"


def _cell(mean: float | None, sd: float | None, ends: Sequence[float | None]) -> str:
    spread = "" if sd is None else f" ± {sd:.3f}"
    return f"{number(mean)}{spread} {span(ends)}".strip()


def published_scores() -> list[str]:
    """The challenge's test table as the authors print it, with what is known to be wrong with it."""
    held = published()["ccc"]
    columns: dict[str, str] = held["columns"]
    return [
        "## Published",
        "",
        NOT_COMPARABLE,
        "",
        *table(
            ["method", *columns.values()],
            ([row["method"], *(f"{row[name]:.2f}" for name in columns)] for row in held["rows"]),
        ),
        "",
        f"Source: {held['source']}.",
        "",
        *(f"- {caveat}" for caveat in held["caveats"]),
    ]


def ablation_table(ccc: Mapping[str, Any], models: Mapping[str, ModelParams], simulated: bool) -> str:
    """``ablation.md``: which part each variant has, and its score; the published ablation apart.

    Args:
        ccc: From `gather`.
        models: Variant -> its parameters.
        simulated: Whether the people are.
    """
    names = [*ccc["sessions"], GLOBAL]
    header = ["Mamba", "Trans.", "Mod-F", "Part-F"]
    rows = []
    for variant, row in ccc["variants"].items():
        model = models[variant]
        if model.architecture != "da_mamba":
            continue  # another model, not one with a part less: a row of the main table alone
        hybrid = model.settings["block"] == "hybrid"
        ticks = _ticks(hybrid, not hybrid, model.settings["modality_fusion"], model.settings["partner_fusion"])
        rows.append([f"`{variant}`", *ticks, str(len(row["seeds"])), *(number(row["mean"][n]) for n in names)])
    held = published()
    columns: dict[str, str] = held["ccc"]["columns"]
    theirs = (
        [
            *_ticks(row["mamba"], row["transformer"], row["modality_fusion"], row["partner_fusion"]),
            *(f"{row[name]:.2f}" for name in columns),
        ]
        for row in held["ablation"]["rows"]
    )
    lines = [
        f"# Ablation, CCC on the {SPLITS[ccc['split']]} split{' (SIMULATED people)' if simulated else ''}",
        "",
        *([SIMULATED, ""] if simulated else []),
        "Means over seeds. Mod-F: stacks by modality group, Part-F: partners as context; intervals and paired "
        "differences stand in the main table.",
        "",
        *table(["variant", *header, "seeds", *(corpus_title(n) for n in names)], rows, left=5),
        "",
        "## Published",
        "",
        NOT_COMPARABLE,
        "",
        *table([*header, *columns.values()], theirs, left=4),
        "",
        f"Source: {held['ablation']['source']}.",
    ]
    return "\n".join(lines) + "\n"


def _ticks(*parts: bool) -> list[str]:
    return ["✓" if part else "✗" for part in parts]


def write_tables(
    runs: Sequence[RunResult],
    params: EvaluateParams,
    models: Mapping[str, ModelParams],
    simulated: bool,
    results: Path,
) -> str:
    """Write ``ccc.json``, ``ccc.csv``, ``ccc.md`` and ``ablation.md`` below `results`; the summary line.

    Raises:
        InputError: Runs were scored on different sessions or frames.
    """
    ccc = gather(runs, params)
    (results / "ccc.json").write_text(json.dumps(ccc, indent=1, allow_nan=False) + "\n", encoding="utf8")
    with (results / "ccc.csv").open("w", newline="", encoding="utf8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["run", "variant", "seed", "corpus", "ccc", "low", "high", "frames"])
        for run in runs:
            for name in (*run.corpora, GLOBAL):
                frames = run.scores["frames"].get(name, sum(run.scores["frames"].values()))
                low, high = run.scores["interval"][name]
                rows.writerow([run.name, run.variant, run.seed, name, run.scores[name], low, high, frames])
    (results / "ccc.md").write_text(main_table(ccc, simulated), encoding="utf8")
    (results / "ablation.md").write_text(ablation_table(ccc, models, simulated), encoding="utf8")
    variant = main_variant(ccc)
    row = ccc["variants"][variant]
    shown = f"{number(row['mean'][GLOBAL])} {span(row['interval'][GLOBAL])}".strip()
    return f"{len(runs)} runs of {len(ccc['variants'])} variants · {variant}: Global CCC {shown}"
