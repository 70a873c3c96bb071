"""From feature streams and labels to shards: every cue of every participant of a session on one grid."""

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from damamba.config import LABEL_RATE_HZ, AlignParams, Params
from damamba.console import InputError
from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Manifest, Participant
from damamba.data.grid import resample
from damamba.data.shards import (
    SCHEMA,
    Aligned,
    AlignedSession,
    Cue,
    Moments,
    Piece,
    Seat,
    Stamp,
    read_stamps,
    shard_key,
    shard_moments,
    write_labels,
    write_shard_in_pieces,
    write_stamps,
)
from damamba.files import prune, whole_file
from damamba.keys import source_digest
from damamba.streams.store import StoredStream, describe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One session to align; travels to a worker."""

    participants: tuple[Participant, ...]
    cues: tuple[str, ...]
    params: AlignParams
    features: Path
    labels: Path
    out: Path
    stamps: Mapping[str, Stamp]
    """Of the session's files when they were last hashed."""


@dataclass(frozen=True)
class Done:
    """What became of a session."""

    session: AlignedSession
    files: dict[str, Stamp]
    valid: dict[str, tuple[int, int]]
    """Cue -> valid and all grid frames."""
    kept: int


def align_all(
    params: Params,
    manifest: Manifest,
    features: Path,
    corpus: Path,
    out: Path,
    run: Callable[[Callable[[Task], Done], Sequence[Task]], list[Done]],
) -> str:
    """Align every session whose shards are not there yet, then write index and statistics; the summary line.

    Raises:
        InputError: A stream is missing or damaged, a cue's width differs between participants, or nobody is in
            the training split.
    """
    cues = tuple(params.cues)
    described = _describe_cues(params, manifest, features)
    known: dict[str, dict[str, Stamp]] = defaultdict(dict)
    for name, stamp in read_stamps(out).items():
        known[name.rpartition("/")[0]][name] = stamp
    tasks = [
        Task(tuple(people), cues, params.align, features, corpus / "labels", out, known["/".join(session)])
        for session, people in manifest.sessions().items()
    ]
    done = run(align_session, tasks)
    stamps = dict(sorted((name, stamp) for d in done for name, stamp in d.files.items()))
    files = {name: stamp.sha256 for name, stamp in stamps.items()}
    protocol = params.corpus.protocol.name
    index = Aligned(out, params.align.rate_hz, described, tuple(d.session for d in done), files, protocol)
    statistics = _statistics(index)
    with whole_file(out / "statistics.safetensors") as temporary:
        save_file(statistics, temporary)
    stamps["statistics.safetensors"] = Stamp.of(out / "statistics.safetensors")
    files["statistics.safetensors"] = stamps["statistics.safetensors"].sha256
    _write_index(index)
    write_stamps(out, stamps)
    prune(out, {out / "index.json", *(out / name for name in files)})
    shares = []
    for cue in cues:
        valid, total = (sum(d.valid[cue][i] for d in done) for i in (0, 1))
        shares.append(f"{cue} {valid / max(total, 1):.1%}")
    kept = sum(d.kept for d in done)
    return f"{len(done)} sessions on {params.align.rate_hz} Hz ({kept} participants kept) · valid: {', '.join(shares)}"


def align_session(task: Task) -> Done:
    """Shards and labels of all participants of a session, on one grid that all of them share."""
    first = task.participants[0]
    n_labels = max(round(p.duration_s * LABEL_RATE_HZ) for p in task.participants)
    n_frames = n_labels * task.params.rate_hz // LABEL_RATE_HZ
    files: dict[str, Stamp] = {}
    seats, kept = [], 0
    valid: dict[str, tuple[int, int]] = dict.fromkeys(task.cues, (0, 0))
    for participant in task.participants:
        streams = {cue: participant.shard(task.features / cue) for cue in task.cues}
        labels = _labels(participant.shard(task.labels))
        key = _key(task, streams, n_frames)
        arrow, parquet, label = (
            participant.shard(task.out, suffix) for suffix in (".arrow", ".parquet", ".label.arrow")
        )
        held = _sound(task, arrow, parquet, key)
        if held is None:
            _write(participant.shard(task.out, ""), streams, n_frames, task.params, key)
            held = [Stamp.of(arrow), Stamp.of(parquet)]
        else:
            kept += 1
        write_labels(label, *_sized(labels, n_labels))
        for path, stamp in zip((arrow, parquet, label), (*held, Stamp.of(label)), strict=True):
            files[path.relative_to(task.out).as_posix()] = stamp
        for cue in task.cues:
            seen = shard_moments(arrow, cue).n
            valid[cue] = (valid[cue][0] + seen, valid[cue][1] + n_frames)
        seats.append(Seat(participant.participant, participant.role, participant.person, labels is not None))
    session = AlignedSession(first.corpus, first.session, first.split, first.language, n_labels, tuple(seats))
    return Done(session, files, valid, kept)


def _sound(task: Task, arrow: Path, parquet: Path, key: str) -> list[Stamp] | None:
    """Stamps of a shard's files; None where it must be made again: absent, of other inputs, or not as it was made."""
    if shard_key(arrow) != key or not parquet.is_file():
        return None
    made = [task.stamps.get(path.relative_to(task.out).as_posix()) for path in (arrow, parquet)]
    found = [Stamp.of(path, known) for path, known in zip((arrow, parquet), made, strict=True)]
    same = all(known is None or known.sha256 == stamp.sha256 for known, stamp in zip(made, found, strict=True))
    return found if same else None


