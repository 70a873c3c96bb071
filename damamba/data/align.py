"""From feature streams and labels to shards: every cue of every participant of a session on one grid."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from damamba.config import CONTINUOUS, LABEL_RATE_HZ, MAIN, AlignParams, CueParams, LabelParams
from damamba.console import InputError
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Manifest, Participant, label_folder
from damamba.data.moments import ChannelMoments
from damamba.data.shard_writer import write_shard_in_pieces
from damamba.data.shards import (
    STATISTICS,
    Aligned,
    AlignedSeat,
    AlignedSession,
    Cue,
    label_suffix,
    shard_key,
    shard_moments,
    write_labels,
    write_statistics,
)
from damamba.data.stream_on_grid import StreamOnGrid
from damamba.files import check_seal, prune
from damamba.keys import source_digest
from damamba.streams.reader import StoredStream
from damamba.streams.store import describe


@dataclass(frozen=True)
class AlignTask:
    """One session to align; sent to a worker."""

    participants: tuple[Participant, ...]
    cues: tuple[str, ...]
    params: AlignParams
    features: Path
    corpus: Path
    out: Path
    code: str
    """Hash of the code that makes the shards."""
    also: tuple[str, ...] = ()
    """Further labels."""

    @property
    def name(self) -> str:
        """corpus/session."""
        return f"{self.participants[0].corpus}/{self.participants[0].session}"


@dataclass(frozen=True)
class AlignResult:
    """Index entry and files of a session."""

    session: AlignedSession
    files: dict[str, str]
    """Path below the output -> seal."""
    valid: dict[str, tuple[int, int]]
    """Cue -> number of valid frames, number of all frames."""
    kept: int
    """Participants whose shards were kept."""


def shard_code() -> str:
    """Hash of the code that computes and writes the shards."""
    return source_digest(StreamOnGrid.__module__, write_shard_in_pieces.__module__)


def align_all(
    cues: Mapping[str, CueParams],
    params: AlignParams,
    protocol: str,
    manifest: Manifest,
    features: Path,
    corpus: Path,
    out: Path,
    run: Callable[[Callable[[AlignTask], AlignResult], Sequence[AlignTask]], list[AlignResult]],
    training: bool = True,
    labels: LabelParams = CONTINUOUS,
) -> str:
    """Make the shards that do not exist yet, then write index and statistics.

    Args:
        cues: Section `cues`.
        params: Section `align`.
        protocol: Name of `corpus.protocol`, for the index.
        manifest: All participants.
        features: Folder of the feature streams.
        corpus: Folder of the manifest and the labels.
        out: Folder of the shards.
        run: Applies a function to tasks, such as `run_all`.
        training: Whether there is a training split, whose statistics are written.
        labels: Section `labels`, for the index.

    Returns:
        The summary line.

    Raises:
        InputError: A stream is missing or damaged, the width of a cue differs between participants, the grid is causal
            and a cue is not, or the training split is empty.
    """
    described = _describe_cues(cues, manifest, features)
    for name, cue in described.items():
        if params.causal and cue.lookahead_s is None:
            raise InputError(
                f"{features / name}: a causal grid (align.causal) takes no stream that depends on its whole recording; "
                f"set cues.{name}.causal: true and make the cue again: dvc repro extract@{name}"
            )
    code, also = shard_code(), labels.every
    main = also.pop(MAIN)
    tasks = [
        AlignTask(tuple(people), tuple(cues), params, features, corpus, out, code, tuple(also))
        for people in manifest.sessions().values()
    ]
    done = run(align_session, tasks)
    files = dict(sorted((name, seal) for d in done for name, seal in d.files.items()))
    sessions = tuple(d.session for d in done)
    index = Aligned(out, params.rate_hz, described, sessions, files, protocol, params.causal, main, also)
    if training:
        write_statistics(out, training_statistics(index))
        files[STATISTICS] = check_seal(out / STATISTICS)
    index.write()
    prune(out, {out / "index.json", *(out / name for name in files)})
    shares = []
    for cue in cues:
        valid, total = (sum(d.valid[cue][i] for d in done) for i in (0, 1))
        shares.append(f"{cue} {valid / max(total, 1):.1%}")
    kept = sum(d.kept for d in done)
    return f"{len(done)} sessions on {params.rate_hz} Hz ({kept} participants kept) · valid: {', '.join(shares)}"


def align_session(task: AlignTask) -> AlignResult:
    """Make the shards and labels of all participants of a session, on one grid that they share."""
    first = task.participants[0]
    n_labels = max(round(p.duration_s * LABEL_RATE_HZ) for p in task.participants)
    n_frames = n_labels * task.params.rate_hz // LABEL_RATE_HZ
    files: dict[str, str] = {}
    seats, kept = [], 0
    valid: dict[str, tuple[int, int]] = dict.fromkeys(task.cues, (0, 0))
    for participant in task.participants:
        streams = {cue: participant.shard(task.features / cue) for cue in task.cues}
        labels = {name: _labels(participant, name, task.corpus) for name in (MAIN, *task.also)}
        key = _key(task, streams, n_frames)
        arrow, parquet = (participant.shard(task.out, suffix) for suffix in (".arrow", ".parquet"))
        paths = {name: participant.shard(task.out, label_suffix(name)) for name in labels}
        if _kept(arrow, parquet, key):
            kept += 1
        else:
            _write(participant.shard(task.out, ""), streams, n_frames, task.params, key)
        for name, path in paths.items():
            write_labels(path, *_sized(labels[name], n_labels))
        for path in (arrow, parquet, *paths.values()):
            files[path.relative_to(task.out).as_posix()] = check_seal(path)
        for cue in task.cues:
            valid[cue] = (valid[cue][0] + shard_moments(arrow, cue).n, valid[cue][1] + n_frames)
        known = participant.participant, participant.role, participant.person
        seats.append(
            AlignedSeat(*known, labels[MAIN] is not None, tuple(n for n in task.also if labels[n] is not None))
        )
    session = AlignedSession(first.corpus, first.session, first.split, first.language, n_labels, tuple(seats))
    return AlignResult(session, files, valid, kept)


def _kept(arrow: Path, parquet: Path, key: str) -> bool:
    """Whether both files of a shard are there and undamaged, with this key."""
    try:
        check_seal(parquet)
    except (FileNotFoundError, ValueError):
        return False
    return shard_key(arrow) == key


def _write(base: Path, streams: dict[str, Path], n_frames: int, params: AlignParams, key: str) -> None:
    """Write a participant's shard."""
    with ExitStack() as stack:
        on_grid = {
            cue: StreamOnGrid(stack.enter_context(StoredStream(path, f"dvc repro -f extract@{cue}")), params)
            for cue, path in streams.items()
        }
        write_shard_in_pieces(base, tuple(on_grid), n_frames, lambda cue, *bounds: on_grid[cue].frames(*bounds), key)


