"""How far the pipeline is, from what lies on the disk: shards, files in the making, locks and notes of failures.

Nothing is hashed and no shard is opened: a shard is written whole or not at all. Whether it is up to date, only
``dvc status`` finds out.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from damamba.config.base import Section, read_section
from damamba.console import FAILED, LOCKS, note_of
from damamba.corpus.manifest import Manifest, Participant
from damamba.files import is_held, is_part

MANIFEST = Path("data/corpus/manifest.jsonl")


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Cue(_Loose):
    reads: str


class _Corpus(_Loose):
    sources: tuple[str, ...]


class _Evaluate(_Loose):
    split: str


class _Wanted(Section):
    """What of params.yaml decides which artefacts there will be; `Params` would build every model first."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    corpus: _Corpus
    cues: dict[str, _Cue]
    runs: tuple[str, ...]
    evaluate: _Evaluate


@dataclass(frozen=True)
class Failure:
    """Why something could not be made."""

    stage: str
    participant: str
    """corpus/session/participant; "" where the stage failed as a whole."""
    error: str


@dataclass(frozen=True)
class StageStatus:
    """Counts of one stage."""

    stage: str
    total: int | None
    """Artefacts that there will be; None before `ingest` has listed the participants."""
    done: int
    writing: int
    """Files that a living process is writing."""
    left: int | None
    running: bool
    failures: tuple[Failure, ...]

    @property
    def state(self) -> str:
        """running, failed, done, partly or to do."""
        if self.running:
            return "running"
        if self.failures:
            return "failed"
        if self.done and self.left == 0:
            return "done"
        return "partly" if self.done else "to do"

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        names = ("stage", "state", "total", "done", "writing", "left")
        return {**{name: getattr(self, name) for name in names}, "failed": len(self.failures)}


def pipeline_status(root: Path) -> list[StageStatus]:
    """Counts of every stage that makes something for each participant or run, and of others that run or failed.

    Args:
        root: Folder of the pipeline.

    Raises:
        InputError: There is no params.yaml, or the manifest is damaged.
    """
    wanted = read_section(_Wanted, root / "params.yaml")
    people = Manifest.read(root / MANIFEST).participants if (root / MANIFEST).is_file() else None
    artefacts = dict(_artefacts(wanted, root, people))
    own = {path.stem for path in (root / LOCKS).glob("*.lock") if is_held(path)}
    own |= {path.stem for path in (root / FAILED).glob("*.json")}
    folders: dict[Path, tuple[set[str], int]] = {}
    rows = []
    for stage, (folder, expected) in {**artefacts, **{name: (None, ()) for name in own - artefacts.keys()}}.items():
        if folder is not None and folder not in folders:
            folders[folder] = _found_below(folder)
        found, writing = folders[folder] if folder is not None else (set(), 0)
        rows.append(_row(root, stage, folder, expected, found, writing))
    return rows


Artefacts = tuple[Path | None, Sequence[tuple[str, str]] | None]
"""Folder, and the file below it of each participant or run with the name of the former; None: not known yet."""


def _artefacts(wanted: _Wanted, root: Path, people: Sequence[Participant] | None) -> Iterator[tuple[str, Artefacts]]:
    """What each stage writes; the names of stages are those of their locks."""

    def shards(chosen: Sequence[Participant] | None, suffix: str = ".parquet") -> Sequence[tuple[str, str]] | None:
        return None if chosen is None else [(p.shard(Path(), suffix).as_posix(), p.name) for p in chosen]

    if "simulate" in wanted.corpus.sources:
        yield "simulate", (root / "data/raw", [("manifest.csv", "")])
    yield "ingest", (root / "data/corpus", [("manifest.jsonl", "")])
    if any(cue.reads == "faces" for cue in wanted.cues.values()):
        filmed = None if people is None else [p for p in people if p.video]
        yield "track_faces", (root / "data/faces", shards(filmed))
    for cue in wanted.cues:
        yield f"extract-{cue}", (root / "data/features" / cue, shards(people))
    yield "align", (root / "data/aligned", shards(people, ".arrow"))
    scored = None if people is None else [p for p in people if p.label and p.split == wanted.evaluate.split]
    for run in wanted.runs:
        yield f"train-{run}", (root / "data/models" / run, [("model.json", "")])
    for run in wanted.runs:
        yield f"evaluate-{run}", (root / "data/predictions" / run, shards(scored))


def _found_below(folder: Path) -> tuple[set[str], int]:
    """Paths of all files below a folder, and how many more are being written."""
    found, writing = set(), 0
    for inner, _, names in os.walk(folder):
        below = Path(inner).relative_to(folder).as_posix()
        start = "" if below == "." else f"{below}/"
        for name in names:
            if is_part(name):
                writing += is_held(Path(inner) / name)
            else:
                found.add(start + name)
    return found, writing


def _row(
    root: Path,
    stage: str,
    folder: Path | None,
    expected: Sequence[tuple[str, str]] | None,
    found: set[str],
    writing: int,
) -> StageStatus:
    failures, done = [], 0
    for path, name in expected or ():
        note = note_of(Path(path)).as_posix()
        if folder is not None and note in found and (reason := _reason(folder / note)):
            failures.append(Failure(stage, name, reason))
        else:
            done += path in found
    if not failures and (reason := _reason(root / FAILED / f"{stage}.json")):
        failures.append(Failure(stage, "", reason))
    total = None if expected is None else len(expected)
    left = None if total is None else total - done - sum(bool(each.participant) for each in failures)
    return StageStatus(stage, total, done, writing, left, is_held(root / LOCKS / f"{stage}.lock"), tuple(failures))


def _reason(note: Path) -> str | None:
    """What a note holds; None where there is none, such as one that a run has just removed."""
    try:
        content: Mapping[str, Any] = json.loads(note.read_text(encoding="utf8"))
        return str(content["error"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        return f"its note cannot be read: {note} ({error})"
