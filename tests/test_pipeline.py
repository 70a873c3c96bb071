"""Every dvc.yaml declares what its stages import and read: no less, so that no result is stale, and no more."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import grimp
import pytest
import yaml

from damamba import config
from damamba.config import Params
from damamba.data.windows import WindowGrid
from damamba.model import build_model
from damamba.scoring.runs import FULL_MODEL

ROOT = Path(__file__).parent.parent
PACKAGES = ("damamba", "damamba_sim")
PROJECTS = [ROOT, *sorted(path.parent for path in (ROOT / "studies").rglob("dvc.yaml"))]


@cache
def read_yaml(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


@dataclass(frozen=True)
class Stage:
    """A stage of a dvc.yaml; `foreach` and `matrix` are not expanded."""

    folder: Path
    name: str
    body: dict
    items: list | str | None
    """What stands behind `foreach`."""

    def __str__(self) -> str:
        return f"{self.folder.relative_to(ROOT).as_posix()}:{self.name}"

    @property
    def scripts(self) -> list[Path]:
        """Python files that its commands run."""
        commands = self.body["cmd"] if isinstance(self.body["cmd"], list) else [self.body["cmd"]]
        names = [re.search(r"python (\S+\.py)", command)[1] for command in commands]
        return [self.path(name) for name in dict.fromkeys(names)]

    def path(self, name: str) -> Path:
        return (self.folder / name).resolve()

    @cached_property
    def deps(self) -> list[str]:
        """Relative to the repository."""
        params = read_yaml(self.folder / "params.yaml") if "${code}" in self.body["deps"] else {}
        names = [params["code"] if dep == "${code}" else dep for dep in self.body["deps"]]
        return [self.path(name).relative_to(ROOT).as_posix() for name in names]

    @property
    def params(self) -> list[tuple[Path, str]]:
        """(file, key) of every parameter that it declares."""
        entries = [{"params.yaml": [e]} if isinstance(e, str) else e for e in self.body.get("params", [])]
        return [(self.path(file), key) for entry in entries for file, keys in entry.items() for key in keys or []]

    @property
    def outs(self) -> list[Path]:
        entries = [entry for kind in ("outs", "metrics", "plots") for entry in self.body.get(kind, [])]
        return [self.path(entry if isinstance(entry, str) else next(iter(entry))) for entry in entries]


STAGES = [
    Stage(folder, name, stage.get("do", stage), stage.get("foreach"))
    for folder in PROJECTS
    for name, stage in read_yaml(folder / "dvc.yaml")["stages"].items()
]
each_stage = pytest.mark.parametrize("stage", STAGES, ids=str)


@cache
def library() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES)


@cache
def imports(script: Path) -> frozenset[str]:
    """Modules of ours that a script imports, directly or by name, and all that these import."""
    waiting = {name for name in _names_imported(script) if name in library().modules} | found_by_name(script)
    seen = set().union(*(imports(sibling) for sibling in _siblings(script)))
    while waiting:
        name = waiting.pop()
        seen.add(name)
        waiting |= library().find_modules_directly_imported_by(name) | found_by_name(ROOT / _module_path(name))
        waiting -= seen
    return frozenset(seen - set(PACKAGES))


@cache
def found_by_name(path: Path) -> frozenset[str]:
    """Modules of the packages that a file searches: the first arguments of its calls of `plugins.find`."""
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "plugins.find"]
    own = {
        ast.unparse(node.targets[0]): node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    folders = {(own | vars(config))[ast.unparse(call.args[0])] for call in calls}
    return frozenset().union(*(library().find_children(folder) for folder in folders))


@cache
def _names_imported(script: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@cache
def _siblings(script: Path) -> list[Path]:
    """Files beside the script, or beside its folder, that it imports itself or through one of them."""
    places = script.parent, script.parent.parent
    files = [place / f"{name}.py" for name in _names_imported(script) - {"_root"} for place in places]
    own = [file for file in files if file.is_file()]
    return [*own, *(further for file in own for further in _siblings(file))]


def _module_path(name: str) -> str:
    path = name.replace(".", "/")
    return path if (ROOT / path).is_dir() else f"{path}.py"


@each_stage
def test_deps_cover_every_imported_module(stage):
    for script in stage.scripts:
        for own in (script, *_siblings(script)):
            assert own.relative_to(ROOT).as_posix() in stage.deps
        for name in imports(script):
            covered = any(f"{_module_path(name)}/".startswith(f"{dep}/") for dep in stage.deps)
            assert covered, f"{script.name} imports {name}, which no dep covers"


@each_stage
def test_every_dep_on_code_is_imported(stage):
    imported = {_module_path(name) for script in stage.scripts for name in imports(script)}
    imported |= {own.relative_to(ROOT).as_posix() for script in stage.scripts for own in (script, *_siblings(script))}
    for dep in stage.deps:
        if dep.split("/")[0] in (*PACKAGES, "stages") or dep.endswith(".py"):
            assert any(f"{path}/".startswith(f"{dep}/") for path in imported), f"{dep} is not imported"


@each_stage
def test_a_stage_that_finds_parts_by_name_depends_on_the_users_own(stage):
    files = [ROOT / _module_path(name) for script in stage.scripts for name in imports(script)]
    searches = any(found_by_name(path) for path in (*stage.scripts, *files))
    assert ("extensions" in stage.deps) == searches


@each_stage
def test_params_are_the_sections_that_are_read(stage):
    read = set()
    for script in stage.scripts:
        files = {script, *_siblings(script)}
        files |= {
            ROOT / _module_path(name) for name in {n for n in imports(script) if not n.startswith("damamba.config")}
        }
        read |= set().union(*(_sections_read(path) for path in files if path.is_file()))
    declared = {key.split(".")[0] for file, key in stage.params if file.name == "params.yaml"}
    if stage.path("params.yaml").relative_to(ROOT).as_posix() in stage.deps:
        declared |= read
    assert declared == read


METHODS = {
    "simulated": {"corpus"},
    "variant": {"architectures", "model", "variants"},
    "training": {"train", "variants"},
    "groups": {"cues"},
}
"""Sections behind the properties and methods of `Params`."""


@cache
def _sections_read(path: Path) -> set[str]:
    """Attributes of `Params.load()`, and of what is annotated as `Params` or called `params` beside such a call."""
    tree = ast.parse(path.read_text())
    holders = {
        argument.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument in [*node.args.args, *node.args.kwonlyargs]
        if isinstance(argument.annotation, ast.Name) and argument.annotation.id == "Params"
    }
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    if any(ast.unparse(node) == "Params.load" for node in attributes):
        holders |= {"params", "Params.load()"}
    names = {node.attr for node in attributes if ast.unparse(node.value) in holders}
    return {section for name in names for section in METHODS.get(name, {name} & set(Params.model_fields))}


def test_every_declared_param_exists():
    for stage in STAGES:
        for file, declared in stage.params:
            value = read_yaml(file)
            for key in declared.split("."):
                if "${" in key:
                    break
                assert key in value, f"{stage}: {declared} is not in {file}"
                value = value[key]


def test_no_output_is_written_by_two_stages():
    outs = [out for stage in STAGES for out in stage.outs]
    assert len(outs) == len(set(outs))


@each_stage
def test_no_shell_reads_a_name_that_comes_from_parameters(stage):
    """The lists that stand in dvc.yaml itself may be part of a command."""
    commands = stage.body["cmd"] if isinstance(stage.body["cmd"], list) else [stage.body["cmd"]]
    assert isinstance(stage.items, list) or not any("${" in command for command in commands)


ALIASES = set((ROOT / "stages").glob("extract_*.py"))
"""Names of `extract.py CUE` for the cues of the default: they run that file."""
FILES = set((ROOT / "stages").glob("[!_]*.py")) - ALIASES


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: path.stem)
def test_the_first_import_of_a_stage_puts_its_checkout_first(path):
    first = next(node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "import _root"


PROBE = """
import _root