def _key(task: AlignTask, streams: dict[str, Path], n_frames: int) -> str:
    parts = {
        "streams": [(cue, (describe(path) or {}).get("key")) for cue, path in streams.items()],
        "params": task.params.model_dump(mode="json"),
        "frames": n_frames,
        "code": task.code,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _labels(participant: Participant, name: str, corpus: Path) -> Labels | None:
    """A label as ingest wrote it; None for a participant who lacks it."""
    path = participant.shard(corpus / label_folder(name))
    if not participant.files_of(name):
        return None
    try:
        check_seal(path)
        table = pq.read_table(path)
        return Labels(table["value"].to_numpy(), table["valid"].to_numpy())
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: dvc repro -f ingest") from None
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: damaged ({error}); make it again: dvc repro -f ingest") from None


def _sized(labels: Labels | None, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and mask for every label frame of the session; without labels no frame is valid."""
    if labels is None:
        return np.full(length, np.nan, np.float32), np.zeros(length, bool)
    sized = labels.resized(length)
    return sized.value, sized.valid


def _describe_cues(cues: Mapping[str, CueParams], manifest: Manifest, features: Path) -> dict[str, Cue]:
    """Width and source of each cue, from the metadata of its streams; all participants must agree."""
    described: dict[str, Cue] = {}
    for name, cue in cues.items():
        first_with: dict[Cue, Participant] = {}
        for participant in manifest.participants:
            path = participant.shard(features / name)
            stream = describe(path)
            if stream is None:
                state = "damaged" if path.exists() else "missing"
                raise InputError(f"{path}: {state}; make it: rm -f {path} && dvc repro -f extract@{name}")
            source = Cue(
                cue.group,
                *(stream[key] for key in ("width", "extractor", "checkpoint", "revision")),
                lookahead_s=stream.get("lookahead_s"),
            )
            first_with.setdefault(source, participant)
        if len(first_with) > 1:
            (a, first), (b, second) = list(first_with.items())[:2]
            raise InputError(
                f"{features / name}: {first.name} has {a.width} channels of {a.checkpoint or a.extractor}, "
                f"{second.name} {b.width} of {b.checkpoint or b.extractor}; "
                f"make the cue again: dvc repro -f extract@{name}"
            )
        described[name] = next(iter(first_with))
    return described


def training_statistics(index: Aligned) -> dict[str, np.ndarray]:
    """Mean and standard deviation of each channel over the training split."""
    training = index.split("train")
    if not training:
        raise InputError(
            "data/corpus/manifest.jsonl: the training split is empty, so no model can be trained; "
            "put sessions into it (column split of the manifest) and run ingest again"
        )
    statistics: dict[str, np.ndarray] = {}
    for cue, source in index.cues.items():
        total = ChannelMoments(0, np.zeros(source.width), np.zeros(source.width))
        for session in training:
            for seat in session.seats:
                total += index.moments(session, seat.participant, cue)
        if not total.n:
            raise InputError(
                f"cue {cue}: the training split has no valid frame; see the summary line of extract@{cue}, "
                "and correct the cue or remove it from params.yaml"
            )
        statistics[f"{cue}.mean"] = total.mean.astype(np.float32)
        statistics[f"{cue}.std"] = total.std.astype(np.float32)
    return statistics
