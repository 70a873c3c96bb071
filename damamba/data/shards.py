"""``data/aligned``: every participant of every session on one grid.

| file | holds |
|---|---|
| ``<corpus>/<session>/<participant>.arrow`` | per cue a list of D halves and a mask ``<cue>.valid``, a row a frame |
| ``….parquet`` | the same table, for exchange |
| ``….label.arrow`` | ``value``, ``valid`` at 25 Hz; label i covers grid frames 4i … 4i + 3 at 100 Hz |
| ``index.json`` | sessions, participants, lengths, cues with widths and sources, sha256 of every file |
| ``statistics.safetensors`` | mean and standard deviation of each channel over valid frames of the training split |

The Arrow files are uncompressed and memory-mapped in training. Values are halves; a cue whose values would overflow
them (eGeMAPS reaches 2.6e5) is stored in single precision.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cached_property, reduce
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.console import InputError
from damamba.data.moments import Moments
from damamba.files import sha256, whole_file

SCHEMA = 1
ROWS_A_BATCH = 6000  # a minute at 100 Hz: what a writer or an exchange reader holds at once
LARGEST_HALF = 60_000.0
REMEDY = "dvc repro -f align"


Piece = tuple[np.ndarray, np.ndarray]
"""(K, D) values with NaN where not valid, and the (K,) mask."""


def write_shard(path: Path, cues: Mapping[str, Piece], key: str) -> None:
    """Write a participant's Arrow and Parquet files from whole arrays; as `write_shard_in_pieces`."""
    n_frames = len(next(iter(cues.values()))[1])

    def piece(name: str, first: int, stop: int) -> Piece:
        x, valid = cues[name]
        return x[first:stop], valid[first:stop]

    write_shard_in_pieces(path, tuple(cues), n_frames, piece, key)


def write_shard_in_pieces(
    path: Path, cues: Sequence[str], n_frames: int, piece: Callable[[str, int, int], Piece], key: str
) -> None:
    """Write a participant's Arrow and Parquet files, `ROWS_A_BATCH` frames in memory at a time.

    Every piece is asked for twice: a shard's schema, which comes first in the file, says which type each cue has and
    carries its moments.

    Args:
        path: Without suffix.
        cues: Names.
        n_frames: Rows of the shard.
        piece: (cue, first, stop) -> its frames [first, stop).
        key: Hash of all that the shard depends on.
    """
    bounds = [(first, min(first + ROWS_A_BATCH, n_frames)) for first in range(0, n_frames, ROWS_A_BATCH)]
    metadata = {"schema": str(SCHEMA).encode(), "key": key.encode()}
    fields: list[pa.Field] = []
    for name in cues:
        moments, largest = _survey(piece(name, first, stop) for first, stop in bounds or [(0, 0)])
        kind = pa.float16() if largest < LARGEST_HALF else pa.float32()
        fields += [pa.field(name, pa.list_(kind, len(moments.mean))), pa.field(f"{name}.valid", pa.bool_())]
        metadata[f"moments.{name}"] = np.concatenate([[moments.n], moments.mean, moments.m2]).tobytes()
    schema = pa.schema(fields, metadata)
    with (
        whole_file(path.with_name(f"{path.name}.parquet")) as for_exchange,  # a name may have a dot
        whole_file(path.with_name(f"{path.name}.arrow")) as for_training,
        pq.ParquetWriter(
            for_exchange,
            schema,
            compression="zstd",
            use_dictionary=False,  # numbers hardly repeat
            write_statistics=False,
            write_page_checksum=True,
        ) as parquet,
        pa.OSFile(str(for_training), "wb") as sink,
        pa.ipc.new_file(sink, schema) as arrow,
    ):
        for first, stop in bounds:
            columns = (_columns(*piece(name, first, stop), schema.field(name).type) for name in cues)
            batch = pa.RecordBatch.from_arrays(list(chain.from_iterable(columns)), schema=schema)
            parquet.write_batch(batch, row_group_size=ROWS_A_BATCH)
            arrow.write_batch(batch)


