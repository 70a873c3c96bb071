"""The known answer of the built-in corpus: what readers of the true channels reach, with and without parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from damamba.config import LABEL_RATE_HZ, PositiveFloat, Section, SimulatedSessions, SimulateParams
from damamba_sim.behaviour.annotators import annotate
from damamba_sim.corpora import SessionPlan, plan_corpora
from damamba_sim.oracle.readers import Readings, chance, linear, nonlinear, score
from damamba_sim.oracle.statistics import SESSION, Statistic, statistics

READERS = {"linear": linear, "nonlinear": nonlinear}
TRAINED_ON = {"noxi": ("noxi", "train"), "noxi_add": ("noxi", "train"), "mpiigi": ("mpiigi", "val")}
"""MPIIGI has no training split: groups are learnt from its validation sessions, whose people are others."""
CONTEXTS_S = (1.0, 4.0, 15.0, 60.0)


class OracleParams(Section):
    """oracle.yaml of the study; the rest is `simulate` of params.yaml."""

    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    """Of the generator."""
    every_s: PositiveFloat
    """A session is read this often."""
    sessions: SimulatedSessions


@dataclass(frozen=True)
class View:
    """Which statistics a reader may use."""

    name: str
    sees: Callable[[Statistic], bool]


VIEWS = (
    View("ceiling", lambda s: True),
    View("target_only", lambda s: s.who == "target"),
    View("audio_only", lambda s: s.sense == "audio"),
    View("visual_only", lambda s: s.sense == "visual"),
    *(View(f"context_{c:g}", lambda s, c=c: s.window_s != SESSION and s.window_s <= c) for c in CONTEXTS_S),
)
WITHOUT_CONTINGENCY = ("ceiling", "target_only")


@dataclass(frozen=True)
class Session:
    """A described session; travels from a worker."""

    corpus: str
    split: str
    x: np.ndarray
    """(P, K, statistics)."""
    y: np.ndarray
    """(P, K), NaN where nobody labelled."""
    columns: tuple[Statistic, ...]


@dataclass(frozen=True)
class Task:
    """A session to simulate and describe."""

    plan: SessionPlan
    minutes: float
    every_s: float


def describe(task: Task) -> Session:
    """Simulate a session and describe it every so many seconds."""
    plan = task.plan
    conversation = plan.converse(task.minutes)
    step = round(task.every_s * LABEL_RATE_HZ)
    at = np.arange(step // 2, conversation.engagement.shape[1], step)
    x, columns = statistics(conversation.channels, at)
    y = np.full(x.shape[:2], np.nan)
    for seat, member in enumerate(plan.members):
        value, valid = annotate(np.random.default_rng((plan.seed, 4, seat)), conversation.engagement[seat])
        if member.labelled:
            y[seat] = np.where(valid, value, np.nan)[at]
    return Session(plan.corpus, plan.split, x, y, tuple(columns))


def answer(
    simulate: SimulateParams,
    oracle: OracleParams,
    run: Callable[[Callable[[Task], Session], Sequence[Task], str], list[Session]],
) -> dict[str, Any]:
    """What ``results/oracle.json`` holds: means over the seeds of the generator, of both readers, by corpus.

    Args:
        simulate: Sessions, minutes, law.
        oracle: Seeds of the generator, and how often a session is read.
        run: Does the tasks, in parallel or not; the last argument is a title.
    """
    found = [_of_seed(simulate, seed, oracle, run) for seed in oracle.seeds]
    corpora = list(found[0])
    return {
        "simulated": True,
        "seeds": list(oracle.seeds),
        "minutes": simulate.minutes,
        "sessions": {c: found[0][c]["sessions"] for c in corpora},
        **{corpus: _summary([seed[corpus] for seed in found]) for corpus in corpora},
    }


def _of_seed(simulate: SimulateParams, seed: int, oracle: OracleParams, run: Callable) -> dict[str, Any]:
    """Scores of every reader and view, by corpus."""
    sessions = {}
    for timing in dict.fromkeys((simulate.timing, 0.0)):
        changed = {"seed": seed, "timing": timing, "sessions": oracle.sessions}
        plans = plan_corpora(simulate.model_copy(update=changed))
        tasks = [Task(plan, simulate.minutes, oracle.every_s) for plan in plans]
        sessions[timing] = run(describe, tasks, f"oracle {seed}, contingency {timing:g}")
    full, without = sessions[simulate.timing], sessions[0.0]
    scores: dict[str, Any] = {}
    for corpus, (source, split) in TRAINED_ON.items():
        train, test = ([s for s in full if (s.corpus, s.split) == of] for of in ((source, split), (corpus, "test")))
        if not train or not test:
            continue
        held: dict[str, Any] = {"sessions": {"train": len(train), "test": len(test)}}
        for name, reader in READERS.items():
            reached: dict[str, float] = {}
            for view in VIEWS:
                told, asked = _read(reader, full, view, (source, split), corpus)
                reached[view.name] = score(told, asked)
                if view.name == "ceiling":
                    reached["chance"] = chance(told, asked)
                if view.name in WITHOUT_CONTINGENCY:
                    reached[f"no_contingency_{view.name}"] = score(
                        *_read(reader, without, view, (source, split), corpus)
                    )
            held[name] = reached
        scores[corpus] = held
    return scores


def _read(
    reader: Callable[[Readings, Readings], np.ndarray],
    sessions: Sequence[Session],
    view: View,
    trained_on: tuple[str, str],
    corpus: str,
) -> tuple[np.ndarray, Readings]:
    columns = np.array([view.sees(s) for s in sessions[0].columns])

    def readings(of: tuple[str, str]) -> Readings:
        return Readings.join([(s.x[..., columns], s.y) for s in sessions if (s.corpus, s.split) == of])

    asked = readings((corpus, "test"))
    return reader(readings(trained_on), asked), asked


def _summary(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds; the headline is the linear reader's."""

    def shaped(values: dict[str, float]) -> dict[str, Any]:
        whole: dict[str, Any] = {"context_s": {}, "no_contingency": {}}
        for name, value in values.items():
            if name.startswith("context_"):
                whole["context_s"][name.removeprefix("context_")] = round(value, 4)
            elif name.startswith("no_contingency_"):
                whole["no_contingency"][name.removeprefix("no_contingency_")] = round(value, 4)
            else:
                whole[name] = round(value, 4)
        return whole

    def over(reader: str, function: Callable[[list[float]], float]) -> dict[str, Any]:
        return shaped({name: function([seed[reader][name] for seed in seeds]) for name in seeds[0][reader]})

    return {
        **over("linear", fmean),
        "spread": over("linear", stdev) if len(seeds) > 1 else None,
        "readers": {name: over(name, fmean) for name in READERS},
        "by_seed": [{name: shaped(seed[name]) for name in READERS} for seed in seeds],
    }
