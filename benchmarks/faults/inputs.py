"""Malformed inputs and bad parameters: what the user of `damamba` and of the stage check sees of each.

Every case runs in a process of its own, forked from this one, in an empty folder.
"""

import importlib
import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.faults.pipeline import Outcome
from damamba import cli
from tests.badinput import collection as inputs
from tests.badparams import collection as parameters
from tests.conftest import frozen_params
from tests.dag import ROOT


class Case(Protocol):
    """Something malformed, with what is documented about it."""

    name: str
    make: Callable[[Path], Any]
    """Writes it into a folder; returns the arguments of `damamba`, where these belong to the case."""

    def problem(self, code: int, errors: str) -> str:
        """What is wrong with how a command met it; "" where nothing is."""
        ...


def in_child(folder: Path, function: Callable[[], object]) -> tuple[int, str]:
    """Exit code and stderr of a function in a process of its own, in `folder`."""
    with tempfile.TemporaryFile() as errors:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            code = 1
            try:
                os.chdir(folder)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(errors.fileno(), 2)
                sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
                function()
                code = 0
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
            except BaseException:  # what the interpreter would print
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        errors.seek(0)
        return os.waitstatus_to_exitcode(status), errors.read().decode(errors="replace")


def seen_of(cases: Sequence[Case], work: Path, run: Callable[[Case, Path], tuple[int, str]]) -> Outcome:
    """Run all cases; counts, what was not as documented, and the first line of each."""
    others, lines = {}, {}
    tracebacks = 0
    for case in cases:
        with tempfile.TemporaryDirectory(dir=work) as name:
            code, errors = run(case, Path(name))
        tracebacks += "Traceback" in errors
        if wrong := case.problem(code, errors):
            others[case.name] = wrong
        lines[case.name] = (errors.splitlines() or [""])[0]
    counts = {"cases": len(cases), "as_documented": len(cases) - len(others), "tracebacks": tracebacks}
    print(f"{counts}, others: {others}", flush=True)
    return {**counts, "others": others, "lines": lines}


def bad_inputs(work: Path) -> Outcome:
    """Everything in tests/badinput through the command that a user would use."""

    def run(case: Case, folder: Path) -> tuple[int, str]:
        arguments = case.make(folder)

        def command() -> None:
            sys.argv = ["damamba", *arguments]
            cli.main()

        return in_child(folder, command)

    return seen_of(inputs.CASES, work, run)


def bad_parameters(work: Path) -> Outcome:
    """Everything in tests/badparams through the first stage."""
    importlib.import_module("damamba_sim.corpora.checks")  # once, instead of in every child
    frozen_params()

    def stage() -> None:
        sys.path.insert(0, str(ROOT / "stages"))
        sys.argv = ["check.py"]
        runpy.run_path(str(ROOT / "stages/check.py"), run_name="__main__")

    def run(case: Case, folder: Path) -> tuple[int, str]:
        case.make(folder)
        return in_child(folder, stage)

    return seen_of(parameters.CASES, work, run)
