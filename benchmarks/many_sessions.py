"""Time and memory of the pipeline by the number of sessions, which are small: what grows with their number alone.

    PYTHONPATH=. python benchmarks/many_sessions.py --sessions 1000 2000 10000 --out benchmarks/many_sessions.jsonl

Makes a project of two people a session, each with two streams as wide as the demo's cues and a label file, lasting four
seconds; runs the stages up to align, in one process each, and align again with nothing to do; lets DVC record them, and
runs `dvc status`, `dvc repro` and `damamba status`, which have nothing to do; then opens the index and draws training
windows. Wall and CPU seconds (of a command with all its processes) and the largest RssAnon, MiB. CPU seconds hardly
depend on what else the machine does. One line of JSON for each number.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.long_sessions import LOOKS_A_FAMILY, SAMPLE_S, anonymous_kib, family
from damamba.commands.status import UNFINISHED
from damamba.config import Params
from damamba.corpus.manifest_csv import COLUMNS
from damamba.data.batch import TrainingWindows, WindowReader
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.presets.apply import write_presets
from damamba.project import make
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream

ROOT = Path(__file__).parent.parent
WIDTHS = {"voice": 64 + 71, "face": 64 + 76 + 100}
"""Channels of the demo's audio and visual cues."""
PEOPLE, SECONDS, RATE_HZ = 2, 4, 25
LANDMARKER = "data/landmarker/face_landmarker.task"
BATCH, BATCHES = 128, 20


def write_project(folder: Path, sessions: int) -> None:
    """A project with recordings; one session in fifty is for validation, one for the test."""
    make(folder)
    (folder / "data/landmarker").mkdir()
    shutil.copy(ROOT / LANDMARKER, folder / LANDMARKER)
    write_presets(["smoke"], folder / "params.yaml")
    values = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf8"))
    values["corpus"]["sources"] = ["folder"]
    values["cues"] = {
        name: {"group": "audio" if name == "voice" else "visual", "extractor": "stream", "reads": "corpus",
               "stream": name, "drop": [], "lookahead_s": None}
        for name in WIDTHS
    }  # fmt: skip
    values["align"]["rate_hz"] = RATE_HZ
    values["extract"]["executor"] = "serial"
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf8")
    recordings = folder / "data/recordings"
    n = SECONDS * RATE_HZ
    rng = np.random.default_rng(0)
    pool = np.round(rng.standard_normal((n + 997, sum(WIDTHS.values()))), 2).astype(np.float32)
    times, seen = np.arange(n) / RATE_HZ, np.ones(n, bool)
    with (recordings / "manifest.csv").open("w", newline="", encoding="utf8") as file:
        rows = csv.writer(file)
        rows.writerow([*COLUMNS, "streams"])
        for number in range(sessions):
            split = {0: "val", 1: "test"}.get(number % 50, "train")
            for seat in range(PEOPLE):
                name, person, first = f"s{number:06d}", f"p{seat}", rng.integers(997)
                base, column = recordings / name, 0
                for stream, width in WIDTHS.items():
                    x = pool[first : first + n, column : column + width]
                    column += width
                    channels = tuple(map(str, range(width)))
                    made = FeatureStream(times, x, seen, seen.astype(np.float32), float(RATE_HZ), channels, stream)
                    write_stream(base / f"{person}.{stream}.parquet", made)
                level = 0.5 + 0.4 * np.sin(times + rng.uniform(0, 6))
                lines = (f"{t:.2f};{v:.3f}" for t, v in zip(times, level, strict=True))
                (base / f"{person}.engagement.csv").write_text("\n".join(["time;engagement", *lines]) + "\n")
                cells = dict(
                    session=name, participant=person, role=person, split=split, language="en",
                    person=f"{name}{person}", label=f"{name}/{person}.engagement.csv",
                )  # fmt: skip
                streams = ";".join(f"{name}/{person}.{stream}.parquet" for stream in WIDTHS)
                rows.writerow([*(cells.get(column, "") for column in COLUMNS), streams])


