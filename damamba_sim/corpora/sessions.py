"""The sessions of all corpora, planned from the parameters.

Everything about a session follows from the seed of the corpora and the session's own number, so adding or removing a
session changes no other.
"""

import numpy as np

from damamba.config import SimulateParams
from damamba.console import InputError
from damamba.corpus.release import EMPTY_SEATS
from damamba_sim.behaviour.scene import Law
from damamba_sim.corpora.checks import problems_of, session_count
from damamba_sim.corpora.persons import member
from damamba_sim.corpora.plan import SessionPlan
from damamba_sim.corpora.quantiles import session_quantiles
from damamba_sim.corpora.releases import FIRST_FREE_NUMBER, MAX_PEOPLE, RELEASES, SPLITS, CorpusRelease


def plan_corpora(params: SimulateParams) -> list[SessionPlan]:
    """All sessions, by corpus and split.

    Raises:
        InputError: Parameters from which no corpus can be made; one line for each.
    """
    problems = list(problems_of(params))
    if problems:
        raise InputError("\n".join(problems))
    return [
        _plan(params, corpus, split, k)
        for corpus in RELEASES
        for split in RELEASES[corpus].folders
        for k in range(session_count(params, corpus, split))
    ]


def _plan(params: SimulateParams, corpus: str, split: str, k: int) -> SessionPlan:
    """The k-th session of a split."""
    seed, release = params.seed, RELEASES[corpus]
    official = release.sessions[split]
    split_number = list(RELEASES).index(corpus) * len(SPLITS) + SPLITS.index(split)
    # beyond the official numbers, those of different splits interleave: they never collide, however many there are
    beyond = FIRST_FREE_NUMBER + len(RELEASES) * len(SPLITS) * (k - len(official)) + split_number
    session = official[k] if k < len(official) else str(beyond)
    participants = _participants(release, session, k)
    return SessionPlan(
        corpus=corpus,
        session=session,
        split=split,
        language=_language(seed, split_number, k, getattr(params.languages, corpus)),
        folder=f"{release.folders[split]}/{session}",
        seed=int(np.random.SeedSequence((seed, split_number, int(session))).generate_state(1)[0]),
        shared_microphone=release.group,
        members=tuple(
            member(seed, corpus, session, participant, seat, MAX_PEOPLE * k + seat + split_number)
            for seat, participant in enumerate(participants)
        ),
        quantiles=session_quantiles(seed, split_number, k, len(participants)),
        law=_law(params, release),
    )


def _law(params: SimulateParams, release: CorpusRelease) -> Law:
    return Law(level=release.level, timing=params.timing, shared=params.shared)


def _language(seed: int, split_number: int, k: int, languages: tuple[str, ...]) -> str:
    """Each language in turn, in an order drawn anew every round: a fixed one could correlate with the quantiles."""
    round_number, at = divmod(k, len(languages))
    order = np.random.default_rng((seed, split_number, round_number, 8)).permutation(len(languages))
    return languages[order[at]]


def _participants(release: CorpusRelease, session: str, k: int) -> list[str]:
    if not release.group:
        return ["expert", "novice"]
    made_up = "subjectPos1" if int(session) >= FIRST_FREE_NUMBER and k % 3 == 0 else ""
    empty = EMPTY_SEATS.get(session, made_up)
    return [seat for seat in (f"subjectPos{i}" for i in range(1, MAX_PEOPLE + 1)) if seat != empty]
