"""The campaign of faults: kills, disks, damage; writes ``results/reliability.json``.

``python benchmarks/faults.py``. With ``--base FOLDER``, a repository in which `dvc repro` has run on the preset
`smoke`, that run is spared. Everything happens in temporary copies, with the default executor. Seeds are fixed; the
moments of kills are shares of what a stage took in the undisturbed run.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from damamba.corpus.manifest import Manifest
from damamba.data.shards import Aligned, AlignedSession
from damamba.files import FileError, replace_file, sha256
from damamba.model.checkpoint import read_checkpoint
from damamba.scoring.predictions import read_column, read_label, read_prediction
from damamba.streams.reader import read_stream
from damamba.training.resume import read_state, write_state
from tests.dag import ENVIRONMENT, call, copy_repository, damamba, linked_copy, repro
from tests.damage import damages

ORPHANS_AFTER_S = 10.0
RUN = "da_mamba-0"
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

    def took_s(self, folder: Path) -> float:
        """What it took with its imports, which its record leaves out; the stage report leaves no record."""
        record = folder / f"results/timing/{self.name.replace('@', '-')}.json"
        return 3.0 + (json.loads(record.read_text())["seconds"] if record.is_file() else 10.0)


STAGES = (
    Stage("simulate", ("simulate.py",), "data/raw", "*/*/*.mp4"),
    Stage("ingest", ("ingest.py",), "data/corpus"),
    Stage("track_faces", ("track_faces.py",), "data/faces", "*/*/*.parquet"),
    Stage("rendering", ("rendering.py",), "results/rendering.json"),
    *(
        Stage(f"extract@{cue}", ("extract.py", cue), f"data/features/{cue}", "*/*/*.parquet")
        for cue in ("wav2vec2", "emotion", "clip", "flow", "landmark_flow")
    ),
    Stage("align", ("align.py",), "data/aligned", "*/*/*.arrow"),
    Stage(f"train@{RUN}", ("train.py", RUN), f"data/models/{RUN}"),
    Stage(f"evaluate@{RUN}", ("evaluate.py", RUN), f"data/predictions/{RUN}", "*/*/*.parquet"),
    Stage("ablate", ("ablate.py",), "results/ccc.json"),
    Stage("report", ("report.py",), "results/figures"),
)


def copy_of(base: Path, folder: Path) -> Path:
    """A copy of a finished repository, in which stages may run."""
    return linked_copy(base, folder, ("params.yaml", "dvc.lock", ".git", ".dvc/tmp"))


def contents(path: Path) -> dict[str, str]:
    """Hash of every file at or below a path, half-written files included."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {file.relative_to(path.parent).as_posix(): sha256(file) for file in files}


def remove_outputs(folder: Path, stage: Stage, draw: random.Random, one: bool) -> None:
    """Remove what a stage writes: of one participant, or all."""
    out = folder / stage.out
    if one and stage.one:
        draw.choice(sorted(out.glob(stage.one))).unlink()
    elif out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink()


