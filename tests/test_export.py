"""A model in ONNX is the model: onnxruntime beside PyTorch, at sizes other than those of the export."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from damamba.console import InputError
from damamba.export import NEXT, export_onnx
from tests.model.test_da_mamba import VARIANTS, batch, make

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

GUIDE = Path(__file__).parents[1] / "docs/onnx.md"
FEW = {"audio": {"wav2vec2": 6}, "visual": {"flow": 4}}
WHOLE = ["floor", "tcn"]


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def saved(folder, **changes):
    torch.manual_seed(0)
    cues, small = FEW, {}
    if "architecture" not in changes:  # PyTorch takes its time over a graph of many loops
        small = {"group_layers": 1, "context_layers": 1}
        cues = FEW if changes.get("causal") else {"visual": FEW["visual"]}
    model = make(cues, **small, **changes)
    if model.share is not None:
        model.share.data.fill_(0.4)  # both parts count
    model.save(folder, window={"rate_hz": 25}, simulated=True)
    return model


def exported(model, out, *options):
    """In a process of its own: the tests check shapes in every call, and such code cannot become a graph."""
    command = [sys.executable, "-c", "from damamba.cli import main; main()", "export", model, out, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "differs from PyTorch by" in done.stdout
    assert not done.stderr
    return session(out)


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def with_gaps(length, people, rows):
    """Cues that are NaN where they are missing, as files have them, and a person who is not there."""
    cues, valid, present = batch(length, people, rows, {"wav2vec2": 6, "flow": 4})
    if people > 1:
        present[0, -1] = False
    return {name: torch.where(valid[name][..., None], cue, torch.nan) for name, cue in cues.items()}, valid, present


def fed(graph, cues, valid, present):
    named = {**cues, **{f"{name}.valid": mask for name, mask in valid.items()}, "present": present}
    return {each.name: named[each.name].numpy() for each in graph.get_inputs() if each.name in named}


@pytest.mark.slow
@pytest.mark.parametrize("variant", WHOLE)
def test_a_graph_of_whole_sequences_is_the_model_at_any_size(variant, tmp_path):
    model = saved(tmp_path / "model", **VARIANTS[variant])
    graph = exported(tmp_path / "model", tmp_path / "model.onnx")
    for length, people, rows in [(1, 2, 1), (7, 5, 2), (250, 3, 4)]:
        inputs = with_gaps(length, people, rows)
        (found,) = graph.run(None, fed(graph, *inputs))
        torch.testing.assert_close(torch.from_numpy(found), model(*inputs).engagement, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_graph_of_a_frame_streams_like_the_model(tmp_path):
    model = saved(tmp_path / "model", **VARIANTS["causal floor"])
    graph = exported(tmp_path / "model", tmp_path / "step.onnx", "--stream", "3")
    inputs = with_gaps(300, 3, 1)
    cues, valid, present = inputs
    names = [each.name for each in graph.get_outputs()][1:]
    types = {"tensor(float)": np.float32, "tensor(bool)": bool, "tensor(int64)": np.int64}
    state = {
        each.name: np.zeros(each.shape, types[each.type]) for each in graph.get_inputs() if NEXT + each.name in names
    }
    assert len(state) == len(names)
    found = []
    for t in range(300):
        frame = ({k: x[:, :, t] for k, x in cues.items()}, {k: x[:, :, t] for k, x in valid.items()}, present)
        y, *following = graph.run(None, fed(graph, *frame) | state)
        state = {name.removeprefix(NEXT): value for name, value in zip(names, following, strict=True)}
        found.append(y)
    expected = model(*inputs).engagement
    torch.testing.assert_close(torch.from_numpy(np.stack(found, axis=1)), expected, rtol=0, atol=1e-5)


def test_a_graph_says_what_it_must_be_fed(tmp_path):
    saved(tmp_path / "model", architecture="mlp")
    export_onnx(tmp_path / "model", tmp_path / "da_mamba.onnx")
    facts = session(tmp_path / "da_mamba.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(facts["cues"]) == FEW
    assert facts["rate_hz"] == "25"
    assert json.loads(facts["simulated"]) is True


def test_the_guide_runs_as_it_stands(tmp_path, monkeypatch):
    saved(tmp_path / "model", architecture="mlp")
    monkeypatch.chdir(tmp_path)
    export_onnx(tmp_path / "model", tmp_path / "da_mamba.onnx")
    whole, _ = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf8"), re.DOTALL)
    names = {}
    exec(whole, names)
    assert names["engagement"].shape == (1, 250)


def test_what_cannot_stream_is_refused(tmp_path):
    saved(tmp_path / "both")
    saved(tmp_path / "mlp", architecture="mlp")
    with pytest.raises(InputError, match="cannot stream: train one with causal: true"):
        export_onnx(tmp_path / "both", tmp_path / "step.onnx", people=2)
    with pytest.raises(InputError, match="architecture mlp cannot stream"):
        export_onnx(tmp_path / "mlp", tmp_path / "step.onnx", people=2)
    with pytest.raises(InputError, match="one at least"):
        export_onnx(tmp_path / "mlp", tmp_path / "step.onnx", people=0)
    with pytest.raises(InputError, match="no such folder"):
        export_onnx(tmp_path / "mlp", tmp_path / "nowhere" / "step.onnx")
    assert not list(tmp_path.rglob("*.onnx"))


def test_a_graph_that_differs_is_not_written(tmp_path, monkeypatch):
    saved(tmp_path / "model", architecture="mlp")
    monkeypatch.setattr("damamba.export.TOLERANCE", -1.0)
    with pytest.raises(InputError, match="differs from PyTorch"):
        export_onnx(tmp_path / "model", tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
