"""Throughput and memory of ingest, extraction and alignment of a release at its official widths.

    python -m benchmarks.official --sessions 2 8

Writes dense random sessions of two participants, runs the stages as `dvc repro` would, and prints MB of input per
second, the largest total memory of the processes of a stage (PSS: shared pages count once), the time from the index to
the first batch of a training, and the cost of one additional session.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from benchmarks.long_sessions import family
from damamba.corpus.release import LABEL_FILE, LANGUAGE_FILE, SEATS, SESSIONS
from damamba.corpus.ssi import write_stream
from damamba.presets.apply import write_presets

ROOT = Path(__file__).parent.parent
WIDTHS = {"audio.egemapsv2": 88, "audio.w2vbert2_embeddings": 1024, "clip": 512, "openface2": 714, "openpose": 139}
CUES = ("egemaps", "w2vbert2", "clip", "openface", "openpose")
STAGES = (("ingest", ["stages/ingest.py"]), *((f"extract@{cue}", ["stages/extract.py", cue]) for cue in CUES))
RATE_HZ = 25
SAMPLE_S = 0.05


def write_session(folder: Path, rows: int, seed: int) -> None:
    """Two participants with all five streams and labels."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    (folder / LANGUAGE_FILE).write_text(f"0;{rows / RATE_HZ};English;1\n")
    for role in SEATS["noxi"]:
        for name, width in WIDTHS.items():
            x = rng.standard_normal((rows, width), np.float32)
            write_stream(folder / f"{role}.{name}.stream", x, 40.0 if "w2v" in name else RATE_HZ)
        (folder / f"{role}.{LABEL_FILE}").write_text("".join(f"{v:.6f}\n" for v in rng.random(rows)))


def memory_mib(root: int) -> float:
    """PSS of a process and all its descendants."""
    total_kib = 0
    for process in family(root):
        with suppress(OSError):
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total_kib += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total_kib / 1024


def run_stage(folder: Path, command: list[str]) -> tuple[float, float]:
    """Seconds and largest memory (MiB) of a stage."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(SAMPLE_S):
            peak = max(peak, memory_mib(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - started, peak


def cpu_s() -> float:
    """Processor seconds of all stages so far, which other programs on the machine hardly affect."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_stages(folder: Path) -> dict[str, tuple[float, float]]:
    """Ingest to align."""
    return {name: run_stage(folder, command) for name, command in (*STAGES, ("align", ["stages/align.py"]))}


FIRST_BATCH = """
import time
from pathlib import Path
from damamba.data.batch import TrainingWindows, WindowReader
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
started = time.perf_counter()
aligned = Aligned.read(Path("data/aligned"))
aligned.verify()
grid = WindowGrid(32, 32, 25)
windows = TrainingWindows(aligned.split("train"), grid, 0)
WindowReader(aligned, grid).read(windows.batch(0, 128))
print(time.perf_counter() - started)
"""


def first_batch_s(folder: Path) -> float:
    """Seconds from reading the index to 128 random windows, verified; without Python's own start."""
    command = [sys.executable, "-c", FIRST_BATCH]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return float(done.stdout)


def folder_mb(folder: Path) -> float:
    """Size of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def measure(folder: Path, sessions: int, minutes: float, rate_hz: int) -> dict[str, object]:
    """Run all stages on a release of `sessions` sessions, then on one more."""
    shutil.copytree(ROOT / "stages", folder / "stages")
    shutil.copy(ROOT / "params.yaml", folder)
    write_presets(["multimediate"], folder / "params.yaml")
    text = (folder / "params.yaml").read_text()
    nothing = "{noxi: {val: null, test: null}, noxi_add: {test: null}, mpiigi: {val: null, test: null}}"
    text = text.replace("features_at: {}", f"features_at: {nothing}")
    text = text.replace("align:\n  rate_hz: 25", f"align:\n  rate_hz: {rate_hz}")
    (folder / "params.yaml").write_text(text)
    rows = round(minutes * 60 * RATE_HZ)
    train = folder / "data/release/noxi/train"
    for seed, name in enumerate(SESSIONS["noxi"]["train"][:sessions]):
        write_session(train / name, rows, seed)
    input_mb = folder_mb(folder / "data/release")
    before_s = cpu_s()
    stages = run_stages(folder)
    processor_s = cpu_s() - before_s
    seconds = sum(s for s, _ in stages.values())
    disk = {name: round(folder_mb(folder / "data" / name)) for name in ("features", "aligned")}
    first_s = first_batch_s(folder)
    write_session(train / SESSIONS["noxi"]["train"][sessions], rows, sessions)
    again = sum(s for s, _ in run_stages(folder).values())
    return {
        "sessions": sessions,
        "minutes": minutes,
        "rate_hz": rate_hz,
        "input_mb": round(input_mb),
        "seconds": round(seconds, 1),
        "mb_per_s": round(input_mb / seconds, 1),
        "cpu_s": round(processor_s, 1),
        "mb_per_cpu_s": round(input_mb / processor_s, 1),
        "peak_mib": round(max(peak for _, peak in stages.values())),
        "first_batch_s": round(first_s, 2),
        "one_more_session_s": round(again, 1),
        "disk_mb": disk,
        "stages": {name: {"seconds": round(s, 1), "peak_mib": round(peak)} for name, (s, peak) in stages.items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--minutes", type=float, default=16.0)
    parser.add_argument("--rate-hz", type=int, choices=(25, 50, 100), default=25)
    options = parser.parse_args()
    for number in options.sessions:
        with tempfile.TemporaryDirectory() as temporary:
            result = measure(Path(temporary), number, options.minutes, options.rate_hz)
            sys.stdout.write(json.dumps(result, indent=1) + "\n")
