"""The three corpora: sessions, splits, languages and people, in the trees and names of the challenge's release.

Everything about a session follows from the corpus' seed and the session's own number, so that one session more or
less changes no other.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from damamba.config import SimulateParams
from damamba.console import InputError
from damamba.corpus.manifest_csv import COLUMNS
from damamba.corpus.release import EMPTY_SEATS, SESSIONS, UNLABELLED_SEATS
from damamba.files import whole_file
from damamba_sim.behaviour.channels import stream_names
from damamba_sim.behaviour.conversation import Conversation, Standing, converse
from damamba_sim.behaviour.scene import LAWS, Law
from damamba_sim.faces.actor import ALIGNMENT_PX
from damamba_sim.voices.speech import LANGUAGES

ENCODER_SEEDS = range(900_000, 1_000_000)
"""Persons reserved for training compact encoders; none of them is in a corpus."""
PERSONS = 99_991  # of a corpus; a prime, so that `_scatter` meets each once
SHORTEST_MIN = 0.05
SMALLEST_PX = 64
HALTON_BASES = (2, 3, 5, 7, 11)
SEATS_MAX = 4
BALANCED_AFTER = (3, 4, 6, 10)
"""Numbers of sessions at which a split should be balanced."""
BALANCE_WEIGHT = np.outer((1, 1, 1, 0.3, 0.3), (1, 1, 1, 0.3, 0.3))
"""The first two seats are in every session."""
MOST_SESSIONS = 2000  # of a split; more would run out of persons
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Release:
    """How a corpus is released."""

    folders: dict[str, str]
    """Split to folder; other splits do not exist."""
    sessions: dict[str, tuple[str, ...]]
    """Split to the official session numbers."""
    group: bool
    """Groups of three or four before one room microphone; else dyads with a microphone each."""
    level: float = 0.0
    """People are more engaged than those of NoXi by this, logits."""


RELEASES = {
    "noxi": Release(
        folders={"train": "noxi/train", "val": "noxi/val", "test": "noxi/test-base"},
        sessions=SESSIONS["noxi"],
        group=False,
    ),
    "noxi_add": Release(
        folders={"test": "noxi/test-additional"},
        sessions=SESSIONS["noxi_add"],
        group=False,
        level=-0.2,
    ),
    "mpiigi": Release(
        folders={"val": "mpiigroupinteraction/val", "test": "mpiigroupinteraction/test"},
        sessions=SESSIONS["mpiigi"],
        group=True,
        level=0.2,
    ),
}
FIRST_FREE_NUMBER = 201  # NoXi-J goes to 150


@dataclass(frozen=True)
class Member:
    """Somebody in a session."""

    participant: str
    """Role or seat: the first part of the file names."""
    person: str
    seed: int
    """Of looks and voice."""
    labelled: bool
    number: int
    """Among the participants of the corpus; decides who is filmed with which flaw."""


@dataclass(frozen=True)
class SessionPlan:
    """All that a session follows from, besides the common parameters."""

    corpus: str
    session: str
    split: str
    language: str
    folder: str
    """Below the raw data, as in the release."""
    seed: int
    """Of behaviour, wording and annotation."""
    shared_microphone: bool
    members: tuple[Member, ...]
    standing: Standing
    law: Law

    @property
    def name(self) -> str:
        """corpus/session."""
        return f"{self.corpus}/{self.session}"

    def converse(self, minutes: float) -> Conversation:
        """What happens in it."""
        roles = [member.participant for member in self.members]
        return converse(self.seed, len(roles), minutes, self.language, roles, self.law, self.standing)

    def path(self, participant: str, what: str) -> str:
        """A participant's file below the raw data, such as ``noxi/train/001/expert.audio.wav``."""
        return f"{self.folder}/{participant}.{what}"


