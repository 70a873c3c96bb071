"""Settings that cannot be used are refused as soon as params.yaml is read: one line, no traceback, within a second."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import pytest

from damamba import device
from damamba.config import Params
from damamba.console import InputError, item_argument
from damamba.device import check_precision
from damamba.presets.apply import write_presets
from tests.badparams.collection import CASES, FILES, FOLDER, SETTINGS, TEXT, BadParams, changed
from tests.conftest import frozen_params

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def read_once():
    """Modules behind the names of params.yaml are imported."""
    return frozen_params()


def refusal(path: Path) -> str:
    started = time.process_time()
    with pytest.raises(InputError) as refused:
        Params.load(path)
    assert time.process_time() - started < 1
    return str(refused.value)


@pytest.mark.parametrize(("key", "value", "line"), SETTINGS, ids=[f"{key}={value}"[:60] for key, value, _ in SETTINGS])
def test_a_bad_setting_is_refused_with_one_line(tmp_path, read_once, key, value, line):
    path = tmp_path / "params.yaml"
    path.write_text(changed(key, value), encoding="utf8")
    said = refusal(path)
    assert line in said
    assert said.startswith("params.yaml: ") or key.endswith((".gru", ".extractor"))
    assert len(said.splitlines()) == 1
    assert len(said) < 700


def test_there_are_sixty_of_them():
    assert len(SETTINGS) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("code", "errors"),
    [
        (0, "check: error: params.yaml: runs: empty\n"),
        (1, "check: error: params.yaml: steps: 0\n"),
        (1, "params.yaml: runs: empty\n"),
        (1, "check: error: params.yaml: runs: empty\nTraceback\n"),
    ],
)
def test_other_lines_and_codes_are_noticed(code, errors):
    case = BadParams("a", b"", "runs: empty")
    assert case.problem(1, "check: error: params.yaml: runs: empty\n") == ""
    assert case.problem(code, errors)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_params_yaml_is_refused_with_one_line(tmp_path, name):
    content, line = FILES[name]
    (tmp_path / "params.yaml").write_bytes(content)
    said = refusal(tmp_path / "params.yaml")
    assert line in said
    assert len(said.splitlines()) == 1
    assert said.isprintable()


def test_a_folder_of_that_name_is_refused_with_one_line(tmp_path):
    (tmp_path / "params.yaml").mkdir()
    assert refusal(tmp_path / "params.yaml").endswith(FOLDER)


@pytest.mark.parametrize("name", ["Latin-1", "nested", "duplicate key"])
def test_presets_refuse_such_a_file_too(tmp_path, name):
    path = tmp_path / "params.yaml"
    path.write_bytes(FILES[name][0])
    with pytest.raises(InputError) as refused:
        write_presets(["smoke"], path)
    assert len(str(refused.value).splitlines()) == 1
    assert path.read_bytes() == FILES[name][0]


@pytest.mark.parametrize(
    ("kind", "precision", "line"),
    [("cpu", "fp16", "fp16 needs a GPU; use bf16 or fp32"), ("cuda", "bf16", "this GPU has no bf16; use fp16 or fp32")],
)
def test_a_precision_that_the_device_lacks_is_refused(monkeypatch, kind, precision, line):
    monkeypatch.setattr(device, "choose_device", lambda: device_of(kind))
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: False)
    with pytest.raises(InputError, match=line):
        check_precision(precision)
    check_precision("fp32")


def device_of(kind: str):
    import torch

    return torch.device(kind)


def stage(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "stages" / command[0]), *command[1:]],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_stage_refuses_fp16_before_anything_is_made(tmp_path):
    (tmp_path / "params.yaml").write_text(changed("train.precision", "fp16"), encoding="utf8")
    done = stage(tmp_path, "check.py", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert done.stderr == "check: error: params.yaml: train.precision: fp16 needs a GPU; use bf16 or fp32\n"
    assert not (tmp_path / "data").exists()


def test_a_stage_takes_its_name_from_dvc_and_refuses_one_that_is_not_in_params(tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT, encoding="utf8")
    done = stage(tmp_path, "extract.py", DVC_STAGE="extract@smell")
    assert done.stderr.startswith("extract-smell: error: params.yaml: no cue 'smell' under `cues`")


@pytest.mark.parametrize(
    ("stage", "item"),
    [("train@dat-1", "dat-1"), ("brief/dvc.yaml:train@dat-1", "dat-1"), ("align", None), (None, None)],
)
def test_outside_of_dvc_the_name_must_be_given(monkeypatch, stage, item):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    if stage:
        monkeypatch.setenv("DVC_STAGE", stage)
    assert item_argument().get("default") == item
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("run", **item_argument())
    assert parser.parse_args(["lstm-0"]).run == "lstm-0"
    if item:
        assert parser.parse_args([]).run == item
    else:
        with pytest.raises((SystemExit, argparse.ArgumentError)):
            parser.parse_args([])
