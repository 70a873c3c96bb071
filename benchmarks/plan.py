"""Does `damamba plan` predict a larger release from a run on a smaller one?

Dense random sessions at the official widths go through ingest, extraction and alignment twice: a few short ones, then
many long ones. The plan made from the first run is compared with the second. Exit code 1 where a total is off by more
than the tolerance.

    python benchmarks/plan.py --small 2 16 --large 8 16
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from damamba.commands.plan import plan_of
from damamba.config import LABEL_RATE_HZ, Params
from damamba.corpus.labels import write_values
from damamba.corpus.release import SESSIONS
from damamba.corpus.ssi import write_stream
from damamba.planning.earlier_runs import folder_size
from damamba.planning.workload import planned
from damamba.presets.apply import write_presets

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = {"audio.egemapsv2": 88, "audio.w2vbert2_embeddings": 1024, "clip": 512, "openface2": 714, "openpose": 139}


def make_release(root: Path, sessions: int, minutes: float) -> None:
    """Training sessions of NoXi with five streams and one label per participant."""
    rng = np.random.default_rng(0)
    rows = round(minutes * 60 * LABEL_RATE_HZ)
    for session in SESSIONS["noxi"]["train"][:sessions]:
        folder = root / "noxi/train" / session
        folder.mkdir(parents=True)
        for role in ("expert", "novice"):
            for name, width in WIDTHS.items():
                x = rng.standard_normal((rows, width), dtype=np.float32)
                write_stream(folder / f"{role}.{name}.stream", x, LABEL_RATE_HZ)
            write_values(folder / f"{role}.engagement.annotation.csv", rng.random(rows))


def make_folder(root: Path, sessions: int, minutes: float, jobs: int) -> Params:
    """A working folder with params.yaml and the release that it names."""
    make_release(root / "data/release", sessions, minutes)
    yaml = YAML()
    values = yaml.load((ROOT / "params.yaml").read_text(encoding="utf8"))
    values["extract"]["jobs"] = jobs
    absent = {"noxi": {"val": None, "test": None}, "noxi_add": {"test": None}, "mpiigi": {"val": None, "test": None}}
    values["corpus"]["official"]["features_at"] = absent
    path = root / "params.yaml"
    yaml.dump(values, path)
    write_presets(["multimediate"], path)
    return Params.load(path)


def run_stages(root: Path, cues: list[str], cpu_time: bool) -> dict[str, float]:
    """Seconds of each stage; with `cpu_time`, only those in which the processor worked."""
    seconds = {}
    commands = {"ingest": ["ingest.py"], **{f"extract-{cue}": ["extract.py", cue] for cue in cues}}
    for stage, (script, *arguments) in {**commands, "align": ["align.py"]}.items():
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, ROOT / "stages" / script, *arguments], cwd=root, check=True)
        after, elapsed_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
        timing = root / "results/timing" / f"{stage}.json"
        record = json.loads(timing.read_text())
        if cpu_time:
            ended = timing.stat().st_mtime
            made = [path for path in (root / "data").rglob("*") if path.stat().st_mtime >= ended - record["seconds"]]
            busy_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            record["seconds"] *= busy_s / elapsed_s
            timing.write_text(json.dumps(record))
            for path in (*made, timing):  # so that the files lie within the shorter run
                os.utime(path, (ended, ended))
        seconds[stage] = record["seconds"]
    return seconds


def compare(what: str, predicted: dict[str, float], measured: dict[str, float]) -> float:
    """Print predicted and measured values; return the relative error of the total."""
    lines = [f"{'':5} {'':24} {'predicted':>14} {'measured':>14}"]
    for name, value in measured.items():
        lines.append(f"{what:5} {name:24} {predicted[name]:14.2f} {value:14.2f} {predicted[name] / value - 1:+8.1%}")
    both = sum(predicted[name] for name in measured), sum(measured.values())
    off = both[0] / both[1] - 1
    sys.stdout.write("\n".join([*lines, f"{what:5} {'all':24} {both[0]:14.2f} {both[1]:14.2f} {off:+8.1%}", "", ""]))
    return off


def main() -> None:
    """Make, run, plan, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("small", [2, 16]), ("large", [8, 16])):
        parser.add_argument(f"--{name}", nargs=2, type=float, default=default, metavar=("SESSIONS", "MINUTES"))
    parser.add_argument("--jobs", type=int, default=0, help="worker processes (0 = one a core)")
    parser.add_argument("--cpu-time", action="store_true", help="compare processor time: for a machine that is busy")
    parser.add_argument("--tolerance", type=float, default=0.25)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        for root, (sessions, minutes) in ((small, options.small), (large, options.large)):
            root.mkdir()
            params = make_folder(root, int(sessions), minutes, options.jobs)
            measured = run_stages(root, list(params.cues), options.cpu_time)
        os.chdir(large)
        plan = plan_of(params, planned(params.corpus, params.simulate, params.labels), small)
        seconds = {name: cost["value"] for name, cost in plan["time"].items()}
        sizes = {name: cost["value"] / 2**20 for name, cost in plan["disk"].items()}
        there = {name: folder_size(large / name) / 2**20 for name in sizes if (large / name).is_dir()}
        off = [compare("s", seconds, measured), compare("MiB", sizes, there)]
    sys.exit(any(abs(share) > options.tolerance for share in off))


if __name__ == "__main__":
    main()