def processes_in(folder: Path) -> list[int]:
    """Living processes that work below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            inside = (entry / "cwd").readlink().is_relative_to(folder)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if inside and state != "Z":
            found.append(int(entry.name))
    return found


def orphans(folder: Path) -> int:
    """Processes that are left after `ORPHANS_AFTER_S`; they are ended then."""
    end = time.monotonic() + ORPHANS_AFTER_S
    while (left := processes_in(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    for process in left:
        os.kill(process, signal.SIGKILL)
    return len(left)


def stage_command(stage: Stage) -> list[str]:
    """Command line of a stage."""
    return [sys.executable, f"stages/{stage.command[0]}", *stage.command[1:]]


def interrupt(folder: Path, command: Sequence[str], after_s: float, signum: int) -> tuple[int, str]:
    """Start a command and send it a signal; exit code and stderr."""
    with (folder / ".stderr").open("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
        )
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            if signum == signal.SIGINT:
                os.killpg(process.pid, signum)  # a terminal sends Ctrl-C to the whole group
            else:
                process.send_signal(signum)
        code = process.wait()
        errors.seek(0)
        text = errors.read()
    (folder / ".stderr").unlink()
    return code, text


def kill(base: Path, folder: Path, command: Sequence[str], again: Sequence[str], outs: Sequence[str], plan: Any) -> str:
    """Outcome of one kill and the run after it: ``identical``, or what was wrong."""
    prepare, after_s, signum = plan
    copy_of(base, folder)
    prepare(folder)
    code, errors = interrupt(folder, command, after_s, signum)
    left = orphans(folder)
    done = call(folder, *again, check=False)
    if left:
        return f"{left} orphans"
    if "Traceback" in errors or "Traceback" in done.stderr:
        return f"traceback after exit code {code}"
    if done.returncode:
        return f"the next run failed: {done.stderr[-300:]}"
    different = [out for out in outs if contents(folder / out) != contents(base / out)]
    return f"other bytes in {different[0]}" if different else "identical"


def kills(base: Path, work: Path, number: int, seed: int, stages: Sequence[Stage] = STAGES) -> Outcome:
    """Kill `stages` in turn at random moments, in every second round with one participant left."""
    draw, outcomes = random.Random(seed), Counter()
    worst: list[str] = []
    for k in range(number):
        stage, one = stages[k % len(stages)], k // len(stages) % 2 == 1
        took_s = stage.took_s(base)
        signum = draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        plan = partial(remove_outputs, stage=stage, draw=draw, one=one), draw.random() * took_s, signum
        command = stage_command(stage)
        outcome = kill(base, work / f"kill-{k}", command, command, [stage.out], plan)
        shutil.rmtree(work / f"kill-{k}")
        outcomes[outcome == "identical"] += 1
        if outcome != "identical":
            worst.append(f"{stage.name}, {signal.Signals(signum).name}, {'one left' if one else 'all'}: {outcome}")
        print(f"kill {k + 1}/{number}: {stage.name} {signal.Signals(signum).name}: {outcome}", flush=True)
    return {"kills": number, "identical": outcomes[True], "others": worst}


def dvc_kills(base: Path, work: Path, number: int, seed: int) -> Outcome:
    """Kill `dvc repro` itself, which has one participant of a stage left to make."""
    draw, worst = random.Random(seed), []
    stages = [stage for stage in STAGES if stage.name.startswith(("extract", "align", "train", "track"))]
    for k in range(number):
        stage = draw.choice(stages)
        took_s = stage.took_s(base) + 3.0
        signum = draw.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        plan = partial(remove_outputs, stage=stage, draw=draw, one=bool(stage.one)), draw.random() * took_s, signum
        again = ("dvc", "repro", "-f", "-s", stage.name)
        outcome = kill(base, work / f"dvc-{k}", again, again, [stage.out], plan)
        shutil.rmtree(work / f"dvc-{k}")
        if outcome != "identical":
            worst.append(f"{stage.name}, {signal.Signals(signum).name}: {outcome}")
        print(f"dvc kill {k + 1}/{number}: {stage.name} {signal.Signals(signum).name}: {outcome}", flush=True)
    return {"kills": number, "identical": number - len(worst), "others": worst}


def two_at_once(base: Path, work: Path) -> Outcome:
    """Two `dvc repro`, and two runs of one stage, at once: one line for the second, and the same bytes."""
    stage = next(stage for stage in STAGES if stage.name == "extract@flow")
    outcomes = {}
    for name, command in (("dvc", ["dvc", "repro", "-f", "-s", stage.name]), ("stage", stage_command(stage))):
        folder = copy_of(base, work / f"two-{name}")
        shutil.rmtree(folder / stage.out)
        both = [
            subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for _ in range(2)
        ]
        texts = [process.communicate()[0].decode() for process in both]
        codes = sorted(process.returncode != 0 for process in both)
        same = contents(folder / stage.out) == contents(base / stage.out)
        outcomes[name] = {
            "one_refused": codes == [False, True],
            "traceback": any("Traceback" in text for text in texts),
            "identical": same,
        }
        shutil.rmtree(folder)
    return outcomes


def disks(base: Path, work: Path, seed: int) -> Outcome:
    """Every stage on a disk that holds no file larger than 1000 bytes: one line with the file, and no half file."""
    draw, outcomes = random.Random(seed), {}
    for stage in STAGES:
        folder = copy_of(base, work / "disk")
        remove_outputs(folder, stage, draw, one=False)
        limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (1000, 1000))
        done = subprocess.run(
            stage_command(stage), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, preexec_fn=limit
        )
        lines = [line for line in done.stderr.splitlines() if "written (File too large" in line]
        half = [path for path in folder.rglob("*.part*") if path.is_file()]
        outcomes[stage.name] = "one line" if lines and done.returncode == 1 and not half else done.stderr[-300:]
        if "Traceback" in done.stderr:
            outcomes[stage.name] = f"traceback: {done.stderr[-300:]}"
        shutil.rmtree(folder)
        print(f"full disk: {stage.name}: {outcomes[stage.name]}", flush=True)
    told = [name for name, outcome in outcomes.items() if outcome == "one line"]
    return {
        "stages": len(outcomes),
        "one_line": len(told),
        "others": {k: v for k, v in outcomes.items() if k not in told},
    }


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
    return outcomes


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
    return outcomes


def finished(folder: Path) -> Path:
    """A repository in which the pipeline has run on the preset `smoke`."""
    copy_repository(folder)
    damamba(folder, "preset", "smoke")
    repro(folder)
    return folder


def main(options: argparse.Namespace) -> None:
    """Run the parts that were asked for and write what was seen."""
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        work = Path(name).resolve()
        base = options.base.resolve() if options.base else finished(work / "base")
        parts: dict[str, Callable[[], Outcome]] = {
            "damage": lambda: damage(base, work, options.trials, options.seed),
            "commands": lambda: commands(base, work),
            "disks": lambda: disks(base, work, options.seed),
            "two_at_once": lambda: two_at_once(base, work),
            "kills": lambda: kills(base, work, options.kills, options.seed),
            "dvc_kills": lambda: dvc_kills(base, work, options.dvc_kills, options.seed),
        }
        seen = {part: run() for part, run in parts.items() if part in (options.parts or parts)}
    replace_file(options.out, (json.dumps({"seed": options.seed, **seen}, indent=1) + "\n").encode())
    print(f"-> {options.out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, metavar="FOLDER", help="repository with a finished smoke run")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="where the copies lie: the disk of --base")
    parser.add_argument("--out", type=Path, default=Path("results/reliability.json"))
    parser.add_argument("--parts", nargs="+", metavar="PART", help="some of damage, commands, disks, …")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--dvc-kills", type=int, default=12)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
