"""Disks that are full, that allow no larger file, or that are read-only, at every stage that writes."""

import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.faults.pipeline import STAGES, Outcome, Stage, contents, copy_of, remove_outputs
from tests.dag import ENVIRONMENT, call

LIMIT_BYTES = 1000
DISK_KIB = 8
KEPT = ".kept"
"""Where the content of a disk goes that lies in a namespace of its own, below the copy."""
UNSHARE = ("unshare", "--map-root-user", "--mount", "sh", "-c")
TOLD = re.compile(r"^[\w-]+: error: .*cannot be (read or )?written \(.*$", re.MULTILINE)


def limited(folder: Path, stage: Stage) -> subprocess.CompletedProcess:
    """The stage with a limit on the size of a file (``File too large``)."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))
    return subprocess.run(
        stage.line(), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, preexec_fn=limit, check=False
    )


def full(folder: Path, stage: Stage) -> subprocess.CompletedProcess:
    """The stage with a small disk of its own in the place of its output folder (``No space left on device``)."""
    return _mounted(folder, stage, 'mount -t tmpfs -o size="$SIZE" none "$DISK"')


def read_only(folder: Path, stage: Stage) -> subprocess.CompletedProcess:
    """The stage with its output folder read-only; permissions would not bind root."""
    return _mounted(folder, stage, 'mount --bind "$DISK" "$DISK" && mount -o remount,bind,ro "$DISK"')


def _mounted(folder: Path, stage: Stage, mount: str) -> subprocess.CompletedProcess:
    disk = _disk(folder, stage)
    disk.mkdir(parents=True, exist_ok=True)
    (folder / KEPT).mkdir()
    script = f'{mount} || exit 99; "$@"; code=$?; cp -a "$DISK/." {KEPT}/; exit $code'
    command = [*UNSHARE, script, "sh", *stage.line()]
    own = {"DISK": str(disk), "SIZE": f"{DISK_KIB}k"}
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT | own, capture_output=True, text=True, check=False)


def _disk(folder: Path, stage: Stage) -> Path:
    """The folder that a stage writes into."""
    out = folder / stage.out
    return out.parent if out.suffix else out


def mounts_work() -> bool:
    """Whether this user may mount disks in a namespace of its own."""
    return call(Path.cwd(), *UNSHARE, "mount -t tmpfs none /mnt", check=False).returncode == 0


def told(errors: str) -> str:
    """The line about the disk; "" if there is none or more than one."""
    found = TOLD.search(errors)
    return found[0] if found and errors.count(": error: ") == 1 else ""


def problem(base: Path, folder: Path, stage: Stage, done: subprocess.CompletedProcess) -> str:
    """What is wrong with how a stage met a disk; "" if it told it in one line and left nothing that is not whole."""
    if "Traceback" in done.stderr:
        return f"traceback: {done.stderr[-300:]}"
    if done.returncode != 1 or not told(done.stderr):
        return f"exit code {done.returncode}: {done.stderr[-300:]}"
    if half := [path.name for path in folder.rglob("*.part*") if path.is_file()]:
        return f"half-written: {half[0]}"
    kept = folder / KEPT
    whole, left = contents(base / stage.out), contents(folder / stage.out)
    if kept.exists() and not Path(stage.out).suffix:
        kept.rename(kept.with_name(Path(stage.out).name))
        left = contents(kept.with_name(Path(stage.out).name))
    other = [name for name, digits in left.items() if whole.get(name) != digits]
    return f"not as on a sound disk: {other[0]}" if other else ""


def disks(base: Path, work: Path, stages: Sequence[Stage] = STAGES) -> Outcome:
    """Every stage on every kind of disk: one line with the file, and nothing half-written."""
    kinds: dict[str, Callable[[Path, Stage], subprocess.CompletedProcess]] = {"limited": limited}
    outcomes: Outcome = {}
    left_out = ""
    if mounts_work():
        kinds |= {"full": full, "read_only": read_only}
    else:
        left_out = "full and read-only disks: no mounts in a namespace of one's own (unshare) here"
        print(f"disks: left out: {left_out}")
    for kind, run in kinds.items():
        others, lines = {}, {}
        tried = [stage for stage in stages if kind != "full" or not Path(stage.out).suffix]
        for stage in tried:
            folder = copy_of(base, work / "disk")
            remove_outputs(base, folder, stage, None)
            done = run(folder, stage)
            if wrong := problem(base, folder, stage, done):
                others[stage.name] = wrong
            else:
                lines[stage.name] = told(done.stderr)
            shutil.rmtree(folder)
            print(f"disk, {kind}: {stage.name}: {wrong or lines[stage.name]}", flush=True)
        outcomes[kind] = {"stages": len(tried), "one_line": len(lines), "others": others, "lines": lines}
    return {"left_out": left_out, "kinds": outcomes}
