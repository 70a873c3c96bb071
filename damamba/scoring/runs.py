"""What the stage evaluate wrote about a run, read back."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import split_run
from damamba.console import InputError
from damamba.metrics import Metric
from damamba.scoring.by_session import session_moments_of
from damamba.scoring.layout import of_metric
from damamba.scoring.participants import ParticipantScore, read_participants
from damamba.scoring.pooling import GLOBAL, defined, global_score, stacked
from damamba.scoring.reading import read_json

FULL_MODEL = "da_mamba"
"""The variant that others are compared with."""

SLACK = 2e-4
"""By which a score may differ from that of the rows: both are rounded, and either may be of another machine."""


@dataclass(frozen=True)
class RunResult:
    """Scores of one run."""

    name: str
    variant: str
    seed: int
    scores: dict[str, Any]
    """As in ``scores/<name>.json``, rounded."""
    participants: tuple[ParticipantScore, ...]
    """Rows of ``sessions/<name>.csv``, exact enough for any further score."""

    @classmethod
    def read(cls, results: Path, name: str, variants: Mapping[str, Any], metrics: Mapping[str, Metric]) -> "RunResult":
        """Read a run.

        Raises:
            InputError: A file is missing or damaged, or lacks a metric.
        """
        scores = read_json(results / "scores" / f"{name}.json", f"dvc repro -f evaluate@{name}")
        participants = tuple(read_participants(results / "sessions" / f"{name}.csv", metrics, name))
        run = cls(name, *split_run(name, variants), scores, participants)
        run._check(results, metrics)
        return run

    def _check(self, results: Path, metrics: Mapping[str, Metric]) -> None:
        """Raise `InputError` where scores and participants do not fit each other: one of the files is damaged."""
        frames = Counter()
        for participant in self.participants:
            frames[participant.corpus] += participant.frames
        held = self.scores["frames"]
        wrong = [corpus for corpus in {**frames, **held} if frames[corpus] != held.get(corpus)]
        if not wrong:
            wrong = [place for name, metric in metrics.items() for place in self._other_scores(name, metric)]
        if wrong:
            raise InputError(
                f"{results / 'sessions' / self.name}.csv: its rows do not give the scores of {self.name}.json "
                f"({wrong[0]}); one of the two was changed: dvc repro -f evaluate@{self.name}"
            )

    def _other_scores(self, name: str, metric: Metric) -> Iterator[str]:
        """Corpora, and Global, whose score is not that of their rows."""
        for place in (*self.corpora, GLOBAL):
            score = defined(global_score(metric, self.moments(name, metric, place)))
            held = of_metric(self.scores, name)[place]
            near = None not in (score, held) and abs(score - held) <= SLACK * max(abs(held), 1)
            if not (near or score is held is None):
                yield place

    @property
    def corpora(self) -> list[str]:
        """Corpora that were scored, in their order."""
        return list(dict.fromkeys(one.corpus for one in self.participants))

    @property
    def frames(self) -> dict[tuple[str, str], int]:
        """(corpus, session) -> frames that were scored."""
        counts: dict[tuple[str, str], int] = {}
        for p in self.participants:
            counts[p.corpus, p.session] = counts.get((p.corpus, p.session), 0) + p.frames
        return counts

    def sessions(self, name: str, metric: Metric) -> dict[str, dict[str, np.ndarray]]:
        """Corpus -> session -> (K,) moments of a metric."""
        return session_moments_of(self.participants, name, metric)

    def moments(self, name: str, metric: Metric, place: str) -> list[np.ndarray]:
        """(sessions, K) moments of a corpus, or of each corpus for Global."""
        sessions = self.sessions(name, metric)
        return [stacked(sessions[corpus]) for corpus in (self.corpora if place == GLOBAL else [place])]

    def median_session(self, name: str, metric: Metric) -> tuple[str, str]:
        """(corpus, session) whose score is the median of the sessions with two participants, or of all without any.

        Of an even number, it is the lower of the two in the middle.
        """
        scores = {
            (corpus, session): float(metric.of_moments(moments))
            for corpus, sessions in self.sessions(name, metric).items()
            for session, moments in sessions.items()
        }
        sizes = Counter((p.corpus, p.session) for p in self.participants)
        dyads = {key: score for key, score in scores.items() if sizes[key] == 2} or scores
        known = {key: score for key, score in dyads.items() if not math.isnan(score)} or dyads
        return sorted(known, key=lambda key: known[key])[(len(known) - 1) // 2]
