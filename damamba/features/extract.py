"""The loop of every extractor: which participants, in parallel, kept or made again, stored.

A shard's key hashes all that its rows depend on: content of the media, face track, parameters, weights and code. A
shard with the right key is kept. So one more session costs one session, and a killed run continues where it stopped.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import ExtractParams, Section
from damamba.corpus.manifest import Manifest, Participant
from damamba.executor import run_all
from damamba.features.extractor import Extractor, ExtractorInput
from damamba.files import ASIDE, prune, sha256, take_back, unchanged
from damamba.keys import source_digest
from damamba.streams.store import describe, write_stream
from damamba.streams.stream import FeatureStream

LIMIT_S, LIMIT_TIMES = 900.0, 200.0
"""A participant whose stream takes longer than this, and so many times the length of the media, hangs."""
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
    ready = _loaded(task.extractor, task.params)
    with ExitStack() as stack:
        for path, digest in _media(task.extractor, task.source.participant):
            stack.enter_context(unchanged(path, digest, "list it again: dvc repro -f ingest"))
        stream = ready.extract(task.source)
    _check_times(stream, task.source.participant)
    write_stream(task.shard, replace(stream, key=task.key))
    return StreamSize(len(stream.t_s), int(np.count_nonzero(stream.valid)), stream.width)


def _media(extractor: type[Extractor[Any]], participant: Participant) -> list[tuple[Path, str]]:
    """Files that the extractor reads, and what `ingest` saw in them."""
    if extractor.media == "streams":
        return []
    path, digest = getattr(participant, extractor.media), getattr(participant, f"{extractor.media}_sha256")
    return [(Path(path), digest)] if digest else []


def _check_times(stream: FeatureStream, participant: Participant) -> None:
    """Raise ValueError where a stream runs past its media: the extractor, not the input, is at fault."""
    if participant.streams:
        return  # media beside released streams may be longer than the session; ingest has logged it
    if len(stream.t_s) and stream.t_s[-1] > participant.duration_s + 1:
        raise ValueError(
            f"{stream.extractor}: last row at {stream.t_s[-1]:.2f} s, media end at {participant.duration_s:.2f} s"
        )


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
) -> str:
    """Make the shards of `participants` that do not exist yet.

    Args:
        extractor: Class that computes the rows.
        params: Instance of its `Params`.
        participants: Participants of the manifest.
        out: Folder of the cue.
        run: Applies a function to tasks, such as `run_all`.
        faces: Folder of the face tracks, if the extractor needs them.

    Returns:
        The summary line.

    Raises:
        InputError: Messages of all participants that failed; the shards of the others are kept.
    """
    ready = extractor(params)
    common = {
        "params": params.model_dump(mode="json"),
        "code": stream_code(extractor),
        "weights": [sha256(path) for path in ready.weights() if path.exists()],
    }
    tasks: list[ExtractionTask] = []
    for participant in participants:
        track = participant.shard(faces) if faces else None
        inputs = {"media": ready.input_key(participant), "faces": _key_of(track) if track else None}
        key = hashlib.sha256(json.dumps({**common, **inputs}, sort_keys=True).encode()).hexdigest()
        shard = participant.shard(out)
        if not shard.exists():
            take_back(shard)
        if _key_of(shard) != key:
            tasks.append(ExtractionTask(extractor, params, ExtractorInput(participant, track), shard, key))
    kept = len(participants) - len(tasks)
    if not tasks:
        return f"{kept} participants up to date"
    _loaded(extractor, params)  # a missing checkpoint fails here, before any work
    made = run(_make, tasks)
    rows, valid = sum(m.rows for m in made), sum(m.valid for m in made)
    share = f"{valid / max(rows, 1):.1%} valid"
    return f"{len(made)} participants made, {kept} kept · {rows} rows of {made[0].width} · {share}"


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

    Returns:
        The summary line.

    Raises:
        InputError: As `extract_all`; or there is no manifest, or no such session in it.
    """
    manifest = Manifest.read(Path("data/corpus/manifest.jsonl"))

    def run(function: Callable[[ExtractionTask], StreamSize], tasks: Sequence[ExtractionTask]) -> list[StreamSize]:
        return run_all(
            function,
            tasks,
            loop.jobs,
            loop.executor,
            what,
            name=lambda task: task.name,
            limit_s=lambda task: task.limit_s,
        )

    chosen = manifest.of_session(session).participants
    if skip_missing:
        chosen = [p for p in chosen if getattr(p, extractor.media)]
    out.mkdir(parents=True, exist_ok=True)
    summary = extract_all(extractor, params, chosen, out, run, faces)
    removed = prune(out, {participant.shard(out) for participant in manifest.participants}, aside=True)
    return summary + (f" · {len(removed)} moved to {ASIDE}" if removed else "")