def _write(base: Path, streams: dict[str, Path], n_frames: int, params: AlignParams, key: str) -> None:
    """A participant's shard."""
    with ExitStack() as stack:
        held = {
            cue: _OnGrid(stack.enter_context(StoredStream(path, f"dvc repro -f extract@{cue}")), params)
            for cue, path in streams.items()
        }
        write_shard_in_pieces(base, tuple(held), n_frames, lambda cue, *bounds: held[cue].frames(*bounds), key)


class _OnGrid:
    """A stream on the grid, piece by piece: the same frames as of the whole stream at once."""

    def __init__(self, stream: StoredStream, params: AlignParams) -> None:
        self._stream, self._params = stream, params
        self._valid_rows = np.flatnonzero(stream.valid)

    def frames(self, first: int, stop: int) -> Piece:
        """Frames [first, stop) of the grid."""
        stream = self._stream
        grid_s = np.arange(first, stop) / self._params.rate_hz
        a, b = self._rows_around(grid_s)
        t_s, x, valid = stream.t_s[a:b], stream.rows(a, b), stream.valid[a:b]
        if valid.all() and np.array_equal(t_s, grid_s):
            return x, valid  # the stream has the grid's rate: interpolation would only copy
        return resample(t_s, x, valid, grid_s, self._params.max_gap_s, stream.rate_hz)

    def _rows_around(self, grid_s: np.ndarray) -> tuple[int, int]:
        """Rows from the last valid one before the piece to the first valid one after it."""
        known = self._valid_rows
        if not len(known) or not len(grid_s):
            return 0, 0
        t_s = self._stream.t_s[known]
        left, right = np.searchsorted(t_s, grid_s[[0, -1]]).clip(0, len(known) - 1)
        if t_s[left] > grid_s[0]:
            left = max(left - 1, 0)
        return int(known[left]), int(known[right]) + 1


def _key(task: Task, streams: dict[str, Path], n_frames: int) -> str:
    parts = {
        "streams": {cue: (describe(path) or {}).get("key") for cue, path in streams.items()},
        "params": task.params.model_dump(mode="json"),
        "frames": n_frames,
        "code": [source_digest("damamba.data.grid"), SCHEMA],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _labels(path: Path) -> Labels | None:
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: damaged ({error}); make it again: dvc repro -f ingest") from None
    return Labels(table["value"].to_numpy(), table["valid"].to_numpy())


def _sized(labels: Labels | None, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels for every label frame of the session; an unlabelled seat has none that is valid."""
    if labels is None:
        return np.full(length, np.nan, np.float32), np.zeros(length, bool)
    sized = labels.resized(length)
    return sized.value, sized.valid


def _describe_cues(params: Params, manifest: Manifest, features: Path) -> dict[str, Cue]:
    """Width, rate and source of each cue, from the metadata of its streams; all participants must agree."""
    described: dict[str, Cue] = {}
    for name, cue in params.cues.items():
        found: dict[Cue, Participant] = {}
        for participant in manifest.participants:
            path = participant.shard(features / name)
            said = describe(path)
            if said is None:
                state = "damaged" if path.exists() else "missing"
                raise InputError(f"{path}: {state}; make it: rm -f {path} && dvc repro -f extract@{name}")
            source = Cue(
                cue.group,
                said["width"],
                said["extractor"],
                said["checkpoint"],
                said["revision"],
            )
            found.setdefault(source, participant)
        if len(found) > 1:
            (a, first), (b, second) = list(found.items())[:2]
            raise InputError(
                f"{features / name}: {first.name} has {a.width} channels of {a.checkpoint or a.extractor}, "
                f"{second.name} {b.width} of {b.checkpoint or b.extractor}; "
                f"make the cue again: dvc repro -f extract@{name}"
            )
        described[name] = next(iter(found))
    return described


def _statistics(index: Aligned) -> dict[str, np.ndarray]:
    """Mean and standard deviation of the training split alone."""
    training = index.split("train")
    if not training:
        raise InputError("data/corpus/manifest.jsonl: nobody is in the split train; statistics and a model need it")
    held: dict[str, np.ndarray] = {}
    for cue, source in index.cues.items():
        total = Moments(0, np.zeros(source.width), np.zeros(source.width))
        for session in training:
            for seat in session.seats:
                total += shard_moments(index.path(session, seat.participant, ".arrow"), cue)
        if not total.n:
            raise InputError(f"cue {cue}: not one valid frame in the split train; see the summary of extract@{cue}")
        held[f"{cue}.mean"] = total.mean.astype(np.float32)
        held[f"{cue}.std"] = total.std.astype(np.float32)
    return held


def _write_index(index: Aligned) -> None:
    held = {
        "schema": SCHEMA,
        "rate_hz": index.rate_hz,
        "protocol": index.protocol,
        "cues": {name: asdict(cue) for name, cue in index.cues.items()},
        "sessions": [asdict(session) for session in index.sessions],
        "sha256": index.sha256,
    }
    with whole_file(index.root / "index.json") as temporary:
        temporary.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
