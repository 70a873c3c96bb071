"""Kills of stages and of `dvc`, and two at once: what is left running, and what the next run makes."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.faults.pipeline import STAGES, Outcome, Stage, contents, copy_of, remove_outputs
from tests.dag import ENVIRONMENT, call

ORPHANS_AFTER_S = 10.0
DVC_S = 3.0
"""What `dvc repro` takes before it starts a stage."""
EARLIEST_S = 1.0
TRIES = 8
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Kill:
    """One kill: who, when, how."""

    stage: Stage
    one: bool
    """Whether one participant was left to make, else all."""
    signum: signal.Signals
    after_s: float
    by_dvc: bool
    seed: str

    @classmethod
    def drawn(cls, base: Path, number: int, seed: int, stages: Sequence[Stage], by_dvc: bool) -> "Kill":
        """Kill `number` of a campaign: the stages in turn, one participant left in every other round."""
        name = f"{seed} {number} {by_dvc}"
        draw = random.Random(name)
        stage = stages[number % len(stages)]
        one = bool(stage.one) and (by_dvc or number // len(stages) % 2 == 0)
        latest_s = stage.took_s(base, one) + DVC_S * by_dvc
        return cls(stage, one, draw.choice(SIGNALS), draw.uniform(EARLIEST_S, latest_s), by_dvc, name)

    def __str__(self) -> str:
        what = "dvc repro of " if self.by_dvc else ""
        return f"{what}{self.stage.name}, {self.signum.name}, {'one participant' if self.one else 'all'} left"

    def line(self) -> list[str]:
        """Command that is killed and then run again."""
        return ["dvc", "repro", "-f", "-s", self.stage.name] if self.by_dvc else self.stage.line()

    def outcome(self, base: Path, folder: Path) -> str:
        """``identical``, or what was wrong; a command that ends before its signal: again, in half the time."""
        for trial in range(TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            copy_of(base, folder)
            remove_outputs(base, folder, self.stage, random.Random(self.seed) if self.one else None)
            met, code, errors = interrupt(folder, self.line(), self.after_s / 2**trial, self.signum)
            left = orphans(folder)
            if met:
                break
        else:
            return f"ended {TRIES} times before its signal"
        done = call(folder, *self.line(), check=False)
        if left:
            return f"{left} orphans"
        if "Traceback" in errors or "Traceback" in done.stderr:
            return f"traceback after exit code {code}: {(errors + done.stderr)[-300:]}"
        if done.returncode:
            return f"the next run failed: {done.stderr[-300:]}"
        return "identical" if contents(folder / self.stage.out) == contents(base / self.stage.out) else "other bytes"


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


def interrupt(folder: Path, command: Sequence[str], after_s: float, signum: int) -> tuple[bool, int, str]:
    """Start a command and send it a signal; whether that met it alive, exit code and stderr."""
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
            met = False
        except subprocess.TimeoutExpired:
            met = True
            if signum == signal.SIGINT:
                os.killpg(process.pid, signum)  # a terminal sends Ctrl-C to the whole group
            else:
                process.send_signal(signum)
        code = process.wait()
        errors.seek(0)
        text = errors.read()
    (folder / ".stderr").unlink()
    return met, code, text


def kills(
    base: Path,
    work: Path,
    number: int,
    seed: int,
    by_dvc: bool = False,
    stages: Sequence[Stage] = STAGES,
    before: Outcome | None = None,
    keep: Callable[[Outcome], None] = lambda seen: None,
) -> Outcome:
    """Kill `stages` in turn at random moments.

    Args:
        base: Finished repository.
        work: Folder for copies of it.
        number: How many kills.
        seed: Decides moments and signals.
        by_dvc: Whether `dvc repro`, which has one participant of a stage left to make, is killed instead of the stage.
        stages: Which.
        before: What an earlier call saw of the same kills; it goes on behind them.
        keep: Called with what was seen so far.
    """
    rows = list(before["each"])[:number] if before else []
    for k in range(len(rows), number):
        plan = Kill.drawn(base, k, seed, stages, by_dvc)
        outcome = plan.outcome(base, work / "kill")
        shutil.rmtree(work / "kill")
        rows.append(f"{plan}: {outcome}")
        print(f"kill {k + 1}/{number}: {rows[-1]}", flush=True)
        keep(_summary(rows))
    return _summary(rows)


def _summary(rows: list[str]) -> Outcome:
    same = sum(row.endswith(": identical") for row in rows)
    orphaned = Counter(row.endswith("orphans") for row in rows)[True]
    return {"kills": len(rows), "identical": same, "with_orphans": orphaned, "each": rows}


def two_at_once(base: Path, work: Path) -> Outcome:
    """Two `dvc repro`, and two runs of one stage, at once: one line for the second, and the same bytes."""
    stage = next(stage for stage in STAGES if stage.name == "extract@flow")
    outcomes = {}
    for name, command in (("dvc", ["dvc", "repro", "-f", "-s", stage.name]), ("stage", stage.line())):
        folder = copy_of(base, work / f"two-{name}")
        shutil.rmtree(folder / stage.out)
        both = [
            subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for _ in range(2)
        ]
        texts = [process.communicate()[0].decode() for process in both]
        codes = sorted(process.returncode != 0 for process in both)
        outcomes[name] = {
            "one_refused": codes == [False, True],
            "traceback": any("Traceback" in text for text in texts),
            "identical": contents(folder / stage.out) == contents(base / stage.out),
        }
        shutil.rmtree(folder)
    return {"cases": outcomes}
