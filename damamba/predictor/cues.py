"""Cues of people in videos, without a model: what ``damamba extract`` and ``damamba.extract`` return."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from damamba.config import CueParams, ExtractParams, FacesParams, parse_section
from damamba.console import InputError
from damamba.encoders.compact_whisper import provide_encoder
from damamba.features.health import read_notes
from damamba.files import only_one, whole_file
from damamba.predictor import PRESET
from damamba.predictor.passes import WORK, compute_cues, list_videos, one_conversation, passes_of, ready_extractor
from damamba.predictor.videos import Conversation
from damamba.presets.apply import preset_names, read_preset
from damamba.project import TEMPLATE
from damamba.streams.reader import read_stream
from damamba.streams.stream import FeatureStream

DECIMALS = 6


@dataclass(frozen=True)
class CueOfPerson:
    """One cue of one person, at its own rate."""

    session: str
    participant: str
    cue: str
    path: Path
    """Where the work on it is kept."""

    @cached_property
    def stream(self) -> FeatureStream:
        """Times, values (N, D), mask, names of the channels, encoder; read when it is asked for."""
        return read_stream(self.path, "damamba extract")

    def to_arrow(self) -> pa.Table:
        """Columns time_s and valid, and one for each channel, null where the row is not valid."""
        x, valid = np.asarray(self.stream.x), self.stream.valid
        columns = {"time_s": pa.array(self.stream.t_s, pa.float64()), "valid": pa.array(valid)}
        for k, channel in enumerate(self.stream.channels):
            columns[channel] = pa.array(x[:, k], pa.float32(), mask=~valid)
        facts = {"session": self.session, "participant": self.participant, "cue": self.cue}
        encoder = {key: getattr(self.stream, key) for key in ("extractor", "checkpoint", "revision", "note")}
        return pa.table(columns, metadata={**facts, **encoder})

    def to_pandas(self) -> Any:
        """The table of `to_arrow` as a DataFrame; needs pandas."""
        return self.to_arrow().to_pandas()

    def write(self, out: Path) -> list[Path]:
        """Write ``SESSION/PARTICIPANT.CUE.parquet`` and ``….csv`` below a folder; the files."""
        base = out / self.session / f"{self.participant}.{self.cue}"
        table, stream = self.to_arrow(), self.stream
        files = [base.with_name(f"{base.name}{ending}") for ending in (".parquet", ".csv")]
        with whole_file(files[0]) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        with whole_file(files[1]) as temporary, temporary.open("w", newline="", encoding="utf8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(table.column_names)
            empty = [""] * stream.width
            for t_s, seen, values in zip(stream.t_s, stream.valid, np.asarray(stream.x), strict=True):
                rows.writerow([f"{t_s:.4f}", int(seen), *([f"{v:.{DECIMALS}g}" for v in values] if seen else empty)])
        return files


@dataclass(frozen=True)
class Extraction:
    """Cues of everyone in some videos."""

    cues: tuple[CueOfPerson, ...]
    notes: tuple[str, ...]
    """What was missing of whom, a line each."""

    def of(self, participant: str, cue: str) -> CueOfPerson:
        """One of them; raises `KeyError` where there is none."""
        found = [one for one in self.cues if (one.participant, one.cue) == (participant, cue)]
        if not found:
            raise KeyError((participant, cue))
        return found[0]

    def write(self, out: Path | str) -> list[Path]:
        """Write all of them below a folder; the files."""
        return [path for one in self.cues for path in one.write(Path(out))]


def chosen_cues(preset: str, names: Sequence[str] | None) -> dict[str, CueParams]:
    """Cues of a preset, all or some.

    Raises:
        InputError: There is no such preset, it has no cues that videos contain, or none of such a name.
    """
    if preset not in preset_names():
        raise InputError(f"no preset {preset!r}; there are {', '.join(preset_names())}")
    cues = read_preset(preset).get("cues", {})
    found = {name: parse_section(CueParams, cue, f"preset {preset}: cues.{name}") for name, cue in cues.items()}
    found = {name: cue for name, cue in found.items() if ready_extractor(name, cue).media != "streams"}
    for name in names or ():
        if name not in found:
            raise InputError(f"no cue {name!r} in the preset {preset}; there are {', '.join(found) or 'none'}")
    if not found:
        raise InputError(f"the preset {preset} has no cues of videos; use compact, real, upstream or foundation")
    return {name: cue for name, cue in found.items() if names is None or name in names}


def extract_videos(
    conversations: Sequence[Conversation], cues: Mapping[str, CueParams], out: Path, loop: ExtractParams
) -> Extraction:
    """Cues of the people in some conversations; work that is done is kept below `out`.

    Args:
        conversations: One or more.
        cues: As in params.yaml.
        out: Folder.
        loop: Worker processes.

    Raises:
        InputError: A video or an encoder cannot be used, no cue can be computed from any of the videos, or another run
            works in `out`.
    """
    work = out / WORK
    with only_one(work / "lock", "damamba extract"):
        passes = passes_of(cues)
        passes.begin("check")
        manifest = list_videos({one.name: one for one in conversations}, work, loop)
        notes, possible = [], {}
        for name, cue in cues.items():
            extractor = ready_extractor(name, cue)
            lacking = [reason for one in manifest.participants if (reason := extractor.lacks(one))]
            if len(lacking) < len(manifest.participants):
                possible[name] = cue
            else:
                notes.append(f"{name}: left out: {', '.join(sorted(set(lacking)))} in any video")
        if not possible:
            raise InputError("\n".join([*notes, "there is nothing to compute"]))
        provide_encoder(possible)
        compute_cues(possible, _faces(), work, loop, passes)
        if any(cue.reads == "faces" for cue in possible.values()):
            notes += read_notes(work / "faces")
        found = [
            CueOfPerson(one.session, one.participant, name, shard)
            for one in manifest.participants
            for name in possible
            if (shard := one.shard(work / "features" / name)).is_file()
        ]
    for name in possible:
        notes += [f"{name}: {note}" for note in read_notes(work / "features" / name)]
    return Extraction(tuple(found), tuple(notes))


def _faces() -> FacesParams:
    """Of the default parameters."""
    values = yaml.safe_load((TEMPLATE / "params.yaml").read_text(encoding="utf8"))
    return parse_section(FacesParams, values["faces"], "params.yaml: faces")


def extract(
    *videos: Path | str,
    cues: Sequence[str] | None = None,
    preset: str = PRESET,
    out: Path | str | None = None,
    jobs: int | None = None,
) -> Extraction:
    """Cues of people in videos: what ``damamba extract`` does, as an object.

    Args:
        videos: One a person.
        cues: Names of cues in the preset; None: all.
        preset: Whose cues and encoders: compact, real, upstream or foundation.
        out: Folder in which work is kept for the next call; None: a temporary one.
        jobs: Worker processes, 0 = one a core; then the calling script needs ``if __name__ == "__main__":``. None:
            everything in this process.

    Raises:
        InputError: A video or an encoder cannot be used.
    """
    with one_conversation(videos, (), out, jobs) as (conversation, folder, loop):
        found = extract_videos([conversation], chosen_cues(preset, cues), folder, loop)
        for one in found.cues:
            _ = one.stream  # into memory, before a temporary folder is gone
        return found
