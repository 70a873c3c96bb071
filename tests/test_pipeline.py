"""dvc.yaml tells the truth about the code: what a stage imports and reads is what it declares."""

import ast
import importlib.util
import re
from pathlib import Path

import grimp
import pytest
import yaml

from damamba.config import Params
from damamba.data.windows import WindowGrid
from damamba.model import build_model
from damamba.scoring.runs import FULL_MODEL

ROOT = Path(__file__).parent.parent
DAG = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


def scripts():
    """(stage, script, deps, params) of every stage, one a script where a `foreach` has several."""
    for name, stage in DAG.items():
        body = stage.get("do", stage)
        script = re.search(r"stages/(\S+)\.py", body["cmd"]).group(1)
        params = [p if isinstance(p, str) else next(iter(p)) for p in body["params"]]
        found = [script]
        if "${item.extractor}" in script:
            found = [path.stem for path in (ROOT / "stages").glob("extract_*.py")]  # of every preset
        for one in sorted(set(found)):
            deps = [dep.replace("${item.extractor}", one.removeprefix("extract_")) for dep in body["deps"]]
            yield pytest.param(one, deps, params, id=f"{name}:{one}")


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph("damamba", "stages")


@pytest.mark.parametrize(("script", "deps", "params"), scripts())
def test_deps_cover_every_imported_module(script, deps, params, imports):
    module = f"stages.{script}"
    assert (ROOT / "stages" / f"{script}.py").is_file()
    assert f"stages/{script}.py" in deps
    for name in imports.find_upstream_modules(module):
        path = name.replace(".", "/")
        if path in ("damamba", "stages"):
            continue
        covered = [dep for dep in deps if f"{path}.py" == dep or path == dep or f"{path}/".startswith(f"{dep}/")]
        assert covered, f"{script} imports {name}, which no dep of its stage covers"


@pytest.mark.parametrize(("script", "deps", "params"), scripts())
def test_params_cover_every_section_read(script, deps, params, imports):
    """Sections are attributes of what is annotated or loaded as `Params`, in the script and in all that it imports."""
    read = _sections_read(ROOT / "stages" / f"{script}.py")
    for name in imports.find_upstream_modules(f"stages.{script}") - {"damamba.config"}:
        path = ROOT / f"{name.replace('.', '/')}.py"
        if path.is_file():
            read |= _sections_read(path)
    declared = {name.split(".")[0] for name in params}
    implied = {"simulated": "corpus", "variant": "variants", "groups": "cues"}
    for name in read:
        assert implied.get(name, name) in declared, f"{script} reads params.{name}, which its stage does not declare"


def _sections_read(path: Path) -> set[str]:
    names = {*Params.model_fields, "simulated", "variant", "groups"}
    tree = ast.parse(path.read_text())
    holders = {
        argument.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument in [*node.args.args, *node.args.kwonlyargs]
        if isinstance(argument.annotation, ast.Name) and argument.annotation.id == "Params"
    }
    if any(isinstance(node, ast.Attribute) and ast.unparse(node) == "Params.load" for node in ast.walk(tree)):
        holders.add("params")
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id in holders
    }


def test_every_declared_param_exists():
    for name, stage in DAG.items():
        for declared in stage.get("do", stage)["params"]:
            if "${key}" in declared:
                continue
            value = PARAMS
            for key in declared.split("."):
                assert key in value, f"{name}: {declared} is not in params.yaml"
                value = value[key]


def test_every_cue_has_its_extractor_and_stage_file():
    for name, cue in PARAMS["cues"].items():
        assert (ROOT / "damamba/extractors" / f"{cue['extractor']}.py").is_file(), name
        assert (ROOT / "stages" / f"extract_{cue['extractor']}.py").is_file(), name


def test_no_output_is_written_by_two_stages():
    outs = []
    for stage in DAG.values():
        for out in stage.get("do", stage)["outs"]:
            outs.append(out if isinstance(out, str) else next(iter(out)))
    assert len(outs) == len(set(outs))


def test_every_open_choice_is_a_model_that_can_be_trained(monkeypatch):
    study = ROOT / "studies/open-choices"
    monkeypatch.chdir(study)
    spec = importlib.util.spec_from_file_location("choice", study / "choice.py")
    choice = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(choice)
    asked = choice.read_study()
    for corpus, setting in asked["corpora"].items():
        assert asked[f"{corpus}_names"] == list(asked[corpus])
        default = choice.chosen(setting, {})
        frames = default.train.batch_windows * WindowGrid.of(default.window).frames
        for name, changes in asked[corpus].items():
            params = choice.chosen(setting, changes)
            assert (params == default) == (name == FULL_MODEL), name
            grid = WindowGrid.of(params.window)
            assert grid.frames == params.window.core_frames + 2 * params.window.context_frames, name
            assert 0.8 < params.train.batch_windows * grid.frames / frames < 1.2, name
            widths = {"audio": {"turns": 4}, "visual": {"face": 6}}
            build_model(widths, params.variant(FULL_MODEL), params.window.rate_hz)
