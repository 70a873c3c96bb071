"""Source `simulate`: the built-in corpus, in the tree of files that the stage `simulate` writes (docs/simulator.md)."""

from collections.abc import Iterator
from pathlib import Path

from damamba.config import Section, SimulateParams
from damamba.console import InputError
from damamba.corpus.manifest_csv import read_csv
from damamba.corpus.release import EMPTY_SEATS, SEATS, SESSIONS, UNLABELLED_SEATS
from damamba.ingest.sources.base import PlannedSeat, Source, SourceListing

RAW = Path("data/raw")
MANIFEST = "manifest.csv"


class SimulateSourceParams(Section):
    """No settings under ``corpus.simulate``: those of the corpus are the section ``simulate``."""


class SimulateSource(Source[SimulateSourceParams]):
    """The built-in corpus."""

    Params = SimulateSourceParams

    def listing(self) -> SourceListing:
        """Participants of the simulator's manifest; raises `InputError` where it was not written yet."""
        if not (RAW / MANIFEST).is_file():
            raise InputError(f"{RAW / MANIFEST}: missing; make it: dvc repro simulate, or python stages/simulate.py")
        return SourceListing(read_csv(RAW, MANIFEST, "simulated"))

    def planned(self, simulate: SimulateParams) -> list[PlannedSeat]:
        """The participants that the simulator makes for these parameters, whether they are made already or not.

        Raises:
            InputError: Sessions of a split that the release does not have.
        """
        return [
            PlannedSeat(
                corpus,
                session,
                split,
                seconds=simulate.minutes * 60,
                input_bytes=0,
                simulated=True,
                filmed=not simulate.features_only,
                labelled=(corpus, session, role) not in UNLABELLED_SEATS,
            )
            for corpus, session, split, k in _sessions(simulate)
            for role in _roles(corpus, session, k)
        ]


def _sessions(simulate: SimulateParams) -> Iterator[tuple[str, str, str, int]]:
    """(corpus, session, split, number in the split) of every session; names of invented sessions contain ``+``."""
    for corpus, by_split in simulate.sessions.model_dump().items():
        for split, n in by_split.items():
            official = SESSIONS[corpus].get(split, ())
            if n and not official:
                raise InputError(
                    f"params.yaml: simulate.sessions.{corpus}.{split}: {n}, but the release has only "
                    f"{' and '.join(SESSIONS[corpus])}; set it to 0"
                )
            for k in range(n):
                yield corpus, official[k] if k < len(official) else f"{split}+{k - len(official)}", split, k


def _roles(corpus: str, session: str, k: int) -> list[str]:
    """Roles in a session. Groups of three lack the same role as in the release; every third invented group is one."""
    roles = SEATS[corpus]
    if corpus != "mpiigi":
        return list(roles)
    empty = EMPTY_SEATS.get(session, roles[0] if "+" in session and k % 3 == 0 else "")
    return [role for role in roles if role != empty]