def _survey(pieces: Iterable[Piece]) -> tuple[Moments, float]:
    """Moments and largest magnitude of a cue: what must be known before its first row is written."""
    found: list[Moments] = []
    largest = 0.0
    for x, valid in pieces:
        found.append(Moments.of(x, valid))
        largest = max(largest, float(np.abs(x).max(where=valid[:, None], initial=0)))
    return reduce(Moments.__add__, found), largest


def _columns(x: np.ndarray, valid: np.ndarray, kind: pa.FixedSizeListType) -> tuple[pa.Array, pa.Array]:
    flat = np.ascontiguousarray(x, kind.value_type.to_pandas_dtype()).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), kind.list_size), pa.array(valid)


def shard_moments(path: Path, cue: str) -> Moments:
    """Moments of a cue, from the shard's metadata."""
    flat = np.frombuffer(_open(path).schema.metadata[f"moments.{cue}".encode()])
    mean, m2 = np.split(flat[1:], 2)
    return Moments(int(flat[0]), mean, m2)


def shard_key(path: Path) -> str | None:
    """Key of a readable shard, else None."""
    try:
        return _open(path).schema.metadata[b"key"].decode()
    except (InputError, KeyError, TypeError):
        return None


def _open(path: Path) -> pa.RecordBatchFileReader:
    try:
        return pa.ipc.open_file(pa.memory_map(str(path)))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {REMEDY}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: damaged ({' '.join(str(error).split())[:80]}); make it again: {REMEDY}") from None


class Shard:
    """A participant's frames, memory-mapped: nothing is read until it is asked for."""

    def __init__(self, path: Path) -> None:
        reader = _open(path)
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        names = [name for name in reader.schema.names if not name.endswith(".valid")]
        self.rows = sum(batch.num_rows for batch in batches)
        self._values = {
            name: [b.column(name).flatten().to_numpy().reshape(b.num_rows, -1) for b in batches] for name in names
        }
        self._valid = {
            name: np.concatenate([b.column(f"{name}.valid").to_numpy(zero_copy_only=False) for b in batches])
            for name in names
        }

    def read(self, cue: str, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows [start, stop) within the shard: (stop - start, D) and mask; a view where they lie in one batch."""
        pieces = []
        for i in range(start // ROWS_A_BATCH, -(-stop // ROWS_A_BATCH)):
            base = i * ROWS_A_BATCH
            pieces.append(self._values[cue][i][max(start - base, 0) : stop - base])
        return (pieces[0] if len(pieces) == 1 else np.concatenate(pieces)), self._valid[cue][start:stop]


def write_labels(path: Path, value: np.ndarray, valid: np.ndarray) -> None:
    """Labels of one participant at 25 Hz."""
    table = pa.table({"value": pa.array(value, pa.float32()), "valid": pa.array(valid)})
    with (
        whole_file(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as w,
    ):
        w.write_table(table)


def read_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(L,) values, NaN where not valid, and the mask."""
    table = _open(path).read_all()
    return table["value"].to_numpy(), table["valid"].to_numpy()


@dataclass(frozen=True)
class Stamp:
    """A file as it was when it was hashed; as long as it looks so, it need not be hashed again."""

    size: int
    changed_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, known: "Stamp | None" = None) -> "Stamp":
        """Of a file that may still be the `known` one."""
        found = path.stat()
        if known and (found.st_size, found.st_mtime_ns) == (known.size, known.changed_ns):
            return known
        return cls(found.st_size, found.st_mtime_ns, sha256(path))


