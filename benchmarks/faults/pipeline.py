"""The pipeline as the campaign sees it: stages, what each writes, and copies of a repository in which they may run."""

import hashlib
import json
import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from damamba.files import sha256
from tests.dag import copy_repository, damamba, linked_copy, repro

RUN = "da_mamba-0"
CODE = ("damamba", "damamba_sim", "stages")
IMPORTS_S = 3.0
"""What a stage takes before its own clock starts."""
Outcome = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A stage, and what it writes."""

    name: str
    """As in DVC."""
    command: tuple[str, ...]
    out: str
    """Folder or file whose bytes are compared."""
    one: str = ""
    """Pattern below `out` of what one participant has; "" where the stage has no such files."""

    def line(self) -> list[str]:
        """Its command line."""
        return [sys.executable, f"stages/{self.command[0]}", *self.command[1:]]

    def participants(self, folder: Path) -> list[Path]:
        """Its files of single participants in a finished repository, relative to that."""
        return sorted(path.relative_to(folder) for path in (folder / self.out).rglob(self.one)) if self.one else []

    def took_s(self, base: Path, one: bool) -> float:
        """About what it takes with its imports, for all participants or one."""
        record = base / f"results/timing/{self.name.replace('@', '-')}.json"  # the stage report leaves none
        whole = json.loads(record.read_text())["seconds"] if record.is_file() else 10.0
        return IMPORTS_S + (whole / len(self.participants(base)) if one else whole)


STAGES = (
    Stage("simulate", ("simulate.py",), "data/raw", "*.mp4"),
    Stage("ingest", ("ingest.py",), "data/corpus"),
    Stage("track_faces", ("track_faces.py",), "data/faces", "*.parquet"),
    Stage("rendering", ("rendering.py",), "results/rendering.json"),
    *(
        Stage(f"extract@{cue}", ("extract.py", cue), f"data/features/{cue}", "*.parquet")
        for cue in ("wav2vec2", "emotion", "clip", "flow", "landmark_flow")
    ),
    Stage("align", ("align.py",), "data/aligned", "*.arrow"),
    Stage(f"train@{RUN}", ("train.py", RUN), f"data/models/{RUN}"),
    Stage(f"evaluate@{RUN}", ("evaluate.py", RUN), f"data/predictions/{RUN}", "*.parquet"),
    Stage("ablate", ("ablate.py",), "results/ccc.json"),
    Stage("report", ("report.py",), "results/figures"),
)
"""All but four: check writes a constant, landmarker and compact_whisper copy files from a registry, benchmark measures
times."""


def finished(folder: Path) -> Path:
    """A repository in which the pipeline has run on the preset `smoke`."""
    copy_repository(folder)
    damamba(folder, "preset", "smoke")
    repro(folder)
    return folder


def copy_of(base: Path, folder: Path) -> Path:
    """A copy of a finished repository, in which stages may run."""
    return linked_copy(base, folder, ("params.yaml", "dvc.lock", ".git", ".dvc/tmp"))


def code_of(folder: Path) -> str:
    """Digits that name the code of a repository's library and stages."""
    digest = hashlib.sha256()
    for path in sorted(path for room in CODE for path in (folder / room).rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}:{sha256(path)}\n".encode())
    return digest.hexdigest()[:12]


def contents(path: Path) -> dict[str, str]:
    """Hash of every file at or below a path, half-written files included."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {file.relative_to(path.parent).as_posix(): sha256(file) for file in files}


def remove_outputs(base: Path, folder: Path, stage: Stage, draw: random.Random | None) -> None:
    """Remove what a stage wrote: of one participant that is drawn, or all."""
    out = folder / stage.out
    if draw and (some := stage.participants(base)):
        (folder / draw.choice(some)).unlink()
    elif out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink()
