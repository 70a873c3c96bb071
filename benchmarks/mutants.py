"""Mutation testing of the code behind scores: how many planted faults the tests notice.

    python -m benchmarks.mutants --number 150 --seed 0

Faults are those of cosmic-ray (`pip install cosmic-ray`, in an environment of your own); those that change nothing but
annotations are left out. A sample of all is planted, one after the other, in a copy of the repository, and the tests of
the room run until the first one fails. Each run is a process forked from this one, which has loaded the libraries
already. Prints a line for each fault that survives, its place and the line before and after.
"""

import argparse
import ast
import contextlib
import difflib
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parent.parent
TESTS = {
    "damamba/metrics/*.py": "tests/test_metrics.py tests/scoring",
    "damamba/losses/*.py": "tests/losses",
    "damamba/data/grid.py": "tests/data",
    "damamba/data/windows.py": "tests/data",
    "damamba/data/batch.py": "tests/data",
    "damamba/data/moments.py": "tests/data",
    "damamba/data/pooling.py": "tests/data",
    "damamba/data/stream_on_grid.py": "tests/data",
    "damamba/scoring/pairing.py": "tests/commands/test_score.py tests/scoring tests/commands/test_submit.py",
    "damamba/scoring/pooling.py": "tests/scoring tests/commands/test_score.py",
    "damamba/training/ema.py": "tests/training/test_training.py -k average",
    "damamba/training/resume.py": "tests/training/test_training.py -k resume",
}
"""Code -> the fast tests of its room."""
LIBRARIES = ("torch", "numpy", "pyarrow.parquet", "pydantic", "pytest", "safetensors.torch", "yaml", "av")
LIMIT_S = 120


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    path: str
    code: str
    tests: str

    def difference(self) -> str:
        """Place, line before and line after."""
        before, after = (ROOT / self.path).read_text(encoding="utf8").splitlines(), self.code.splitlines()
        changes = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
        place = changes[0].split()[1].lstrip("-").split(",")[0]
        gone, new = (" ".join(c[1:].strip() for c in changes if c[0] == sign) for sign in "-+")
        return f"{self.path}:{place}: {gone}  ->  {new}"


def meaning(code: str) -> str:
    """A module without annotations and documentation; raises `SyntaxError`."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def places(path: str) -> Iterator[tuple[str, str, int]]:
    """File, operator and occurrence of every fault that cosmic-ray can plant in it."""
    nodes = list(ast_nodes(get_ast((ROOT / path).read_text(encoding="utf8"))))
    for name in operator_names():
        operator = get_operator(name)
        if not operator.arguments():
            count = sum(len(list(operator().mutation_positions(node))) for node in nodes)
            yield from ((path, name, occurrence) for occurrence in range(count))


def drawn_mutants(tests: dict[str, str], number: int, seed: int) -> list[Mutant]:
    """A sample of all faults that change what a file does, no two of them the same."""
    waiting = [place for path in tests for place in places(path)]
    random.Random(seed).shuffle(waiting)
    known = {path: {meaning((ROOT / path).read_text(encoding="utf8"))} for path in tests}
    found: list[Mutant] = []
    while waiting and len(found) < number:
        path, name, occurrence = waiting.pop()
        tree = get_ast((ROOT / path).read_text(encoding="utf8"))
        with contextlib.suppress(SyntaxError, AttributeError):  # cosmic-ray fails on names with dots in `except`
            mutated = MutationVisitor(occurrence, get_operator(name)()).walk(tree).get_code()
            if (means := meaning(mutated)) not in known[path]:
                known[path].add(means)
                found.append(Mutant(path, mutated, tests[path]))
    return found


def killed(mutant: Mutant, folder: Path) -> str:
    """``killed``, ``survived`` or ``too slow``, of a fault that is planted in a copy of the repository."""
    path = folder / mutant.path
    sound = path.read_bytes()
    path.write_text(mutant.code, encoding="utf8")
    try:
        child = os.fork()
        if not child:
            code = 3
            try:
                os.setsid()
                os.chdir(folder)
                silence = os.open(folder / "state.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(silence, 1)
                os.dup2(silence, 2)
                sys.dont_write_bytecode = True
                code = int(
                    importlib.import_module("pytest").main(
                        ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *mutant.tests.split()]
                    )
                )
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(code)
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return "killed" if os.waitstatus_to_exitcode(status) else "survived"
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "too slow"
    finally:
        path.write_bytes(sound)


def main(options: argparse.Namespace) -> None:
    """Draw, plant, count."""
    tests = {
        path.relative_to(ROOT).as_posix(): tests
        for pattern, tests in TESTS.items()
        for path in sorted(ROOT.glob(pattern))
    }
    drawn = drawn_mutants(tests, options.number, options.seed)
    drawn = [mutant for mutant in drawn if options.only in mutant.path]
    print(f"{len(drawn)} faults drawn in {len(tests)} files", flush=True)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for library in LIBRARIES:
        importlib.import_module(library)
    outcomes = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        tracked = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        for file in tracked:
            if (ROOT / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, folder / file, follow_symlinks=False)
        for tests in sorted({mutant.tests for mutant in drawn}):
            sound = Mutant(drawn[0].path, (ROOT / drawn[0].path).read_text(encoding="utf8"), tests)
            if killed(sound, folder) != "survived":
                sys.exit(f"{tests}: fail without any fault:\n{(folder / 'state.log').read_text()[-2000:]}")
        for number, mutant in enumerate(drawn, 1):
            outcome = killed(mutant, folder)
            outcomes[outcome] += 1
            print(f"{number}/{len(drawn)} {outcome}: {mutant.difference()}", flush=True)
    dead = outcomes["killed"] + outcomes["too slow"]
    print(f"{dead} of {len(drawn)} killed ({100 * dead / len(drawn):.1f} %): {dict(outcomes)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=150, help="of faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="TEXT", help="of the drawn faults, those of paths with this text")
    main(parser.parse_args())
