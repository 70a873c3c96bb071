"""Base class of corpus sources: which participants there are, and how their labels are read."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

from damamba import plugins
from damamba.config import (
    CONTINUOUS,
    MAIN,
    SOURCES,
    CorpusParams,
    LabelParams,
    Section,
    SimulateParams,
    parse_section,
)
from damamba.corpus.agreement import LabelReading, read_label
from damamba.corpus.defects import Defect
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Participant
from damamba.media.glance import length_s
from damamba.media.guarded import guarded

ParamsT = TypeVar("ParamsT", bound=Section)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SourceListing:
    """Contents of a source."""

    participants: list[Participant]
    defects: list[Defect] = field(default_factory=list)
    """Known defects that were noticed on the way."""


@dataclass(frozen=True)
class PlannedSeat:
    """One participant of one session, as far as time and disk depend on it."""

    corpus: str
    session: str
    split: str
    seconds: float
    input_bytes: int
    """Of media and released streams; 0 where they are yet to be simulated."""
    simulated: bool = False
    """Whether the pipeline makes the participant's files instead of reading them."""
    filmed: bool = True
    """Whether there is a video."""
    labelled: bool = True
    widths: dict[str, int] = field(default_factory=dict, compare=False)
    """Channels of each released stream."""


class Source(ABC, Generic[ParamsT]):
    """Where sessions come from.

    A source is one file of ``damamba/ingest/sources`` that defines one subclass, with its settings as `Params`; or a
    module of one's own, named by its dotted path. A subclass must define `listing`, and may define how labels are read
    and what a plan needs. `ingest` checks the files of every participant, whatever the source.

    Args:
        params: Settings: the keys of ``corpus.<name>`` in params.yaml, where ``<name>`` is the last part of the path.
        label_slack_s: How much a label file may be shorter or longer than its recording, s.
    """

    Params: ClassVar[type[Section]]

    annotated: LabelParams = CONTINUOUS
    """Kind of the labels, and their classes; set by `open_sources`."""
    also: Mapping[str, LabelParams] = MappingProxyType({})
    """Further labels that participants may have (`Participant.also`), set likewise; `labels` reads each."""

    def __init__(self, params: ParamsT, label_slack_s: float) -> None:
        self.params, self.label_slack_s = params, label_slack_s

    @abstractmethod
    def listing(self) -> SourceListing:
        """List all participants; no media are opened.

        Paths are relative to the repository's root, or absolute. A participant has a video or released streams; audio
        is the path of the video where it is its sound track; label is "" without annotation.

        Raises:
            InputError: All problems, one a line.
        """

    def labels(self, participant: Participant, end_s: float | None) -> Labels:
        """Read the labels of a participant whose `label` is not "".

        Args:
            participant: One of the listing.
            end_s: Length of the recording, s, to which labels are cut or extended; None: as long as their file.

        Raises:
            InputError: A label file cannot be read, or does not fit the recording.
        """
        n_frames, annotated = participant.n_frames, self.annotated
        read = read_label(participant.label, end_s, self.label_slack_s, n_frames=n_frames, labels=annotated)
        return told(participant, read)

    @property
    def every(self) -> dict[str, LabelParams]:
        """All labels by name, as of the section `labels`."""
        return {MAIN: self.annotated, **self.also}

    def of_label(self, name: str) -> "Source[ParamsT]":
        """The same source, whose `labels` reads a further label from the files of `Participant.of_label`."""
        other = copy(self)
        other.annotated, other.also = self.also[name], {}
        return other

    def planned(self, simulate: SimulateParams) -> list[PlannedSeat]:
        """All participants with length and size, from headers alone; nothing is decoded.

        Args:
            simulate: Parameters of the built-in corpus, whose sessions may not be made yet.

        Raises:
            InputError: The source, or the header of a file, cannot be read.
        """
        return [
            PlannedSeat(
                p.corpus,
                p.session,
                p.split,
                released_s(p) if p.streams else guarded(length_s, Path(p.video)),
                input_bytes(p),
                filmed=bool(p.video),
                labelled=p.labelled,
                widths={stream.name: stream.width for stream in p.streams},
            )
            for p in self.listing().participants
        ]


def told(participant: Participant, read: LabelReading) -> Labels:
    """The labels; everything that is odd about their files is logged."""
    for note in read.notes:
        logger.info("%s: %s", participant.name, note)
    return read.labels


def open_sources(corpus: CorpusParams, labels: LabelParams = CONTINUOUS) -> dict[str, Source[Any]]:
    """The sources that `corpus.sources` lists, by their names there; they read `labels`.

    Raises:
        InputError: There is no such source, or its settings are wrong.
    """
    sources: dict[str, Source[Any]] = {}
    for name in corpus.sources:
        kind: type[Source[Any]] = plugins.find(SOURCES, name, Source)
        where = f"params.yaml: corpus.{plugins.short(name)}"
        sources[name] = kind(parse_section(kind.Params, corpus.settings(name), where), corpus.label_slack_s)
        also = labels.every
        sources[name].annotated = also.pop(MAIN)
        sources[name].also = also
    return sources


def root_folder(root: str, default: str, old_default: str) -> Path:
    """`root`, or the place that was the default earlier while the files still lie there.

    Args:
        root: Folder in params.yaml.
        default: Its value in the params.yaml that comes with damamba.
        old_default: Its value in earlier versions.
    """
    if root == default and _is_empty(Path(root)) and not _is_empty(Path(old_default)):
        logger.warning(
            "%s: read from this old place; move its content to %s, the folder that DVC watches", old_default, default
        )
        return Path(old_default)
    return Path(root)


def _is_empty(folder: Path) -> bool:
    """Whether there is no such folder, or nothing in it but a README.md and hidden files."""
    return not folder.is_dir() or all(
        path.name.startswith(".") or path.name == "README.md" for path in folder.iterdir()
    )


def released_s(participant: Participant) -> float:
    """Length by the headers of the streams, s: of released ones the median, since one may be wrong; 0 for none."""
    if own := [s.end_s for s in participant.streams if s.end_s is not None]:
        return max(own)
    lengths = sorted(s.rows / s.rate_hz for s in participant.streams if s.rows and s.rate_hz > 0)
    return lengths[len(lengths) // 2] if lengths else 0.0


def input_bytes(participant: Participant, root: Path = Path()) -> int:
    """Size of media and released streams; paths are relative to `root`."""
    streams = [stream.path for stream in participant.streams if stream.path]
    names = {participant.video, participant.audio, *streams, *(f"{path}~" for path in streams)} - {""}
    return sum((root / name).stat().st_size for name in names if (root / name).is_file())
