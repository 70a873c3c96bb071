"""The loop of every extractor: which participants, in parallel, kept or made again, stored.

A shard's key hashes all that its rows depend on: content of the media, face track, parameters, weights and code. A
shard with the right key is kept. So one more session costs one session, and a killed run continues where it stopped.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import ExtractParams, Section
from damamba.console import InputError, note_of, noted, write_note
from damamba.corpus.manifest import Manifest, Participant
from damamba.device import jobs_on_device
from damamba.executor import run_all
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.features.health import HEALTH, write_health
from damamba.files import prune, sha256, take_back, told_aside, unchanged
from damamba.keys import source_digest
from damamba.spool import RowsOnDisk
from damamba.streams.store import describe, write_stream
from damamba.streams.stream import FeatureStream

CORPUS = Path("data/corpus")
LIMIT_S, LIMIT_TIMES = 900.0, 200.0
"""A participant whose stream takes longer than this, and so many times the length of the media, hangs."""
SPARE_S = 1.0
"""Rows may stand so far past the end of the picture."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExtractionTask:
    """One shard to make; sent to a worker."""

    extractor: type[Extractor[Any]]
    params: Any
    """Instance of the extractor's `Params`; frozen, so that it can be a key of the cache."""
    source: ExtractorInput
    shard: Path
    key: str
    beside: tuple["ExtractionTask", ...] = ()
    """Shards of other cues of the participant, made from the same pictures."""

    @property
    def name(self) -> str:
        """Of the participant."""
        return self.source.participant.name

    @property
    def limit_s(self) -> float:
        """Time after which it counts as hanging."""
        return LIMIT_S + LIMIT_TIMES * self.source.participant.duration_s


@dataclass(frozen=True)
class StreamSize:
    """Size of a stream that was made."""

    rows: int
    valid: int
    width: int


@lru_cache(maxsize=1)
def _loaded(extractor: type[Extractor[Any]], params: Any) -> Extractor[Any]:
    """An extractor with its weights, once per process."""
    ready = extractor(params)
    ready.load()
    return ready


def _make(task: ExtractionTask) -> StreamSize:
    with noted(note_of(task.shard)):
        return _made(task)


def _made(task: ExtractionTask) -> StreamSize:
    extractor = _loaded(task.extractor, task.params)
    beside = [(other, other.extractor(other.params)) for other in task.beside]
    for _, watching in beside:
        watching.load()
    watchers = [watching.watcher(task.source) for _, watching in beside]
    with ExitStack() as stack:
        for path, digest in _media(task.extractor, task.source.participant):
            stack.enter_context(unchanged(path, digest, "list it again: dvc repro -f ingest"))
        stream = extractor.extract(replace(task.source, watchers=tuple(watchers)))
    if task.extractor.media == "audio":
        stream = _with_the_picture(stream, task.source.participant)
    _write(task, extractor, stream)
    for (other, watching), watcher in zip(beside, watchers, strict=True):
        if watcher.stream is not None:  # else this extractor has not decoded the video, or not all of it
            _write(other, watching, watcher.stream)
    return StreamSize(len(stream.t_s), int(np.count_nonzero(stream.valid)), stream.width)


def _write(task: ExtractionTask, extractor: Extractor[Any], stream: FeatureStream) -> None:
    _check_times(stream, task.source.participant)
    write_stream(task.shard, replace(stream, key=task.key, lookahead_s=extractor.lookahead_s))


def _media(extractor: type[Extractor[Any]], participant: Participant) -> list[tuple[Path, str]]:
    """Files that the extractor reads, and what `ingest` saw in them."""
    if extractor.media == "streams":
        return []
    path, digest = getattr(participant, extractor.media), getattr(participant, f"{extractor.media}_sha256")
    return [(Path(path), digest)] if digest else []


def _with_the_picture(stream: FeatureStream, participant: Participant) -> FeatureStream:
    """Without the rows of sound that goes on after its picture, which sets the length of the session."""
    n = int(np.searchsorted(stream.t_s, participant.duration_s + SPARE_S, side="right"))
    if participant.streams or n == len(stream.t_s):
        return stream
    note = f"{len(stream.t_s) - n} rows after the end of the picture are left out"
    x = stream.x.first(n) if isinstance(stream.x, RowsOnDisk) else stream.x[:n]
    return replace(stream, t_s=stream.t_s[:n], x=x, valid=stream.valid[:n], score=stream.score[:n], note=note)