def plan_corpora(params: SimulateParams) -> list[SessionPlan]:
    """All sessions, by corpus and split.

    Raises:
        InputError: Parameters that make no corpus.
    """
    problems = list(_problems(params))
    if problems:
        raise InputError("\n".join(problems))
    return [
        _plan(params, corpus, split, k)
        for corpus in RELEASES
        for split in RELEASES[corpus].folders
        for k in range(_asked(params, corpus, split))
    ]


def write_manifest(plans: Iterable[SessionPlan], path: Path, features_only: bool) -> None:
    """One row a participant; paths are relative to the manifest's folder, "" for the label of who has none.

    With `features_only` rows name streams in place of media.
    """
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("corpus", *COLUMNS, "streams"))
        for plan in plans:
            for member in plan.members:
                role = member.participant
                label = plan.path(role, "engagement.annotation.csv") if member.labelled else ""
                media = [plan.path(role, "video.mp4"), plan.path(role, "audio.wav")]
                streams = []
                if features_only:
                    media, streams = ["", ""], [f"{plan.folder}/{name}" for name in stream_names(role).values()]
                about = plan.session, role, role, plan.split, plan.language, member.person
                rows.writerow((plan.corpus, *about, *media, label, ";".join(streams)))


def _asked(params: SimulateParams, corpus: str, split: str) -> int:
    return getattr(getattr(params.sessions, corpus), split)


def _problems(params: SimulateParams) -> Iterator[str]:
    if params.minutes < SHORTEST_MIN:
        yield f"params.yaml: simulate.minutes: {params.minutes:g} is too short; use at least {SHORTEST_MIN} (3 s)"
    if any(side < SMALLEST_PX or side % ALIGNMENT_PX for side in params.resolution):
        width, height = params.resolution
        yield (
            f"params.yaml: simulate.resolution: {width} x {height}; "
            f"use multiples of {ALIGNMENT_PX} from {SMALLEST_PX} on"
        )
    if not 1 <= params.fps <= 120:
        yield f"params.yaml: simulate.fps: {params.fps:g} is no rate of a video; use 1 to 120"
    total = 0
    for corpus, release in RELEASES.items():
        for split in SPLITS:
            n = _asked(params, corpus, split)
            where = f"params.yaml: simulate.sessions.{corpus}.{split}"
            total += n
            if n > MOST_SESSIONS:
                yield f"{where}: {n} sessions, but persons are left for {MOST_SESSIONS} at most, each met once"
            if n and split not in release.folders:
                yield f"{where}: {n}, but the release has only {' and '.join(release.folders)}; set it to 0"
        yield from _language_problems(f"params.yaml: simulate.languages.{corpus}", getattr(params.languages, corpus))
    if not total:
        names = ", ".join(RELEASES)
        yield f"params.yaml: simulate.sessions: none; set one of {names} above 0, or corpus.sources to [folder]"


def _language_problems(where: str, codes: tuple[str, ...]) -> Iterator[str]:
    if not codes:
        yield f"{where}: none; name at least one of {', '.join(LANGUAGES)}"
    for code in codes:
        if code not in LANGUAGES:
            yield f"{where}: nobody speaks {code!r}; there are {', '.join(LANGUAGES)}"


def _plan(params: SimulateParams, corpus: str, split: str, k: int) -> SessionPlan:
    """The k-th session of a split."""
    seed, release = params.seed, RELEASES[corpus]
    official = release.sessions[split]
    slot = list(RELEASES).index(corpus) * len(SPLITS) + SPLITS.index(split)
    # numbers of different splits interleave, so that they never meet however many are asked for
    beyond = FIRST_FREE_NUMBER + len(RELEASES) * len(SPLITS) * (k - len(official)) + slot
    session = official[k] if k < len(official) else str(beyond)
    participants = _participants(release, session, k)
    return SessionPlan(
        corpus=corpus,
        session=session,
        split=split,
        language=_language(seed, slot, k, getattr(params.languages, corpus)),
        folder=f"{release.folders[split]}/{session}",
        seed=int(np.random.SeedSequence((seed, slot, int(session))).generate_state(1)[0]),
        shared_microphone=release.group,
        members=tuple(
            _member(seed, corpus, session, participant, seat, SEATS_MAX * k + seat + slot)
            for seat, participant in enumerate(participants)
        ),
        standing=_standing(seed, slot, k, len(participants)),
        law=_law(params, release),
    )


