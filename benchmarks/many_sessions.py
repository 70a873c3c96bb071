"""Time and memory of the pipeline by the number of sessions, which are small: what grows with their number alone.

    PYTHONPATH=. python benchmarks/many_sessions.py --sessions 1000 2000 10000 --dvc

Makes a project of two people a session, each with two streams as wide as the demo's cues and a label file, lasting four
seconds. One process then ingests, extracts and aligns them, aligns again with nothing to do, counts as `damamba
status` does, opens the index and draws training windows; CPU seconds, which hardly depend on the load. With
``--dvc``, `dvc repro align` records what is there, and `dvc status` and another `dvc repro` have nothing to do; wall
and CPU seconds of the commands with all their processes, and the largest RssAnon, MiB. A line of JSON for each number.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.long_sessions import LOOKS_A_FAMILY, SAMPLE_S, anonymous_kib, family
from damamba.config import Params, parse_section
from damamba.corpus.manifest import Manifest
from damamba.corpus.manifest_csv import COLUMNS
from damamba.data.align import align_all
from damamba.data.batch import TrainingWindows, WindowReader
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.executor import run_all
from damamba.extractors.stream import Stream
from damamba.features.extract import extract_manifest
from damamba.ingest.run import ingest
from damamba.presets.apply import write_presets
from damamba.project import make
from damamba.status import pipeline_status
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream

ROOT = Path(__file__).parent.parent
WIDTHS = {"voice": 64 + 71, "face": 64 + 76 + 100}
"""Channels of the demo's audio and visual cues."""
PEOPLE, SECONDS, RATE_HZ = 2, 4, 25
RECORDINGS = "data/recordings"
LANDMARKER = "data/landmarker/face_landmarker.task"
BATCH, BATCHES = 128, 20


def write_project(folder: Path, sessions: int, landmarker: Path) -> None:
    """A project with streams in place of media; one session in fifty is for validation, one for the test."""
    make(folder)
    (folder / "data/landmarker").mkdir()
    shutil.copy(landmarker, folder / LANDMARKER)
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
    recordings = folder / RECORDINGS
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


def timed(folder: Path, *command: str) -> dict[str, float]:
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
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read().decode()[-3000:]}")
    wall_s = time.perf_counter() - started
    cpu_s = usage.ru_utime + usage.ru_stime
    return {"seconds": round(wall_s, 1), "cpu_s": round(cpu_s, 1), "peak_mib": round(peak_kib / 1024)}


def phases(folder: Path) -> dict[str, Any]:
    """CPU seconds of each phase in this process; windows a CPU second, in the order in which training draws them."""
    os.chdir(folder)
    params, corpus, features, aligned = Params.load(), *(Path("data") / x for x in ("corpus", "features", "aligned"))
    spent: dict[str, Any] = {}

    def serially(function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
        return run_all(function, tasks, 1, "serial", "many sessions")

    @contextmanager
    def clock(name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        spent[name] = round(time.process_time() - started, 2)

    def align() -> str:
        parts = params.cues, params.align, "as given", Manifest.read(corpus / "manifest.jsonl")
        return align_all(*parts, features, corpus, aligned, serially)

    with clock("ingest"):
        ingest(params.corpus, corpus, serially, params.labels)
    with clock("extract"):
        for name, cue in params.cues.items():
            settings = parse_section(Stream.Params, cue.settings(), name)
            extract_manifest(Stream, settings, features / name, params.extract, name)
    with clock("align"):
        align()
    with clock("align_again"):
        align()
    with clock("status"):
        pipeline_status(Path())
    with clock("index"):
        index = Aligned.read(aligned)
    with clock("verify"):
        index.verify()  # as the stage does before it trains
    grid = WindowGrid.of(params.window)
    reader, windows = WindowReader(index, grid), TrainingWindows(index.split("train"), grid, 0)
    rates = []
    for half in range(2):
        started = time.process_time()
        for step in range(half * BATCHES, (half + 1) * BATCHES):
            reader.read(windows.batch(step, BATCH))
        rates.append(BATCH * BATCHES / (time.process_time() - started))
    started = time.process_time()
    for step in range(BATCHES):
        windows.batch(step, BATCH)
    drawn = BATCH * BATCHES / (time.process_time() - started)
    rss_mib = round(anonymous_kib(os.getpid()) / 1024)
    return {"cpu_s": spent, "drawn_a_cpu_s": round(drawn), "read_a_cpu_s": round(rates[-1]), "rss_anon_mib": rss_mib}


def measure(folder: Path, sessions: int, dvc: bool) -> dict[str, Any]:
    """All phases on so many sessions, and the commands of DVC if they are asked for."""
    started = time.perf_counter()
    write_project(folder, sessions, ROOT / LANDMARKER)
    result: dict[str, Any] = {
        "sessions": sessions,
        "people": PEOPLE,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "processor": platform.machine(),
        "write_s": round(time.perf_counter() - started, 1),
    }
    script = [sys.executable, str(Path(__file__).resolve()), "--phases", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(script, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    result |= json.loads(done.stdout)
    if dvc:
        result["repro"] = timed(folder, "dvc", "repro", "align")
        result["dvc_status"] = timed(folder, "dvc", "status", "align")
        result["repro_again"] = timed(folder, "dvc", "repro", "align")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1000, 2000])
    parser.add_argument("--out", type=Path, help="append the lines to this file too")
    parser.add_argument("--dvc", action="store_true", help="DVC's commands too")
    parser.add_argument("--phases", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phases:
        print(json.dumps(phases(options.phases)))
        sys.exit()
    for number in options.sessions:
        with tempfile.TemporaryDirectory() as temporary:
            line = json.dumps(measure(Path(temporary) / "project", number, options.dvc))
            print(line, flush=True)
            if options.out:
                with options.out.open("a", encoding="utf8") as file:
                    file.write(line + "\n")
