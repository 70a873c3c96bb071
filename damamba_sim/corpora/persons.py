"""Who is in a session: everyone appears in one session only, and no one was used to train an encoder."""

from damamba.corpus.release import UNLABELLED_SEATS
from damamba_sim.corpora.plan import Member
from damamba_sim.corpora.releases import MAX_PEOPLE, RELEASES

ENCODER_SEEDS = range(900_000, 1_000_000)
"""Seeds of the persons on whom the compact encoders are trained; no corpus contains them."""
PERSONS = 99_991
"""Persons of a corpus; a prime, so that `_scatter` is a permutation."""
MAX_SESSIONS = 2000
"""Most sessions of a split; with more, a corpus would run out of persons."""


def member(seed: int, corpus: str, session: str, participant: str, seat: int, number: int) -> Member:
    """The participant in one seat of a session; `seed` is that of all corpora."""
    index = MAX_PEOPLE * int(session) + seat
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
    """A permutation of 0 .. PERSONS - 1, after which neighbouring numbers have no common residues."""
    return index * 48_271 % PERSONS
