"""Scores of readers of the true channels: with all of them (the ceiling) and with parts of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from damamba.config import LABEL_RATE_HZ, PositiveFloat, Section, SimulatedSessions, SimulateParams
from damamba_sim.corpora.plan import SessionPlan
from damamba_sim.corpora.sessions import plan_corpora
from damamba_sim.oracle.readers import Examples, Score, chance, linear, nonlinear
from damamba_sim.oracle.statistics import SESSION, Statistic, statistics
from damamba_sim.recording.annotation import labels_of

READERS = {"linear": linear, "nonlinear": nonlinear}
TRAINED_ON = {"noxi": ("noxi", "train"), "noxi_add": ("noxi", "train"), "mpiigi": ("mpiigi", "val")}
"""Corpus: the corpus and split on which its readers are fitted. MPIIGI has no training split, only a validation split,
whose people are not in its test split."""
CONTEXTS_S = (1.0, 4.0, 15.0, 60.0)


class OracleParams(Section):
    """oracle.yaml of the study; the other parameters are `simulate` of params.yaml."""

    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    """Seeds of the generator."""
    every_s: PositiveFloat
    """Time between two rows of statistics."""
    sessions: SimulatedSessions


@dataclass(frozen=True)
class View:
    """Which statistics a reader may use."""

    name: str
    contains: Callable[[Statistic], bool]


VIEWS = (
    View("ceiling", lambda s: True),
    View("target_only", lambda s: s.who == "target"),
    View("audio_only", lambda s: s.sense == "audio"),
    View("visual_only", lambda s: s.sense == "visual"),
    *(View(f"context_{c:g}", lambda s, c=c: s.window_s != SESSION and s.window_s <= c) for c in CONTEXTS_S),
)
WITHOUT_CONTINGENCY = ("ceiling", "target_only")
"""Views that are also scored on a corpus in which engagement does not decide where responses come."""


@dataclass(frozen=True)
class DescribedSession:
    """Statistics and labels of a session."""

    corpus: str
    split: str
    x: np.ndarray
    """(P, K, statistics)."""
    y: np.ndarray
    """(P, K), NaN where there is no label."""
    columns: tuple[Statistic, ...]


@dataclass(frozen=True)
class DescriptionTask:
    """A session to simulate and describe."""

    plan: SessionPlan
    minutes: float
    every_s: float


Run = Callable[[Callable[[DescriptionTask], DescribedSession], Sequence[DescriptionTask], str], list[DescribedSession]]
"""Runs a function on all tasks, in parallel or not; the last argument is a title."""


def describe(task: DescriptionTask) -> DescribedSession:
    """Simulate a session and describe it every `every_s` seconds."""
    plan = task.plan
    conversation = plan.converse(task.minutes)
    step = round(task.every_s * LABEL_RATE_HZ)
    at = np.arange(step // 2, conversation.engagement.shape[1], step)
    x, columns = statistics(conversation.channels, at)
    y = np.full(x.shape[:2], np.nan)
    for seat, member in enumerate(plan.members):
        if member.labelled:
            value, valid = labels_of(plan, seat, conversation.engagement[seat])
            y[seat] = np.where(valid, value, np.nan)[at]
    return DescribedSession(plan.corpus, plan.split, x, y, tuple(columns))


def oracle_results(
    simulate: SimulateParams, oracle: OracleParams, scores: Mapping[str, Score], run: Run
) -> dict[str, Any]:
    """Content of ``oracle.json``: scores of both readers by corpus, measure and view, as means over the seeds.

    Args:
        simulate: Minutes of the sessions, and how much they tell.
        oracle: Seeds of the generator, numbers of sessions, and how often a session is described.
        scores: Measures of agreement by name, such as CCC. Values of the first stand at the top of each corpus, those
            of the others under their names.
        run: Runs the tasks.
    """
    by_seed = [_scores_of_seed(simulate, seed, oracle, scores, run) for seed in oracle.seeds]
    corpora = list(by_seed[0])

    def of_corpus(corpus: str) -> dict[str, Any]:
        first, *others = (_summary([seed[corpus][measure] for seed in by_seed]) for measure in scores)
        return first | dict(zip(list(scores)[1:], others, strict=True))

    return {
        "simulated": True,
        "seeds": list(oracle.seeds),
        "minutes": simulate.minutes,
        "sessions": {c: by_seed[0][c]["sessions"] for c in corpora},
        **{corpus: of_corpus(corpus) for corpus in corpora},
    }


def _scores_of_seed(
    simulate: SimulateParams, seed: int, oracle: OracleParams, scores: Mapping[str, Score], run: Run
) -> dict[str, Any]:
    """Scores by corpus, measure, reader and view."""
    described = {}
    for timing in dict.fromkeys((simulate.timing, 0.0)):
        changed = {"seed": seed, "timing": timing, "sessions": oracle.sessions}
        plans = plan_corpora(simulate.model_copy(update=changed))
        tasks = [DescriptionTask(plan, simulate.minutes, oracle.every_s) for plan in plans]
        described[timing] = run(describe, tasks, f"oracle {seed}, contingency {timing:g}")
    full, without_contingency = described[simulate.timing], described[0.0]
    results: dict[str, Any] = {}
    for corpus, trained_on in TRAINED_ON.items():
        train, test = ([s for s in full if (s.corpus, s.split) == of] for of in (trained_on, (corpus, "test")))
        if not train or not test:
            continue
        results[corpus] = {"sessions": {"train": len(train), "test": len(test)}}
        results[corpus] |= {measure: {name: {} for name in READERS} for measure in scores}
        for name, reader in READERS.items():
            for view in VIEWS:
                predicted, examples = _read(reader, full, view, trained_on, corpus)
                for measure, score in scores.items():
                    results[corpus][measure][name][view.name] = score(predicted, examples.y, examples.seat)
                    if view.name == "ceiling":
                        results[corpus][measure][name]["chance"] = chance(predicted, examples, score)
                if view.name in WITHOUT_CONTINGENCY:
                    predicted, examples = _read(reader, without_contingency, view, trained_on, corpus)
                    for measure, score in scores.items():
                        value = score(predicted, examples.y, examples.seat)
                        results[corpus][measure][name][f"no_contingency_{view.name}"] = value
    return results


def _read(
    reader: Callable[[Examples, Examples], np.ndarray],
    sessions: Sequence[DescribedSession],
    view: View,
    trained_on: tuple[str, str],
    corpus: str,
) -> tuple[np.ndarray, Examples]:
    """Predictions for the test split of a corpus, and its examples."""
    columns = np.array([view.contains(s) for s in sessions[0].columns])

    def examples(of: tuple[str, str]) -> Examples:
        return Examples.join([(s.x[..., columns], s.y) for s in sessions if (s.corpus, s.split) == of])

    test = examples((corpus, "test"))
    return reader(examples(trained_on), test), test


def _summary(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds; those of the linear reader are also at the top level."""

    def nested(scores: dict[str, float]) -> dict[str, Any]:
        whole: dict[str, Any] = {"context_s": {}, "no_contingency": {}}
        for name, value in scores.items():
            if name.startswith("context_"):
                whole["context_s"][name.removeprefix("context_")] = round(value, 4)
            elif name.startswith("no_contingency_"):
                whole["no_contingency"][name.removeprefix("no_contingency_")] = round(value, 4)
            else:
                whole[name] = round(value, 4)
        return whole

    def over(reader: str, function: Callable[[list[float]], float]) -> dict[str, Any]:
        return nested({name: function([seed[reader][name] for seed in seeds]) for name in seeds[0][reader]})

    return {
        **over("linear", fmean),
        "spread": over("linear", stdev) if len(seeds) > 1 else None,
        "readers": {name: over(name, fmean) for name in READERS},
        "by_seed": [{name: nested(seed[name]) for name in READERS} for seed in seeds],
    }
