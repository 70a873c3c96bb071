"""Damage of one file of every artefact: what its reader does, and what stages and commands say."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults.pipeline import RUN, Outcome, copy_of
from damamba.corpus.manifest import Manifest
from damamba.data.shards import Aligned, AlignedSession
from damamba.files import FileError
from damamba.model.checkpoint import read_checkpoint
from damamba.scoring.predictions import read_column, read_label, read_prediction
from damamba.streams.reader import read_stream
from damamba.training.resume import read_state, write_state
from tests.dag import call
from tests.damage import damages


def _frames(aligned: Aligned, session: AlignedSession, who: str) -> list[Any]:
    shard = aligned.shard(session, who)
    return [part for cue in aligned.cues for part in shard.read(cue, 0, shard.rows)]


def artefacts(folder: Path) -> dict[str, tuple[Path, Callable[[], Any]]]:
    """Name of an artefact -> one file of it, and what readers make of it."""
    aligned = Aligned.read(folder / "data/aligned")
    session = aligned.split("test")[0]
    who = session.seats[0].participant
    below = f"{session.corpus}/{session.session}/{who}"
    manifest = folder / "data/corpus/manifest.jsonl"
    state = folder / "state/train/damage.pt"
    prediction = folder / f"data/predictions/{RUN}/{below}.parquet"
    labels = folder / f"data/corpus/labels/{below}.parquet"
    model = folder / "data/models" / RUN
    found = {
        "manifest": (manifest, lambda: Manifest.read(manifest)),
        "labels": (labels, lambda: read_column(labels, "value", "")),
        "aligned frames": (aligned.path(session, who, ".arrow"), lambda: _frames(aligned, session, who)),
        "aligned labels": (aligned.path(session, who, ".label.arrow"), lambda: aligned.labels(session, who)),
        "index": (folder / "data/aligned/index.json", lambda: Aligned.read(folder / "data/aligned")),
        "statistics": (aligned.root / "statistics.safetensors", aligned.statistics),
        "weights": (model / "model.safetensors", lambda: read_checkpoint(model)),
        "description": (model / "model.json", lambda: read_checkpoint(model)),
        "resume state": (state, lambda: read_state(state)),
        "predictions": (prediction, lambda: (read_prediction(prediction, RUN), read_label(prediction, RUN))),
    }
    for name in ("faces", *(f"features/{cue}" for cue in aligned.cues)):
        path = folder / "data" / name / f"{below}.parquet"
        found[name] = (path, partial(read_stream, path, ""))
    return found


def damage(base: Path, work: Path, trials: int, seed: int) -> Outcome:
    """Flips, zeros and truncations of a file of every artefact, its time kept; what the readers do."""
    folder = copy_of(base, work / "damage")
    write_state(folder / "state/train/damage.pt", {"model": read_checkpoint(folder / "data/models" / RUN)[1]})
    outcomes = {}
    for name, (path, read) in artefacts(folder).items():
        content, stat, counts = path.read_bytes(), path.stat(), Counter()
        read()
        for _, damaged in damages(content, trials, seed):
            path.unlink()  # the file of the base is linked
            path.write_bytes(damaged)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            try:
                read()
                counts["silent"] += 1
            except FileError as error:
                counts["refused" if "\n" not in str(error) else "more than a line"] += 1
            except Exception as error:  # a traceback for the user
                counts[type(error).__name__] += 1
        path.write_bytes(content)
        read()
        outcomes[name] = {"trials": trials, **counts}
        print(f"damage: {name}: {dict(counts)}", flush=True)
    shutil.rmtree(folder)
    return {"artefacts": outcomes}


def commands(base: Path, work: Path) -> Outcome:
    """Stages and commands that meet one damaged file: exit code 1 and a line that names it."""
    folder = copy_of(base, work / "commands")
    tool = [sys.executable, "-c", "from damamba.cli import main; main()"]
    files = artefacts(folder) | {"sessions": (folder / f"results/sessions/{RUN}.csv", None)}
    cases = {
        "align": ("features/flow", [sys.executable, "stages/align.py"]),
        "train": ("statistics", [sys.executable, "stages/train.py", RUN]),
        "evaluate, frames": ("aligned frames", [sys.executable, "stages/evaluate.py", RUN]),
        "evaluate, labels": ("aligned labels", [sys.executable, "stages/evaluate.py", RUN]),
        "evaluate, weights": ("weights", [sys.executable, "stages/evaluate.py", RUN]),
        "report": ("predictions", [sys.executable, "stages/report.py"]),
        "ablate": ("sessions", [sys.executable, "stages/ablate.py"]),
        "score, labels": ("labels", [*tool, "score", "data/corpus", f"data/predictions/{RUN}"]),
        "score": ("predictions", [*tool, "score", "data/corpus", f"data/predictions/{RUN}"]),
        "submit": ("predictions", [*tool, "submit", RUN, "out.zip", "--edition", "2024"]),
    }
    outcomes = {}
    for name, (artefact, command) in cases.items():
        path = files[artefact][0]
        content = path.read_bytes() if path.exists() else b""
        path.unlink(missing_ok=True)
        path.write_bytes(content[: len(content) // 2] + bytes(40) + content[len(content) // 2 + 40 :])
        done = call(folder, *command, check=False)
        told = done.returncode == 1 and "Traceback" not in done.stderr and path.name in done.stderr
        outcomes[name] = "one line" if told else f"exit code {done.returncode}: {done.stderr[-200:]}"
        path.write_bytes(content)
        print(f"command: {name}: {outcomes[name]}", flush=True)
    shutil.rmtree(folder)
    return {"cases": outcomes}
