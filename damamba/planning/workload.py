"""The sessions, hours and bytes of all sources, from headers and parameters alone; nothing is decoded."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from damamba.config import Params
from damamba.corpus.manifest import Participant, read_csv
from damamba.corpus.official import read_official
from damamba.media.glance import length_s

GIB = 2**30


@dataclass(frozen=True)
class PlannedSeat:
    """What one participant of one session contributes to the costs."""

    corpus: str
    session: str
    split: str
    seconds: float
    input_bytes: int
    """Size of media and released streams; 0 where they have yet to be simulated."""
    simulated: bool = False
    filmed: bool = True
    """Whether the participant has a video."""
    labelled: bool = True
    widths: dict[str, int] = field(default_factory=dict, compare=False)
    """Channels of each released stream."""


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


def planned(params: Params) -> Workload:
    """The workload of the sources in params.yaml.

    Raises:
        InputError: A source cannot be read.
    """
    seats: list[PlannedSeat] = []
    if "simulate" in params.corpus.sources:
        from damamba_sim.corpora import plan_corpora

        seconds = params.simulate.minutes * 60
        seats += [
            PlannedSeat(
                plan.corpus,
                plan.session,
                plan.split,
                seconds,
                0,
                simulated=True,
                filmed=not params.simulate.features_only,
                labelled=member.labelled,
            )
            for plan in plan_corpora(params.simulate)
            for member in plan.members
        ]
    if "folder" in params.corpus.sources:
        folder = params.corpus.folder
        for p in read_csv(Path(folder.root), folder.manifest, "own"):
            seats.append(_seat(p, length_s(Path(p.video))))
    if "official" in params.corpus.sources:
        seats += [_seat(p, released_s(p)) for p in read_official(params.corpus.official)[0]]
    return Workload(tuple(seats))


def released_s(participant: Participant) -> float:
    """Length according to the released streams: the median over their headers, since a single one may be wrong."""
    lengths = sorted(stream.rows / stream.rate_hz for stream in participant.streams if stream.rows)
    return lengths[len(lengths) // 2] if lengths else 0.0


def input_bytes(participant: Participant, root: Path = Path()) -> int:
    """Size of media and released streams; their paths are relative to `root`."""
    streams = [stream.path for stream in participant.streams if stream.path]
    names = {participant.video, participant.audio, *streams, *(f"{path}~" for path in streams)} - {""}
    return sum((root / name).stat().st_size for name in names if (root / name).is_file())


def _seat(p: Participant, seconds: float) -> PlannedSeat:
    widths = {stream.name: stream.width for stream in p.streams}
    about = p.corpus, p.session, p.split, seconds, input_bytes(p)
    return PlannedSeat(*about, filmed=bool(p.video), labelled=bool(p.label), widths=widths)