def read_stamps(root: Path) -> dict[str, Stamp]:
    """Of files by their path below `root`; none where nothing is known.

    They lie beside the folder, which DVC owns and may link or copy: then all files are hashed anew, once.
    """
    try:
        held = json.loads(_stamps(root).read_text(encoding="utf8"))
        return {name: Stamp(*stamp) for name, stamp in held.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_stamps(root: Path, stamps: Mapping[str, Stamp]) -> None:
    """For the next `read_stamps`."""
    with whole_file(_stamps(root)) as temporary:
        temporary.write_text(json.dumps({name: astuple(stamp) for name, stamp in stamps.items()}), encoding="utf8")


def _stamps(root: Path) -> Path:
    return root.with_name(f"{root.name}.stamps.json")


@dataclass(frozen=True)
class Seat:
    """A participant in the index."""

    participant: str
    role: str
    person: str
    labelled: bool


@dataclass(frozen=True)
class AlignedSession:
    """A session in the index."""

    corpus: str
    session: str
    split: str
    language: str
    n_labels: int
    seats: tuple[Seat, ...]

    @property
    def name(self) -> str:
        """corpus/session."""
        return f"{self.corpus}/{self.session}"


@dataclass(frozen=True)
class Cue:
    """A cue in the index."""

    group: str
    width: int
    extractor: str
    checkpoint: str
    revision: str


@dataclass(frozen=True)
class Aligned:
    """The index of a folder of shards."""

    root: Path
    rate_hz: int
    cues: dict[str, Cue]
    sessions: tuple[AlignedSession, ...]
    sha256: dict[str, str]
    """Of every file, by its path below `root`."""
    protocol: str = "as given"
    """Which splits these are: `corpus.protocol`, for tables."""

    @cached_property
    def digest(self) -> str:
        """Of everything that the index vouches for."""
        return hashlib.sha256(json.dumps(self.sha256, sort_keys=True).encode()).hexdigest()

    def split(self, name: str) -> list[AlignedSession]:
        """Sessions of a split."""
        return [session for session in self.sessions if session.split == name]

    def groups(self) -> dict[str, dict[str, int]]:
        """Modality group -> cue -> width: what a model is built for."""
        groups: dict[str, dict[str, int]] = {}
        for name, cue in self.cues.items():
            groups.setdefault(cue.group, {})[name] = cue.width
        return groups

    def path(self, session: AlignedSession, participant: str, suffix: str) -> Path:
        """File of a participant."""
        return self.root / session.corpus / session.session / f"{participant}{suffix}"

    def shard(self, session: AlignedSession, participant: str) -> Shard:
        """Open a participant's frames."""
        return Shard(self.path(session, participant, ".arrow"))

    def labels(self, session: AlignedSession, participant: str) -> tuple[np.ndarray, np.ndarray]:
        """Labels of a participant; all NaN where nobody annotated."""
        return read_labels(self.path(session, participant, ".label.arrow"))

    def statistics(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Cue -> mean (D,) and standard deviation (D,) of the training split."""
        from safetensors.numpy import load_file

        path = self.root / "statistics.safetensors"
        try:
            held = load_file(path)
        except FileNotFoundError:
            raise InputError(f"{path}: missing; make it: {REMEDY}") from None
        return {name: (held[f"{name}.mean"], held[f"{name}.std"]) for name in self.cues}

    def verify(self) -> None:
        """Compare every file that training reads with its sha256; what was touched since it was hashed is read whole.

        Raises:
            InputError: One is missing or was changed; names it.
        """
        known = read_stamps(self.root)
        found: dict[str, Stamp] = {}
        for name, expected in self.sha256.items():
            path = self.root / name
            if not path.is_file():
                raise InputError(f"{path}: missing; make it: {REMEDY}")
            if path.suffix == ".parquet":
                continue
            found[name] = Stamp.of(path, known.get(name))
            if found[name].sha256 != expected:
                raise InputError(
                    f"{path}: damaged (sha256 differs from index.json); make it again: rm {path} && {REMEDY}"
                )
        if not found.items() <= known.items():
            with suppress(OSError):  # where nothing may be written, the next start hashes again
                write_stamps(self.root, known | found)

    @classmethod
    def read(cls, root: Path) -> "Aligned":
        """Read ``index.json``.

        Raises:
            InputError: It is missing, damaged or of another schema.
        """
        path = root / "index.json"
        try:
            held = json.loads(path.read_text(encoding="utf8"))
            if held["schema"] != SCHEMA:
                raise InputError(f"{path}: schema {held['schema']}, expected {SCHEMA}; make it again: {REMEDY}")
            sessions = tuple(
                AlignedSession(**{**s, "seats": tuple(Seat(**seat) for seat in s["seats"])}) for s in held["sessions"]
            )
            cues = {name: Cue(**cue) for name, cue in held["cues"].items()}
            return cls(root, held["rate_hz"], cues, sessions, held["sha256"], held.get("protocol", "as given"))
        except FileNotFoundError:
            raise InputError(f"{path}: missing; make it: dvc repro align") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: damaged ({error}); make it again: {REMEDY}") from None
