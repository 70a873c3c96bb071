"""What the sources hold: sessions, hours and bytes, by headers and parameters alone; nothing is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from damamba.config import Params
from damamba.corpus.manifest import Participant, read_csv
from damamba.corpus.official import read_official
from damamba.media.glance import length_s

GIB = 2**30


@dataclass(frozen=True)
class Seat:
    """One participant of one session, as far as cost goes."""

    corpus: str
    session: str
    split: str
    seconds: float
    input_bytes: int
    """Of media and released streams; 0 where they are yet to be simulated."""
    simulated: bool = False
    filmed: bool = True
    """Whether there is a video."""
    labelled: bool = True
    widths: dict[str, int] = field(default_factory=dict, compare=False)
    """Channels of each released stream."""


@dataclass(frozen=True)
class Workload:
    """All seats."""

    seats: tuple[Seat, ...]

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

    def of(self, seats: Sequence[Seat]) -> "Workload":
        """A part."""
        return Workload(tuple(seats))

    @property
    def filmed(self) -> "Workload":
        """Seats with a video."""
        return self.of([seat for seat in self.seats if seat.filmed])

    @property
    def simulated(self) -> "Workload":
        """Seats that are made, not read."""
        return self.of([seat for seat in self.seats if seat.simulated])

    def width(self, stream: str) -> int | None:
        """Channels of a released stream; None where nobody has it."""
        return next((seat.widths[stream] for seat in self.seats if stream in seat.widths), None)


def planned(params: Params) -> Workload:
    """What the sources of params.yaml hold.

    Raises:
        InputError: A source cannot be read.
    """
    seats: list[Seat] = []
    if "simulate" in params.corpus.sources:
        from damamba_sim.corpora import plan_corpora

        seconds = params.simulate.minutes * 60
        seats += [
            Seat(
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
    """Length by the released streams: the median of what their headers say, of which one may be wrong."""
    lengths = sorted(stream.rows / stream.rate_hz for stream in participant.streams if stream.rows)
    return lengths[len(lengths) // 2] if lengths else 0.0


def input_bytes(participant: Participant, root: Path = Path()) -> int:
    """Size of media and released streams; `root` is the folder that their paths are relative to."""
    streams = [stream.path for stream in participant.streams if stream.path]
    names = {participant.video, participant.audio, *streams, *(f"{path}~" for path in streams)} - {""}
    return sum((root / name).stat().st_size for name in names if (root / name).is_file())


def _seat(p: Participant, seconds: float) -> Seat:
    widths = {stream.name: stream.width for stream in p.streams}
    about = p.corpus, p.session, p.split, seconds, input_bytes(p)
    return Seat(*about, filmed=bool(p.video), labelled=bool(p.label), widths=widths)