def _check_times(stream: FeatureStream, participant: Participant) -> None:
    """Raise ValueError where a stream runs past its media: the extractor, not the input, is at fault."""
    if participant.streams:
        return  # media beside released streams may be longer than the session; ingest has logged it
    if len(stream.t_s) and stream.t_s[-1] > participant.duration_s + SPARE_S:
        raise ValueError(
            f"{stream.extractor}: last row at {stream.t_s[-1]:.2f} s, media end at {participant.duration_s:.2f} s"
        )


@dataclass(frozen=True)
class Cue:
    """A cue and the folder of its shards."""

    extractor: type[Extractor[Any]]
    params: Any
    """Instance of the extractor's `Params`."""
    out: Path


class _Shards:
    """Which shards of a cue are to be made."""

    def __init__(self, cue: Cue, faces: Path | None) -> None:
        self._cue, self._faces, self._ready = cue, faces, cue.extractor(cue.params)
        self._common = {
            "params": cue.params.model_dump(mode="json"),
            "code": stream_code(cue.extractor),
            "weights": [sha256(path) for path in self._ready.weights() if path.exists()],
        }

    def lacks(self, participant: Participant) -> str:
        """As of the extractor."""
        return self._ready.lacks(participant)

    def task(self, participant: Participant) -> ExtractionTask | None:
        """What is to be done for a participant who lacks nothing; None where the shard is up to date."""
        cue, track = self._cue, participant.shard(self._faces) if self._faces else None
        inputs = {"media": self._ready.input_key(participant), "faces": _key_of(track) if track else None}
        key = hashlib.sha256(json.dumps({**self._common, **inputs}, sort_keys=True).encode()).hexdigest()
        shard = participant.shard(cue.out)
        if not shard.exists():
            take_back(shard)
        if _key_of(shard) == key:
            return None
        return ExtractionTask(cue.extractor, cue.params, ExtractorInput(participant, track), shard, key)


def stream_code(extractor: type[Extractor[Any]]) -> str:
    """Hash of the code that computes and writes the streams of an extractor."""
    return source_digest(extractor.__module__, write_stream.__module__)


def extract_all(
    extractor: type[Extractor[Any]],
    params: Any,
    participants: Sequence[Participant],
    out: Path,
    run: Callable[[Callable[[ExtractionTask], StreamSize], Sequence[ExtractionTask]], list[StreamSize]],
    faces: Path | None = None,
    like: Mapping[str, Any] | None = None,
    beside: Sequence[Cue] = (),
) -> str:
    """Make the shards of `participants` that do not exist yet.

    Args:
        extractor: Class that computes the rows.
        params: Instance of its `Params`.
        participants: Participants of the manifest.
        out: Folder of the cue.
        run: Applies a function to tasks, such as `run_all`.
        faces: Folder of the face tracks, if the extractor needs them.
        like: What a stream of this cue says of itself (`describe`), known beforehand.
        beside: Other cues that read `faces`. Those that need no pass of their own over a video (`Extractor.watches`)
            are computed with this one, for the participants whose video it decodes.

    Returns:
        The summary line.

    Raises:
        InputError: Messages of all participants that failed; the shards of the others are kept.
    """
    shards = _Shards(Cue(extractor, params, out), faces)
    lacking = {p.key: reason for p in participants if (reason := shards.lacks(p))}
    present = [p for p in participants if p.key not in lacking]
    if not present and lacking and not like and not _any_shard(out):
        raise InputError(_nobody(participants, lacking))
    tasks = []
    for participant in present:
        if task := shards.task(participant):
            tasks.append(task)
        else:
            note_of(participant.shard(out)).unlink(missing_ok=True)
    if tasks and faces:
        others = [_Shards(cue, faces) for cue in beside if cue.extractor.watches and cue.out != out]
        tasks = [
            replace(task, beside=tuple(also for other in others if (also := other.task(task.source.participant))))
            for task in tasks
        ]
    kept = len(present) - len(tasks)
    made: list[StreamSize] = []
    if tasks:
        _loaded(extractor, params)  # a missing checkpoint fails here, before any work
        made = run(_make, tasks)
    n_empty = _write_empty([p for p in participants if p.key in lacking], lacking, present, out, like)
    without = f" · {n_empty} without: {', '.join(sorted(set(lacking.values())))}" if lacking else ""
    if not made:
        return f"{kept} participants up to date{without}"
    rows, valid = sum(m.rows for m in made), sum(m.valid for m in made)
    share = f"{valid / max(rows, 1):.1%} valid"
    return f"{len(made)} participants made, {kept} kept · {rows} rows of {made[0].width} · {share}{without}"


