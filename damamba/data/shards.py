"""``data/aligned``: every participant of every session on one grid.

| file | content |
|---|---|
| ``<corpus>/<session>/<participant>.arrow`` | one row per frame: per cue D halves and a mask ``<cue>.valid`` |
| ``….parquet`` | the same table, for exchange |
| ``….label.arrow`` | ``value``, ``valid`` at 25 Hz; label i covers grid frames 4i … 4i + 3 at 100 Hz |
| ``….label.NAME.arrow`` | the same of a further label (``labels.also``) |
| ``index.json`` | sessions, participants, lengths, cues with widths and sources, seal of every file |
| ``statistics.safetensors`` | mean and standard deviation of each channel over valid frames of the training split |

The Arrow files are uncompressed and memory-mapped in training. Values are halves; a cue whose values would overflow
them (eGeMAPS reaches 2.6e5) is stored in single precision.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from damamba.config import CONTINUOUS, MAIN, LabelParams, parse_section
from damamba.console import InputError
from damamba.data.moments import ChannelMoments
from damamba.data.shard_writer import ROWS_A_BATCH, SCHEMA
from damamba.files import BLANK_SEAL, check_once, check_seal, replace_file, whole_file

REMEDY = "dvc repro -f align"
STATISTICS = "statistics.safetensors"


def shard_moments(path: Path, cue: str) -> ChannelMoments:
    """Moments of a cue, from the metadata of a shard."""
    with _readable(path):
        flat = np.frombuffer(_open(path).schema.metadata[f"moments.{cue}".encode()])
        mean, m2 = np.split(flat[1:], 2)
        return ChannelMoments(int(flat[0]), mean, m2)


def shard_key(path: Path) -> str | None:
    """Key of a shard; None where it is missing or damaged."""
    try:
        with _readable(path):
            return _open(path).schema.metadata[b"key"].decode()
    except InputError:
        return None


def _open(path: Path, listed: str | None = None) -> pa.RecordBatchFileReader:
    """A file whose seal is right, and the one that the index has for it, if any."""
    if check_once(path) != listed and listed is not None:
        raise ValueError("it is not the file that index.json lists")
    return pa.ipc.open_file(pa.memory_map(str(path)))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the errors of a missing or damaged file into one line."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {REMEDY}") from None
    except (pa.ArrowInvalid, OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(f"{path}: damaged ({reason}); make it again: rm {path} && {REMEDY}") from None


class Shard:
    """A participant's frames, memory-mapped: only `read` reads values."""

    def __init__(self, path: Path, listed: str | None = None) -> None:
        """Open a file; `listed` is the seal that the index has for it."""
        with _readable(path):
            reader = _open(path, listed)
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
            names = [name for name in reader.schema.names if not name.endswith(".valid")]
            self.rows = sum(batch.num_rows for batch in batches)
            self._values = {
                # by DLPack, since torch warns of numpy's arrays that cannot be written
                name: [torch.from_dlpack(b.column(name).flatten()).view(b.num_rows, -1) for b in batches]
                for name in names
            }
            self._valid = {
                name: np.concatenate([b.column(f"{name}.valid").to_numpy(zero_copy_only=False) for b in batches])
                for name in names
            }
        self._complete = {name: bool(valid.all()) for name, valid in self._valid.items()}
        self.bytes_held = sum(valid.nbytes for valid in self._valid.values())
        """Beside the mapped file."""

    def read(self, cue: str, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """(stop - start, D) values and mask of the rows [start, stop); a view if they are in one batch of the file."""
        pieces = [piece.numpy() for piece in self._pieces(cue, start, stop)]
        return (pieces[0] if len(pieces) == 1 else np.concatenate(pieces)), self._valid[cue][start:stop]

    def read_into(self, out: torch.Tensor, cue: str, start: int, stop: int) -> np.ndarray:
        """Put the rows [start, stop) into `out`, (stop - start, D), 0 where they are not valid; returns the mask."""
        first = 0
        for piece in self._pieces(cue, start, stop):
            rows = piece.shape[0]
            out[first : first + rows] = piece
            first += rows
        valid = self._valid[cue][start:stop]
        if not (self._complete[cue] or valid.all()):
            out.masked_fill_(torch.from_numpy(~valid)[:, None], 0.0)
        return valid

    def _pieces(self, cue: str, start: int, stop: int) -> Iterator[torch.Tensor]:
        for i in range(start // ROWS_A_BATCH, -(-stop // ROWS_A_BATCH)):
            base = i * ROWS_A_BATCH
            yield self._values[cue][i][max(start - base, 0) : stop - base]


def write_labels(path: Path, value: np.ndarray, valid: np.ndarray) -> None:
    """Write the labels of one participant, at 25 Hz."""
    table = pa.table({"value": pa.array(value, pa.float32()), "valid": pa.array(valid)}, metadata={"seal": BLANK_SEAL})
    with (
        whole_file(path, sealed=True) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as w,
    ):
        w.write_table(table)


def read_labels(path: Path, listed: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(L,) values, NaN where not valid, and the mask; `listed` is the seal that the index has for the file."""
    with _readable(path):
        table = _open(path, listed).read_all()
        return table["value"].to_numpy(), table["valid"].to_numpy()


def label_suffix(name: str) -> str:
    """Ending of the file of a label."""
    return f".label.{name}.arrow" if name else ".label.arrow"


def write_statistics(root: Path, statistics: dict[str, np.ndarray]) -> None:
    """Write mean and standard deviation of each cue, ``<cue>.mean`` and ``<cue>.std`` of (D,)."""
    replace_file(root / STATISTICS, save(statistics, {"seal": BLANK_SEAL}), sealed=True)


@dataclass(frozen=True)
class AlignedSeat:
    """A participant of a session in the index."""

    participant: str
    role: str
    person: str
    labelled: bool
    also: tuple[str, ...] = ()
    """Further labels that the participant has."""

    def record(self) -> dict[str, Any]:
        """For the index; without `also` where there is none."""
        values = asdict(self)
        return values if self.also else {name: value for name, value in values.items() if name != "also"}

    @property
    def rated(self) -> bool:
        """Whether there is any label."""
        return self.labelled or bool(self.also)


def _seat(record: dict[str, Any]) -> AlignedSeat:
    return AlignedSeat(**{**record, "also": tuple(record.get("also", ()))})


@dataclass(frozen=True)
class AlignedSession:
    """A session in the index."""

    corpus: str
    session: str
    split: str
    language: str
    n_labels: int
    seats: tuple[AlignedSeat, ...]

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
    lookahead_s: float | None = None
    """See `FeatureStream`."""


@dataclass(frozen=True)
class Aligned:
    """The index of a folder of shards."""

    root: Path
    rate_hz: int
    cues: dict[str, Cue]
    sessions: tuple[AlignedSession, ...]
    sha256: dict[str, str]
    """Seal of every file, by its path below `root`."""
    protocol: str = "as given"
    """Where the splits come from: name of `corpus.protocol`, for tables."""
    causal: bool = False
    """Whether frames contain only what was known at their time (`align.causal`)."""
    annotated: LabelParams = CONTINUOUS
    """Kind of the labels; of classes, `labels` has their numbers."""
    also: dict[str, LabelParams] = field(default_factory=dict)
    """Kinds of further labels, by name."""
    reads: str = MAIN
    """The label that `labels` reads."""

    def of_label(self, name: str) -> "Aligned":
        """The same shards as if a label of `also` were their only one; raises as `keeping`."""
        if name == MAIN:
            return self.keeping(())
        self.keeping((name,))
        sessions = tuple(
            replace(one, seats=tuple(replace(seat, labelled=name in seat.also, also=()) for seat in one.seats))
            for one in self.sessions
        )
        return replace(self, sessions=sessions, annotated=self.also[name], also={}, reads=name)

    def keeping(self, names: Collection[str]) -> "Aligned":
        """The same shards with these of the further labels alone.

        Raises:
            InputError: The shards have no such label.
        """
        if unknown := [name for name in names if name not in self.also]:
            raise InputError(f"{self.root}: made without labels.also.{unknown[0]} of params.yaml; run: {REMEDY}")
        if len(names) == len(self.also):
            return self
        sessions = tuple(
            replace(one, seats=tuple(replace(s, also=tuple(n for n in s.also if n in names)) for s in one.seats))
            for one in self.sessions
        )
        return replace(self, sessions=sessions, also={n: kind for n, kind in self.also.items() if n in names})

    @cached_property
    def digest(self) -> str:
        """Hash of all files of the index."""
        return hashlib.sha256(json.dumps(self.sha256, sort_keys=True).encode()).hexdigest()

    def split(self, name: str) -> list[AlignedSession]:
        """Sessions of a split."""
        return [session for session in self.sessions if session.split == name]

    def groups(self) -> dict[str, dict[str, int]]:
        """Modality group -> cue -> width, to build a model."""
        groups: dict[str, dict[str, int]] = {}
        for name, cue in self.cues.items():
            groups.setdefault(cue.group, {})[name] = cue.width
        return groups

    def path(self, session: AlignedSession, participant: str, suffix: str) -> Path:
        """File of a participant with a suffix such as ``.arrow``."""
        return self.root / session.corpus / session.session / f"{participant}{suffix}"

    def shard(self, session: AlignedSession, participant: str) -> Shard:
        """Open a participant's frames."""
        return Shard(*self._with_seal(session, participant, ".arrow"))

    def moments(self, session: AlignedSession, participant: str, cue: str) -> ChannelMoments:
        """Moments of a participant's cue."""
        return shard_moments(self._listed(self.path(session, participant, ".arrow")), cue)

    def labels(self, session: AlignedSession, participant: str) -> tuple[np.ndarray, np.ndarray]:
        """Labels of a participant; all NaN for a participant without annotation."""
        return read_labels(*self._with_seal(session, participant, label_suffix(self.reads)))

    def _with_seal(self, session: AlignedSession, participant: str, suffix: str) -> tuple[Path, str | None]:
        """A file of a participant, and the seal that the index has for it."""
        name = f"{session.corpus}/{session.session}/{participant}{suffix}"
        return self.root / name, self.sha256.get(name)

    def statistics(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Cue -> mean (D,) and standard deviation (D,) of the training split."""
        path = self._listed(self.root / STATISTICS)
        with _readable(path):
            content = load_file(path)
            return {name: (content[f"{name}.mean"], content[f"{name}.std"]) for name in self.cues}

    def verify(self) -> None:
        """Read every file that training reads, and compare it with its seal and with the index.

        Raises:
            InputError: A file is missing or was changed; the message has its path.
        """
        for name in self.sha256:
            if not name.endswith(".parquet"):
                self._listed(self.root / name)

    def _listed(self, path: Path) -> Path:
        """The path of a file after its content was compared with seal and index."""
        with _readable(path):
            expected = self.sha256.get(path.relative_to(self.root).as_posix())
            if check_once(path) != expected and expected is not None:
                raise ValueError("it is not the file that index.json lists")
        return path

    def write(self) -> None:
        """Write ``index.json``."""
        content = {
            "schema": SCHEMA,
            "rate_hz": self.rate_hz,
            "protocol": self.protocol,
            "causal": self.causal,
            **({"labels": self.annotated.model_dump(mode="json")} if self.annotated.classes else {}),
            **({"also": {name: kind.model_dump(mode="json") for name, kind in self.also.items()}} if self.also else {}),
            "cues": {name: asdict(cue) for name, cue in self.cues.items()},
            "sessions": [{**asdict(one), "seats": [seat.record() for seat in one.seats]} for one in self.sessions],
            "sha256": self.sha256,
            "seal": BLANK_SEAL,
        }
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        replace_file(self.root / "index.json", text.encode(), sealed=True)

    @classmethod
    def read(cls, root: Path) -> "Aligned":
        """Read what `write` wrote.

        Raises:
            InputError: The index is missing, damaged or of another schema.
        """
        path = root / "index.json"
        try:
            content = json.loads(path.read_text(encoding="utf8"))
            if content["schema"] != SCHEMA:
                raise InputError(f"{path}: schema {content['schema']}, expected {SCHEMA}; make it again: {REMEDY}")
            check_seal(path)
            sessions = tuple(
                AlignedSession(**{**session, "seats": tuple(map(_seat, session["seats"]))})
                for session in content["sessions"]
            )
            cues = {name: Cue(**cue) for name, cue in content["cues"].items()}
            protocol = content.get("protocol", "as given")
            causal = content.get("causal", False)
            annotated = parse_section(LabelParams, content.get("labels", {}), f"{path}: labels")
            also = {
                name: parse_section(LabelParams, kind, f"{path}: also.{name}")
                for name, kind in content.get("also", {}).items()
            }
            known = sessions, content["sha256"], protocol, causal, annotated, also
            return cls(root, content["rate_hz"], cues, *known)
        except FileNotFoundError:
            raise InputError(f"{path}: missing; make it: dvc repro align") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: damaged ({error}); make it again: {REMEDY}") from None
