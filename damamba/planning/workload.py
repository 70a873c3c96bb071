"""The sessions, hours and bytes of all sources, from headers and parameters alone; nothing is decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from damamba.config import CONTINUOUS, CorpusParams, LabelParams, SimulateParams
from damamba.ingest.sources.base import PlannedSeat, open_sources

GIB = 2**30


@dataclass(frozen=True)
class Workload:
    """All participants of all sessions."""

    seats: tuple[PlannedSeat, ...]

    @cached_property
    def hours(self) -> float:
        """Participant-hours: an hour of a dyad is two."""
        return sum(seat.seconds for seat in self.seats) / 3600

    @cached_property
    def gib(self) -> float:
        """Size of media and released streams."""
        return sum(seat.input_bytes for seat in self.seats) / GIB

    @cached_property
    def sessions(self) -> int:
        """Number of sessions."""
        return len({(seat.corpus, seat.session) for seat in self.seats})

    def where(self, condition: Callable[[PlannedSeat], bool]) -> "Workload":
        """The seats that meet a condition."""
        return Workload(tuple(seat for seat in self.seats if condition(seat)))

    @property
    def filmed(self) -> "Workload":
        """Seats with a video."""
        return self.where(lambda seat: seat.filmed)

    @property
    def simulated(self) -> "Workload":
        """Seats that are simulated rather than read."""
        return self.where(lambda seat: seat.simulated)

    def width(self, stream: str) -> int | None:
        """Channels of a released stream; None where no participant has it."""
        return next((seat.widths[stream] for seat in self.seats if stream in seat.widths), None)


def planned(corpus: CorpusParams, simulate: SimulateParams, labels: LabelParams = CONTINUOUS) -> Workload:
    """The workload of all sources.

    Args:
        corpus: Names the sources and has their settings.
        simulate: The built-in corpus, whose sessions may not exist yet.
        labels: Their kind.

    Raises:
        InputError: A source cannot be read.
    """
    sources = open_sources(corpus, labels).values()
    return Workload(tuple(seat for source in sources for seat in source.planned(simulate)))
