"""The loop that no extractor repeats: which participants, in parallel, kept or made again, stored.

A shard carries the hash of everything that it depends on: content of the media, face track, parameters, weights and
the extractor's own sources. A shard whose hash matches is kept; so adding one session costs one session, and a run
that was killed goes on where it was.
"""

import argparse
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import Params, Section
from damamba.corpus.manifest import Manifest, Participant
from damamba.executor import run_all
from damamba.features.extractor import Extractor, Recording
from damamba.files import prune, sha256
from damamba.keys import source_digest
from damamba.streams.store import describe, write_stream
from damamba.streams.stream import FeatureStream

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One shard to make; travels to a worker."""

    extractor: type[Extractor[Any]]
    params: Any
    """Its `Params`; frozen, hence a key of the cache."""
    recording: Recording
    shard: Path
    key: str


@dataclass(frozen=True)
class Made:
    """What came of a shard."""

    rows: int
    valid: int
    width: int


@lru_cache(maxsize=1)
def _loaded(extractor: type[Extractor[Any]], params: Any) -> Extractor[Any]:
    """An extractor with its weights, once a process."""
    ready = extractor(params)
    ready.load()
    return ready


def _make(task: Task) -> Made:
    stream = _loaded(task.extractor, task.params).extract(task.recording)
    _check_times(stream, task.recording)
    write_stream(task.shard, replace(stream, key=task.key))
    return Made(len(stream.t_s), int(np.count_nonzero(stream.valid)), stream.width)


def _check_times(stream: FeatureStream, recording: Recording) -> None:
    """A stream that runs past its media was stamped wrongly: that is a fault of the extractor, not of the input."""
    end = recording.participant.duration_s
    if recording.participant.streams:
        return  # raw media beside released streams may last longer than these: ingest has told so
    if len(stream.t_s) and stream.t_s[-1] > end + 1:
        raise ValueError(f"{stream.extractor}: last row at {stream.t_s[-1]:.2f} s, media end at {end:.2f} s")


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def extract_all(
    extractor: type[Extractor[Any]],
    params: Any,
    participants: Sequence[Participant],
    out: Path,
    run: Callable[[Callable[[Task], Made], Sequence[Task]], list[Made]],
    faces: Path | None = None,
) -> str:
    """Make the shards of `participants` that are not there yet; the summary line.

    Args:
        extractor: Class whose rows are wanted.
        params: Its parameters.
        participants: Who.
        out: Folder of the cue.
        run: Runs a function over tasks: the executor.
        faces: Folder of the face tracks, where the extractor needs them.

    Raises:
        InputError: Messages of all participants that failed; the others are done and kept.
    """
    ready = extractor(params)
    common = {
        "params": params.model_dump(mode="json"),
        "code": source_digest(extractor.__module__),
        "weights": [sha256(path) for path in ready.weights() if path.exists()],
    }
    tasks, kept = [], 0
    for participant in participants:
        media = ready.input_sha256(participant)
        track = participant.shard(faces) if faces else None
        key = _hash({**common, "media": media, "faces": (describe(track) or {}).get("key") if track else None})
        shard = participant.shard(out)
        if (describe(shard) or {}).get("key") == key:
            kept += 1
        else:
            tasks.append(Task(extractor, params, Recording(participant, track), shard, key))
    if not tasks:
        return f"{kept} participants up to date"
    _loaded(extractor, params)  # a missing checkpoint fails here, before any work
    made = run(_make, tasks)
    rows, valid = sum(m.rows for m in made), sum(m.valid for m in made)
    share = f"{valid / max(rows, 1):.1%} valid"
    return f"{len(made)} participants made, {kept} kept · {rows} rows of {made[0].width} · {share}"


def add_loop_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of every stage that walks over participants."""
    parser.add_argument("--session", metavar="ID", help="only this session: ID, or CORPUS/ID")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="worker processes (default: extract.jobs; 0 = one a core)"
    )


def run_loop(
    extractor: type[Extractor[Any]],
    own: Section,
    out: Path,
    options: argparse.Namespace,
    params: Params,
    what: str,
    faces: Path | None = None,
    everybody: bool = True,
) -> str:
    """`extract_all` over the manifest, then prune shards of participants who are no longer in it.

    Unless `everybody` must have what the extractor reads, participants without it are left out.
    """
    manifest = Manifest.read(Path("data/corpus/manifest.jsonl"))
    jobs = params.extract.jobs if options.jobs is None else options.jobs

    def run(function: Callable[[Task], Made], tasks: Sequence[Task]) -> list[Made]:
        return run_all(function, tasks, jobs, params.extract.executor, what)

    chosen = manifest.of_session(options.session).participants
    if not everybody:
        chosen = [p for p in chosen if getattr(p, extractor.media)]
    out.mkdir(parents=True, exist_ok=True)
    summary = extract_all(extractor, own, chosen, out, run, faces)
    gone = prune(out, {participant.shard(out) for participant in manifest.participants})
    return summary + (f" · {len(gone)} removed" if gone else "")
