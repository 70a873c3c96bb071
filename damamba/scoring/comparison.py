"""Scores of all runs gathered and compared: the numbers behind the main table.

Scores of a variant are means over its seeds. Intervals and differences come from drawing the sessions of each corpus
again, with the same draw for every run, so that differences are paired.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from damamba.config import EvaluateParams
from damamba.console import InputError
from damamba.metrics import Metric
from damamba.scoring.by_session import left_out, with_session_mean
from damamba.scoring.cautions import cautions
from damamba.scoring.layout import TOP, join_metrics
from damamba.scoring.participants import Groups, Key, label_variance_within
from damamba.scoring.pooling import GLOBAL, defined, global_score, percentile_interval, resampled_scores
from damamba.scoring.runs import FULL_MODEL, RunResult


def compare_runs(
    runs: Sequence[RunResult],
    params: EvaluateParams,
    metrics: Mapping[str, Metric],
    groups: Groups | None = None,
) -> dict[str, Any]:
    """Everything that ``results/ccc.json`` holds, not rounded.

    Args:
        runs: In the order of params.yaml.
        params: Resamples and confidence.
        metrics: What is compared, by name.
        groups: As of `grouped`.

    Returns:
        ``{<run>: its scores, …, "variants": {<variant>: {"seeds", "mean", "sd", "interval"}},
        "paired": {"da_mamba - <variant>": {<corpus> | "global": {"difference", "interval"}}}, "split", "protocol",
        "sessions", "left_out", "label_variance_within", "confidence", "by": {<column>: {<value>: {"corpora",
        "sessions", "participants", "frames", "left_out", "variants"}}}, "warnings": […]}``. `sd` is the standard
        deviation over seeds (n - 1), None with one seed. Variants and pairs hold the same of each further metric, and
        of the mean over sessions of the first, under its name. Below `by` scores are Global ones of these participants
        alone.

    Raises:
        InputError: Runs were scored on different sessions or frames, or by an earlier version.
    """
    _check_same_sessions(runs)
    first = next(iter(metrics))
    scored = with_session_mean(metrics)
    if earlier := [run.name for run in runs if not scored.keys() - {TOP} <= run.scores.keys()]:
        raise InputError(
            f"results/scores/{earlier[0]}.json: of an earlier version, without the mean over sessions; score again: "
            f"dvc repro -f evaluate@{earlier[0]}"
        )
    variants = list(dict.fromkeys(run.variant for run in runs))
    seeds = {variant: [run.seed for run in runs if run.variant == variant] for variant in variants}
    compared = {name: _compare(runs, params, name, metric) for name, metric in scored.items()}
    pairs = compared[first][1]
    sessions = runs[0].sessions(first, metrics[first])
    intervals = {variant: row["interval"] for variant, row in compared[first][0].items()}
    rows = {variant: [run.participants for run in runs if run.variant == variant] for variant in variants}
    return {
        **{run.name: run.scores for run in runs},
        "variants": {
            variant: {
                "seeds": seeds[variant],
                **join_metrics({name: scores[variant] for name, (scores, _) in compared.items()}),
            }
            for variant in variants
        },
        "paired": {
            pair: join_metrics({name: paired[pair] for name, (_, paired) in compared.items()}) for pair in pairs
        },
        "split": runs[0].scores["split"],
        "protocol": runs[0].scores["protocol"],
        "sessions": {corpus: len(moments) for corpus, moments in sessions.items()},
        "left_out": {corpus: max(left_out(run.participants, metrics)[corpus] for run in runs) for corpus in sessions},
        "label_variance_within": {
            corpus: label_variance_within([one for one in runs[0].participants if one.corpus == corpus])
            for corpus in sessions
        },
        "confidence": params.confidence,
        "by": {
            column: {value: _of_group(runs, params, metrics, set(keys)) for value, keys in values.items()}
            for column, values in (groups or {}).items()
        },
        "warnings": cautions(rows, intervals, metrics),
    }


def _of_group(
    runs: Sequence[RunResult], params: EvaluateParams, metrics: Mapping[str, Metric], keys: set[Key]
) -> dict[str, Any]:
    """Counts of the scored participants of a group, and the scores of each variant on them alone."""
    own = [replace(run, participants=tuple(one for one in run.participants if one.key in keys)) for run in runs]
    participants = own[0].participants
    compared = {
        name: _compare(own, params, name, metric, [GLOBAL])[0] for name, metric in with_session_mean(metrics).items()
    }
    return {
        "corpora": own[0].corpora,
        "sessions": len({(one.corpus, one.session) for one in participants}),
        "participants": len(participants),
        "frames": sum(one.frames for one in participants),
        "left_out": sum(left_out(participants, metrics).values()),
        "variants": {
            variant: join_metrics({name: scores[variant] for name, scores in compared.items()})
            for variant in next(iter(compared.values()))
        },
    }


def _compare(
    runs: Sequence[RunResult], params: EvaluateParams, name: str, metric: Metric, places: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Mean, spread and interval of each variant, and differences from the full model, by one metric.

    Without `places`, of each corpus and Global.
    """
    variants = list(dict.fromkeys(run.variant for run in runs))
    means: dict[str, dict[str, float | None]] = {variant: {} for variant in variants}
    spreads: dict[str, dict[str, float | None]] = {variant: {} for variant in variants}
    resampled: dict[str, dict[str, np.ndarray]] = {variant: {} for variant in variants}
    places = places or [*runs[0].corpora, GLOBAL]
    for variant in variants:
        for place in places:
            moments = [run.moments(name, metric, place) for run in runs if run.variant == variant]
            scores = [defined(global_score(metric, corpora)) for corpora in moments]
            means[variant][place] = mean(scores)
            spreads[variant][place] = _deviation(scores)
            resampled[variant][place] = np.mean(
                [resampled_scores(metric, corpora, params.bootstrap) for corpora in moments], axis=0
            )

    def interval(scores: np.ndarray, place: str) -> list[float | None]:
        ends = percentile_interval(scores, params.confidence, runs[0].moments(name, metric, place))
        return [defined(end) for end in ends]

    by_variant = {
        variant: {
            "mean": means[variant],
            "sd": spreads[variant],
            "interval": {place: interval(resampled[variant][place], place) for place in places},
        }
        for variant in variants
    }
    paired = {
        f"{FULL_MODEL} - {variant}": {
            place: {
                "difference": _difference(means[FULL_MODEL][place], means[variant][place]),
                "interval": interval(resampled[FULL_MODEL][place] - resampled[variant][place], place),
            }
            for place in places
        }
        for variant in variants
        if FULL_MODEL in variants and variant != FULL_MODEL
    }
    return by_variant, paired


