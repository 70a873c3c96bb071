"""Time and memory of align, train and evaluate by the length of a session of five people.

    python benchmarks/long_sessions.py --minutes 5 60

Writes random streams and labels of two sessions (training and test), runs the stages as `dvc repro` would, in one
worker, and prints for each stage its seconds and the largest memory that belongs to it and to all its processes
together (RssAnon, MiB), without files that are mapped into memory.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import yaml

from damamba.corpus.labels import Labels
from damamba.corpus.manifest import Manifest, Participant
from damamba.ingest.run import write_labels
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream

ROOT = Path(__file__).parent.parent
RATES_HZ = {"wav2vec2": 50.0, "emotion": 10.0, "clip": 25.0, "flow": 25.0, "landmark_flow": 25.0, "expression": 25.0}
PEOPLE, SAMPLE_S = 5, 0.02
LOOKS_A_FAMILY = 10
"""Memory is read this often before new processes are looked for."""


def write_corpus(folder: Path, minutes: float, width: int, steps: int) -> None:
    """Two sessions: features, labels, manifest and parameters."""
    people = []
    for number, split in enumerate(("train", "test")):
        for seat in range(PEOPLE):
            name = f"p{seat}"
            who = Participant(
                "own", split, name, name, split, "en", f"{number}{name}", "", "", "labels.csv", duration_s=60 * minutes
            )
            people.append(who)
            rng = np.random.default_rng((number, seat))
            for cue, rate_hz in RATES_HZ.items():
                n = round(60 * minutes * rate_hz)
                x, seen = rng.standard_normal((n, width), np.float32), rng.random(n) < 0.97
                x[~seen] = np.nan
                channels = tuple(map(str, range(width)))
                stream = FeatureStream(
                    (np.arange(n) + 0.5) / rate_hz, x, seen, seen.astype(np.float32), rate_hz, channels, cue
                )
                write_stream(who.shard(folder / "data/features" / cue), stream)
            value = np.cumsum(rng.normal(0, 0.02, round(60 * minutes * 25)))
            value = (0.5 + 0.4 * np.sin(value)).astype(np.float32)
            write_labels(who.shard(folder / "data/corpus/labels"), Labels(value, np.ones(len(value), bool)))
    Manifest(tuple(people)).write(folder / "data/corpus/manifest.jsonl")
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf8"))
    values["train"] |= {
        "steps": steps,
        "warmup_steps": 0,
        "validate_steps": steps,
        "checkpoint_steps": steps,
        "threads": 1,
    }
    values["extract"]["executor"] = "serial"
    values["runs"] = ["da_mamba-0"]
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf8")


def add_stages(folder: Path) -> None:
    """Copy the stages, which run in the current folder."""
    shutil.copytree(ROOT / "stages", folder / "stages")


def run_stage(folder: Path, command: list[str]) -> dict[str, float]:
    """Seconds of a stage, and the largest RssAnon of it and all its processes together."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started, peak_kib = time.perf_counter(), 0
    with tempfile.TemporaryFile() as problem:  # a pipe would fill up
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=problem
        )
        looks, processes = 0, set()
        while process.poll() is None:
            if looks % LOOKS_A_FAMILY == 0:
                processes = family(process.pid)
            peak_kib = max(peak_kib, sum(map(anonymous_kib, processes)))
            looks += 1
            time.sleep(SAMPLE_S)
        problem.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{problem.read().decode()[-2000:]}")
    return {"seconds": round(time.perf_counter() - started, 1), "peak_mib": round(peak_kib / 1024)}


def family(process: int) -> set[int]:
    """A process and all below it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(FileNotFoundError, ProcessLookupError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, more = set(), {process}
    while more:
        found |= more
        more = {child for child, parent in parents.items() if parent in more}
    return found


def anonymous_kib(process: int) -> int:
    """RssAnon of a process; 0 if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        status = Path(f"/proc/{process}/status").read_text()
        return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))
    return 0


def measure(folder: Path, minutes: float, width: int, steps: int) -> dict[str, object]:
    """All stages on sessions of this length."""
    add_stages(folder)
    write_corpus(folder, minutes, width, steps)
    commands = {"align": [], "train": ["da_mamba-0"], "evaluate": ["da_mamba-0"]}
    stages = {name: run_stage(folder, [f"stages/{name}.py", *rest]) for name, rest in commands.items()}
    return {"minutes": minutes, "people": PEOPLE, "channels": width * len(RATES_HZ), "steps": steps, "stages": stages}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 60.0])
    parser.add_argument("--width", type=int, default=8, help="channels of a cue")
    parser.add_argument("--steps", type=int, default=8, help="of training")
    options = parser.parse_args()
    for length in options.minutes:
        with tempfile.TemporaryDirectory() as temporary:
            result = measure(Path(temporary), length, options.width, options.steps)
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