def _any_shard(out: Path) -> Path | None:
    """A shard of the cue, for the description that all of its shards share."""
    return next((path for path in sorted(out.rglob("*.parquet")) if (describe(path) or {}).get("channels")), None)


def _nobody(participants: Sequence[Participant], lacking: dict[tuple[str, str, str], str]) -> str:
    first = participants[0]
    return (
        f"{first.name}: {lacking[first.key]} to compute this cue from, nor has any other participant; remove the cue "
        "from params.yaml, or use released streams alone (damamba preset multimediate)"
    )


def _write_empty(
    absent: Sequence[Participant],
    lacking: dict[tuple[str, str, str], str],
    present: Sequence[Participant],
    out: Path,
    like: Mapping[str, Any] | None,
) -> int:
    """Write a stream without rows for everybody who lacks what the cue reads; their number."""
    if like is None:
        shard = next((shard for p in present if (shard := p.shard(out)).is_file()), None) or _any_shard(out)
        like = (describe(shard) or {}) if shard else {}
    for participant in absent:
        note = f"{lacking[participant.key]}: the cue is not valid throughout"
        same = {name: like[name] for name in ("rate_hz", "extractor", "checkpoint", "revision", "lookahead_s")}
        channels = tuple(like["channels"])
        key = hashlib.sha256(json.dumps([note, same, channels], sort_keys=True).encode()).hexdigest()
        if _key_of(participant.shard(out)) != key:
            none, no_rows = np.empty(0, np.float32), np.empty((0, len(channels)), np.float32)
            stream = FeatureStream(
                np.empty(0), no_rows, np.empty(0, bool), none, **same, channels=channels, key=key, note=note
            )
            write_stream(participant.shard(out), stream)
    return len(absent)


def _key_of(shard: Path) -> str | None:
    return (describe(shard) or {}).get("key")


def extract_manifest(
    extractor: type[Extractor[Any]],
    params: Section,
    out: Path,
    loop: ExtractParams,
    what: str,
    session: str | None = None,
    faces: Path | None = None,
    skip_missing: bool = False,
    corpus: Path = CORPUS,
    like: Mapping[str, Any] | None = None,
    keep_others: bool = False,
    beside: Sequence[Cue] = (),
) -> str:
    """`extract_all` over the manifest; then remove the shards of participants that are no longer in it.

    Args:
        extractor: Class that computes the rows.
        params: Instance of its `Params`.
        out: Folder of the cue.
        loop: Workers.
        what: Label of the progress bar.
        session: Extract only this session: ID, or CORPUS/ID.
        faces: Folder of the face tracks, if the extractor needs them.
        skip_missing: Leave out participants without the media that the extractor reads, instead of raising.
        corpus: Folder of the manifest.
        like: As of `extract_all`.
        keep_others: Leave the shards of people who are not in the manifest.
        beside: As of `extract_all`.

    Returns:
        The summary line.

    Raises:
        InputError: As `extract_all`; or there is no manifest, or no such session in it.
    """
    manifest = Manifest.read(corpus / "manifest.jsonl")

    def run(function: Callable[[ExtractionTask], StreamSize], tasks: Sequence[ExtractionTask]) -> list[StreamSize]:
        jobs = jobs_on_device(loop.jobs) if extractor.uses_device else loop.jobs
        return run_all(
            function,
            tasks,
            jobs,
            loop.executor,
            what,
            name=lambda task: task.name,
            limit_s=lambda task: task.limit_s,
            died=lambda task, fate: write_note(note_of(task.shard), fate),
        )

    asked = chosen = manifest.of_session(session).participants
    if skip_missing:
        chosen = [p for p in asked if getattr(p, extractor.media)]
    out.mkdir(parents=True, exist_ok=True)
    summary = extract_all(extractor, params, chosen, out, run, faces, like, beside)
    for participant in asked:
        note_of(participant.shard(out)).unlink(missing_ok=True)
    shards = [participant.shard(out) for participant in manifest.participants]
    wanted = {out / HEALTH, *shards, *map(note_of, shards)}
    removed = [] if keep_others else prune(out, wanted, aside=True)
    for line in write_health(manifest.participants, out):
        logger.info("%s: %s", what, line)
    return " · ".join(filter(None, (summary, told_aside(removed))))
