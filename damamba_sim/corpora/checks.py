"""Checks of the parameters from which corpora are planned."""

from collections.abc import Iterator

from damamba.config import SimulateParams
from damamba_sim.behaviour.scene import MANNERS
from damamba_sim.corpora.persons import MAX_SESSIONS
from damamba_sim.corpora.releases import RELEASES, SPLITS

SHORTEST_MIN = 0.05


def problems_of(params: SimulateParams) -> Iterator[str]:
    """One complete line for each parameter that cannot be used."""
    if params.minutes < SHORTEST_MIN:
        yield f"params.yaml: simulate.minutes: {params.minutes:g} is too short; use at least {SHORTEST_MIN} (3 s)"
    total = 0
    for corpus, release in RELEASES.items():
        for split in SPLITS:
            n = session_count(params, corpus, split)
            where = f"params.yaml: simulate.sessions.{corpus}.{split}"
            total += n
            if n > MAX_SESSIONS:
                yield f"{where}: {n} sessions, but there are only enough persons for {MAX_SESSIONS}; use fewer"
            if n and split not in release.folders:
                yield f"{where}: {n}, but the release has only {' and '.join(release.folders)}; set it to 0"
        yield from _language_problems(f"params.yaml: simulate.languages.{corpus}", getattr(params.languages, corpus))
    if not total:
        names = ", ".join(RELEASES)
        yield f"params.yaml: simulate.sessions: none; set one of {names} above 0, or corpus.sources to [folder]"


def session_count(params: SimulateParams, corpus: str, split: str) -> int:
    """Number of sessions of a split, from the parameters."""
    return getattr(getattr(params.sessions, corpus), split)


def _language_problems(where: str, codes: tuple[str, ...]) -> Iterator[str]:
    if not codes:
        yield f"{where}: none; name at least one of {', '.join(MANNERS)}"
    for code in codes:
        if code not in MANNERS:
            yield f"{where}: unknown language {code!r}; use some of {', '.join(MANNERS)}"