def timed(folder: Path, *command: str, may_be: tuple[int, ...] = (0,)) -> dict[str, float]:
    """Wall and CPU seconds of a command in `folder`, and the largest RssAnon of it and all its processes together."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    started, peak_kib, looks = time.perf_counter(), 0, 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        processes: set[int] = set()
        usage = None
        while usage is None:
            if looks % LOOKS_A_FAMILY == 0:
                processes = family(process.pid)
            peak_kib = max(peak_kib, sum(map(anonymous_kib, processes)))
            looks += 1
            time.sleep(SAMPLE_S)
            with suppress(ChildProcessError):
                pid, status, spent = os.wait4(process.pid, os.WNOHANG)
                usage = spent if pid else None
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in may_be:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read().decode()[-3000:]}")
    wall_s = time.perf_counter() - started
    cpu_s = usage.ru_utime + usage.ru_stime
    return {"seconds": round(wall_s, 1), "cpu_s": round(cpu_s, 1), "peak_mib": round(peak_kib / 1024)}


def sample(folder: Path) -> dict[str, float]:
    """Opening the index, and reading training windows in the order in which training draws them."""
    os.chdir(folder)
    window = Params.load().window
    started, started_cpu = time.perf_counter(), time.process_time()
    aligned = Aligned.read(Path("data/aligned"))
    opened_s, opened_cpu = time.perf_counter() - started, time.process_time() - started_cpu
    grid = WindowGrid.of(window)
    reader = WindowReader(aligned, grid)
    windows = TrainingWindows(aligned.split("train"), grid, 0)
    aligned.verify()  # as the stage does before it trains
    rates = []
    for _ in range(2):
        first = len(rates) * BATCHES
        started_cpu = time.process_time()
        for step in range(first, first + BATCHES):
            reader.read(windows.batch(step, BATCH))
        rates.append(BATCH * BATCHES / (time.process_time() - started_cpu))
    return {
        "index_s": round(opened_s, 3),
        "index_cpu_s": round(opened_cpu, 3),
        "windows_per_cpu_s": round(rates[-1]),
        "rss_anon_mib": round(anonymous_kib(os.getpid()) / 1024),
    }


def measure(folder: Path, sessions: int) -> dict[str, Any]:
    """All commands on so many sessions."""
    started = time.perf_counter()
    write_project(folder, sessions)
    result: dict[str, Any] = {
        "sessions": sessions,
        "people": PEOPLE,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "processor": platform.machine(),
        "write_s": round(time.perf_counter() - started, 1),
    }
    for stage, *names in (("ingest",), *(("extract", name) for name in WIDTHS), ("align",)):
        result["-".join([stage, *names])] = timed(folder, sys.executable, f"stages/{stage}.py", *names)
    result["align_again"] = timed(folder, sys.executable, "stages/align.py")
    result["repro"] = timed(folder, "dvc", "repro", "align")
    result["dvc_status"] = timed(folder, "dvc", "status", "align")
    result["repro_again"] = timed(folder, "dvc", "repro", "align")
    result["damamba_status"] = timed(
        folder, sys.executable, "-c", "from damamba.cli import main; main()", "status", may_be=(UNFINISHED,)
    )
    script = str(Path(__file__).resolve())
    sampled = subprocess.run(
        [sys.executable, script, "--sample", str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    result["sampler"] = json.loads(sampled.stdout)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1000, 2000])
    parser.add_argument("--out", type=Path, help="append the lines to this file too")
    parser.add_argument("--sample", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sample:
        print(json.dumps(sample(options.sample)))
        sys.exit()
    for number in options.sessions:
        with tempfile.TemporaryDirectory() as temporary:
            line = json.dumps(measure(Path(temporary) / "project", number))
            print(line, flush=True)
            if options.out:
                with options.out.open("a", encoding="utf8") as file:
                    file.write(line + "\n")