def _check_same_sessions(runs: Sequence[RunResult]) -> None:
    """Refuse runs that were scored on different frames: their differences would not be paired."""
    first = runs[0]
    for run in runs[1:]:
        frames = run.frames
        keys = sorted(first.frames.keys() | frames.keys())
        differing = [key for key in keys if first.frames.get(key) != frames.get(key)]
        splits = [(one.scores["split"], one.scores["protocol"]) for one in (first, run)]
        if differing or splits[0] != splits[1]:
            where = "/".join(differing[0]) if differing else f"split {', '.join(splits[1])}"
            raise InputError(
                f"results/sessions/{run.name}.csv: scored on other frames than {first.name} ({where}); score both "
                f"again: dvc repro -f evaluate@{first.name} evaluate@{run.name}"
            )


def main_variant(comparison: Mapping[str, Any]) -> str:
    """The full model, or the first variant where the full model was not run."""
    return FULL_MODEL if FULL_MODEL in comparison["variants"] else next(iter(comparison["variants"]))


def run_names(comparison: Mapping[str, Any]) -> list[str]:
    """Runs of a comparison, by variant and seed."""
    return [f"{variant}-{seed}" for variant, row in comparison["variants"].items() for seed in row["seeds"]]


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of scores; None where one of them is undefined."""
    scores = list(values)
    known = [value for value in scores if value is not None]
    return float(np.mean(known)) if len(known) == len(scores) else None


def _deviation(values: Sequence[float | None]) -> float | None:
    """Standard deviation over seeds (n - 1); None for one seed, or where a score is undefined."""
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) == len(values) > 1 else None


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
