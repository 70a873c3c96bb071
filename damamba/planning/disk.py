"""Bytes of every artefact on disk."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from damamba.config import AlignParams, CueParams
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.data.shards import Aligned
from damamba.planning.earlier_runs import Cost, EarlierRuns
from damamba.planning.workload import Workload

HALF_BYTES = 2
FLOAT_BYTES = 4


def disk_costs(
    cues: Mapping[str, CueParams],
    align: AlignParams,
    parameters: Mapping[str, int],
    work: Workload,
    earlier: EarlierRuns,
) -> Iterator[tuple[str, Cost]]:
    """Artefacts and their sizes.

    Args:
        cues, align: Sections of params.yaml.
        parameters: Number of model parameters of each run.
        work: Sessions to process.
        earlier: Runs to take sizes from.
    """
    hourly = earlier.table["bytes_per_hour"]
    simulated = work.simulated.filmed
    if simulated.seats:
        raw = earlier.bytes_per_hour(lambda p: simulated_media(p, earlier.root))
        yield "data/raw", _scaled(raw, hourly["raw"], simulated.hours)
    if reads_faces(cues):
        faces = earlier.bytes_per_hour(lambda p: [p.shard(earlier.root / "data/faces")])
        yield "data/faces", _scaled(faces, hourly["faces"], work.filmed.hours)
    for name, cue in cues.items():
        streams = earlier.bytes_per_hour(earlier.cue_shards(name, cue))
        rate_hz = earlier.extractor_row(cue)[0]["rate_hz"]
        floats = planned_width(name, cue, work, earlier) * rate_hz * 3600 * FLOAT_BYTES
        yield f"data/features/{name}", _scaled(streams, floats * earlier.table["stream_compression"], work.hours)
    folder = earlier.root / "data/aligned"
    shards = None
    if _has_same_grid(folder, cues, align):
        shards = earlier.bytes_per_hour(lambda p: [p.shard(folder, suffix) for suffix in (".arrow", ".parquet")])
    both = arrow_bytes_per_hour(cues, align, work, earlier) * (1 + earlier.table["parquet_per_arrow"])
    yield "data/aligned", _scaled(shards, both, work.hours)
    labelled = work.where(lambda seat: seat.labelled)
    yield "data/corpus", Cost(hourly["corpus"] * work.hours, False)
    yield "data/predictions", Cost(hourly["predictions"] * labelled.hours * len(parameters), False)
    yield "data/models", Cost(FLOAT_BYTES * sum(parameters.values()), False)


def simulated_media(participant: Participant, root: Path) -> list[Path]:
    """Video and audio that the simulator wrote; empty for recordings of other sources."""
    if not participant.video.startswith("data/raw/"):
        return []
    return [root / participant.video, root / participant.audio]


def reads_faces(cues: Mapping[str, CueParams]) -> bool:
    """Whether any cue needs face tracks."""
    return any(cue.reads == "faces" for cue in cues.values())


def planned_width(name: str, cue: CueParams, work: Workload, earlier: EarlierRuns) -> int:
    """Channels of a cue: from a released stream's header, an extracted stream or the table."""
    settings = cue.settings()
    released = work.width(str(settings.get("stream")))
    if released is not None:
        return released - len(settings.get("drop") or ())
    return earlier.cue_width(name, cue) or earlier.extractor_row(cue)[0]["width"]


def arrow_bytes_per_hour(
    cues: Mapping[str, CueParams], align: AlignParams, work: Workload, earlier: EarlierRuns
) -> float:
    """Size of the shards that training maps into memory: half-precision values and one mask bit per cue and frame."""
    widths = [planned_width(name, cue, work, earlier) for name, cue in cues.items()]
    return (HALF_BYTES * sum(widths) + len(widths) / 8) * align.rate_hz * 3600


def _scaled(measured: float | None, table: float, hours: float) -> Cost:
    return Cost((table if measured is None else measured) * hours, measured is not None)


def _has_same_grid(aligned: Path, cues: Mapping[str, CueParams], align: AlignParams) -> bool:
    """Whether existing shards have these cues at this rate."""
    try:
        index = Aligned.read(aligned)
    except InputError:
        return False
    return index.rate_hz == align.rate_hz and set(index.cues) == set(cues)