def _law(params: SimulateParams, release: Release) -> Law:
    law = LAWS[params.law]
    return replace(law, level=law.level + release.level, timing=params.timing, shared=params.shared)


def _language(seed: int, slot: int, k: int, languages: tuple[str, ...]) -> str:
    """Each in turn, in an order that is drawn anew every round, so that no rhythm ties it to `_standing`."""
    round_, at = divmod(k, len(languages))
    return languages[np.random.default_rng((seed, slot, round_, 8)).permutation(len(languages))[at]]


def _participants(release: Release, session: str, k: int) -> list[str]:
    if not release.group:
        return ["expert", "novice"]
    made_up = "subjectPos1" if int(session) >= FIRST_FREE_NUMBER and k % 3 == 0 else ""
    empty = EMPTY_SEATS.get(session, made_up)
    return [seat for seat in (f"subjectPos{i}" for i in range(1, 5)) if seat != empty]


def _member(seed: int, corpus: str, session: str, participant: str, seat: int, number: int) -> Member:
    index = SEATS_MAX * int(session) + seat
    assert index < PERSONS
    corpus_seed = 1_000_000 * (1 + seed) + PERSONS * list(RELEASES).index(corpus)
    person_seed = corpus_seed + _scatter(index)
    assert person_seed not in ENCODER_SEEDS
    return Member(
        participant=participant,
        person=f"{corpus.replace('_', '-')}-p{index:03d}",
        seed=person_seed,
        labelled=(corpus, session, participant) not in UNLABELLED_SEATS,
        number=number,
    )


def _scatter(index: int) -> int:
    """A permutation of 0 .. PERSONS - 1: neighbouring numbers lose their common residues, each stays unique."""
    return index * 48_271 % PERSONS


def _standing(seed: int, slot: int, k: int, people: int) -> Standing:
    """Quota of mood and engagement, point k of a shifted Halton sequence: few sessions already cover the range."""
    point = (_halton(k) + _shift(seed, slot)) % 1
    return Standing(engagement=tuple(point[1 : 1 + people].tolist()), mood=float(point[0]))


@cache
def _shift(seed: int, slot: int) -> np.ndarray:
    """Of many random shifts that one whose first sessions are most balanced: centred, spread out, uncorrelated.

    A plan as of a designed experiment: with three or four sessions, chance alone would often give the same
    engagement to all, or tie it to the mood.
    """
    shifts = np.random.default_rng((seed, slot, 7)).uniform(size=(400, 1 + SEATS_MAX))
    points = np.stack([_halton(k) for k in range(max(BALANCED_AFTER))])
    centred = ((points + shifts[:, None]) % 1 - 0.5) * np.sqrt(12)  # variance 1 where uniform
    score = np.zeros(len(shifts))
    for n in BALANCED_AFTER:
        first = centred[:, :n]
        moments = first.transpose(0, 2, 1) @ first / n
        score += ((moments - np.eye(1 + SEATS_MAX)) ** 2 * BALANCE_WEIGHT).sum((1, 2)) + (first.mean(1) ** 2).sum(1)
    return shifts[int(score.argmin())]


def _halton(k: int) -> np.ndarray:
    """Point k, (5,) in [0, 1): mood, then seats."""
    return np.array([_radical_inverse(k + 1, base) for base in HALTON_BASES])


def _radical_inverse(index: int, base: int) -> float:
    """Digits of `index` mirrored at the point, in [0, 1)."""
    scale, value = 1.0, 0.0
    while index:
        scale /= base
        value += scale * (index % base)
        index //= base
    return value
