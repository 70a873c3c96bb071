"""The campaign of faults notices what it is there to notice: every check of it fails on something planted."""

import signal
import subprocess
import sys

import pytest

from benchmarks.faults.bars import missed
from benchmarks.faults.disks import problem, told
from benchmarks.faults.inputs import in_child, seen_of
from benchmarks.faults.pipeline import STAGES, Stage, code_of, contents
from benchmarks.faults.processes import Kill, interrupt, orphans
from tests.badparams.collection import BadParams

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DISK = "align: error: data/aligned/a.arrow: cannot be written (No space left on device); free space"
WELL = {
    "kills": {"each": ["align, SIGKILL, all left: identical"]},
    "dvc_kills": {"each": ["dvc repro of align, SIGKILL, all left: identical"]},
    "bad_inputs": {"others": {}},
    "bad_parameters": {"others": {}},
    "disks": {"kinds": {"full": {"others": {}}}},
    "damage": {"artefacts": {"labels": {"trials": 60, "refused": 60}}},
    "commands": {"cases": {"align": "one line"}},
    "two_at_once": {"cases": {"dvc": {"one_refused": True, "traceback": False, "identical": True}}},
}


@pytest.mark.parametrize(
    ("part", "outcome", "line"),
    [
        ("kills", {"each": ["align, SIGKILL, all left: other bytes"]}, "kills: align, SIGKILL, all left: other bytes"),
        ("dvc_kills", {"each": ["dvc repro of align: 2 orphans"]}, "dvc_kills: dvc repro of align: 2 orphans"),
        ("bad_inputs", {"others": {"empty": "exit code 0: "}}, "bad_inputs: empty: exit code 0: "),
        ("bad_parameters", {"others": {"runs": "not one line"}}, "bad_parameters: runs: not one line"),
        ("disks", {"kinds": {"full": {"others": {"align": "half-written: a"}}}}, "disks, full: align: half-written: a"),
        ("damage", {"artefacts": {"labels": {"trials": 60, "refused": 59, "silent": 1}}}, "damage: labels: "),
        ("commands", {"cases": {"align": "exit code 0: "}}, "commands: align: exit code 0: "),
        (
            "two_at_once",
            {"cases": {"dvc": {"one_refused": False, "traceback": False, "identical": True}}},
            "two at once: dvc: ",
        ),
    ],
)
def test_every_part_can_miss_its_bar(part, outcome, line):
    assert missed(WELL) == []
    assert missed({}) == []
    (told_line,) = missed(WELL | {part: outcome})
    assert told_line.startswith(line)


def test_a_command_that_ends_before_its_signal_is_no_kill(tmp_path):
    met, code, _ = interrupt(tmp_path, [sys.executable, "-c", "raise SystemExit(3)"], 60, signal.SIGKILL)
    assert (met, code) == (False, 3)
    met, code, _ = interrupt(tmp_path, SLEEP, 0.1, signal.SIGKILL)
    assert (met, code) == (True, -signal.SIGKILL)


def test_an_orphan_is_counted_and_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.faults.processes.ORPHANS_AFTER_S", 0.2)
    left = subprocess.Popen(SLEEP, cwd=tmp_path)
    assert orphans(tmp_path) == 1
    assert left.wait() == -signal.SIGKILL
    assert orphans(tmp_path) == 0


def test_kills_come_to_every_stage_with_all_and_with_one_left(tmp_path):
    for stage in STAGES:
        if stage.one:
            path = tmp_path / stage.out / stage.one.replace("*", "a/b/c")
            path.parent.mkdir(parents=True)
            path.touch()
    plans = [Kill.drawn(tmp_path, k, 0, STAGES, False) for k in range(2 * len(STAGES))]
    assert {(plan.stage.name, plan.one) for plan in plans} >= {(stage.name, False) for stage in STAGES}
    assert {plan.stage.name for plan in plans if plan.one} == {stage.name for stage in STAGES if stage.one}
    assert plans == [Kill.drawn(tmp_path, k, 0, STAGES, False) for k in range(2 * len(STAGES))]
    assert {plan.signum for plan in plans} == {signal.SIGKILL, signal.SIGTERM, signal.SIGINT}


@pytest.mark.parametrize(
    ("function", "code", "says"),
    [(lambda: None, 0, ""), (lambda: sys.exit("stop"), 1, ""), (lambda: 1 / 0, 1, "ZeroDivisionError")],
)
def test_a_child_tells_its_exit_code_and_its_traceback(tmp_path, function, code, says):
    told_code, errors = in_child(tmp_path, function)
    assert told_code == code
    assert says in errors
    assert ("Traceback" in errors) == bool(says)


def test_a_case_without_its_documented_line_is_counted(tmp_path):
    cases = [BadParams("good", b"a", "no such key"), BadParams("bad", b"b", "no such key")]

    def run(case, folder):
        return (1, f"check: error: {'no such key' if case.name == 'good' else 'Traceback'}\n")

    seen = seen_of(cases, tmp_path, run)
    assert (seen["cases"], seen["as_documented"], seen["tracebacks"]) == (2, 1, 1)
    assert list(seen["others"]) == ["bad"]


@pytest.fixture
def stage(tmp_path):
    """A stage whose output is whole in `base` and in `copy`."""
    for name in ("base", "copy"):
        (tmp_path / name / "out").mkdir(parents=True)
        (tmp_path / name / "out/a").write_bytes(b"whole")
    return Stage("align", ("align.py",), "out")


@pytest.mark.parametrize(
    ("code", "errors", "file", "wrong"),
    [
        (1, DISK, None, ""),
        (0, DISK, None, "exit code 0"),
        (1, f"{DISK}\n{DISK}", None, "exit code 1"),
        (1, "align: error: a: empty", None, "exit code 1"),
        (1, f"Traceback\n{DISK}", None, "traceback"),
        (1, DISK, "out/.a.7.part", "half-written"),
        (1, DISK, "out/a", "not as on a sound disk"),
        (1, DISK, "out/b", "not as on a sound disk"),
    ],
)
def test_what_a_disk_leaves_is_judged(tmp_path, stage, code, errors, file, wrong):
    if file:
        (tmp_path / "copy" / file).write_bytes(b"half")
    done = subprocess.CompletedProcess([], code, "", errors)
    said = problem(tmp_path / "base", tmp_path / "copy", stage, done)
    assert said.startswith(wrong)
    assert bool(said) == bool(wrong)
    assert told(DISK) == DISK


def test_code_and_content_are_told_by_their_bytes(tmp_path):
    (tmp_path / "stages").mkdir()
    module = tmp_path / "stages/a.py"
    module.write_text("x = 1\n")
    before = code_of(tmp_path), contents(tmp_path)
    module.write_text("x = 2\n")
    assert code_of(tmp_path) != before[0]
    assert contents(tmp_path) != before[1]