import multiprocessing
import subprocess
import sys

import damamba


def place(_: int) -> str:
    return damamba.__file__


if __name__ == "__main__":
    places = {"stage": place(0)}
    for method in ("spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(["damamba"])
        with context.Pool(1) as pool:
            places[method] = pool.map(place, [0])[0]
    command = [sys.executable, "-c", "import damamba; print(damamba.__file__)"]
    places["command"] = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    print(places)
"""


def test_a_stage_and_its_processes_run_the_code_beside_it(tmp_path):
    package = tmp_path / "checkout/damamba/__init__.py"
    for path, text in (
        (package, ""),
        (tmp_path / "checkout/stages/_root.py", (ROOT / "stages/_root.py").read_text()),
        (tmp_path / "checkout/stages/probe.py", PROBE),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(tmp_path / "checkout/stages/probe.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == dict.fromkeys(("stage", "spawn", "forkserver", "command"), str(package))


def test_every_stage_file_belongs_to_a_stage():
    used = {script for stage in STAGES if stage.folder == ROOT for script in stage.scripts}
    assert used == FILES


def test_every_default_cue_has_a_stage_file_of_its_name():
    cues = read_yaml(ROOT / "tests/params.yaml")["cues"]
    assert {path.stem.removeprefix("extract_") for path in ALIASES} == set(cues)


def test_every_open_choice_is_a_model_that_can_be_trained(monkeypatch):
    study = ROOT / "studies/open-choices"
    monkeypatch.syspath_prepend(study.parent)
    monkeypatch.chdir(study)
    spec = importlib.util.spec_from_file_location("choice", study / "choice.py")
    choice = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(choice)
    asked = choice.read_study()
    assert asked["names"] == list(asked["choices"])
    default = choice.chosen(asked, FULL_MODEL)
    frames = default.train.batch_windows * WindowGrid.of(default.window).frames
    for name in asked["names"]:
        params = choice.chosen(asked, name)
        assert (params == default) == (name == FULL_MODEL), name
        grid = WindowGrid.of(params.window)
        assert grid.frames == params.window.core_frames + 2 * params.window.context_frames, name
        assert 0.8 < params.train.batch_windows * grid.frames / frames < 1.2, name
        widths = {"audio": {"turns": 4}, "visual": {"face": 6}}
        build_model(widths, params.variant(FULL_MODEL), params.window.rate_hz)
