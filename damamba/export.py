"""A trained model in ONNX: for programs without PyTorch, whole sequences of any length or a stream frame by frame.

The graph holds all that `model.json` and the weights say about numbers: standardisation, masks, the closed form and the
mixture. What it reads are cues on the model's grid (docs/onnx.md). Recurrences become loops inside the graph, so that
neither size nor memory of it grow with the length.
"""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.files import replace_file
from damamba.model import EngagementModel, load_model
from damamba.model.checkpoint import Description, read_description
from damamba.model.heads import several
from damamba.model.stream_state import Memory

INSTALL = "pip install 'damamba[onnx]'"
TOLERANCE = 1e-5
"""A graph that differs more from PyTorch is not written."""
SIZES = ((1, 2, 40), (2, 2, 1), (3, 4, 333))
"""(B, P, T) at which a graph is compared with PyTorch; other sizes than the ones it is made from."""
STREAMED = 60
"""Frames of the stream that is compared."""
NEXT = "next."
"""In front of the name of a state: its value after the frame."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    bytes: int
    error: float
    """Largest absolute difference from PyTorch."""
    compared: int
    """Frames that were compared."""


class _Whole(nn.Module):
    """Whole sequences; arguments one after the other, as an ONNX graph has them."""

    def __init__(self, model: EngagementModel) -> None:
        super().__init__()
        self.model, self.names = model, list(model.widths)

    def forward(self, cues: list[Tensor], valid: list[Tensor], present: Tensor) -> Tensor:
        return self.model(_named(self.names, cues), _named(self.names, valid), present).engagement


class Step(nn.Module):
    """One frame of a stream; the state is a list of tensors, as a graph has it."""

    def __init__(self, model: Any, start: "StreamState") -> None:
        super().__init__()
        self.model, self.names, self.start = model, list(model.widths), start

    def forward(
        self, cues: list[Tensor], valid: list[Tensor], present: Tensor, state: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """(engagement (B,), state after the frame)."""
        memory = self.start.memory(state)
        engagement, memory = self.model.step(_named(self.names, cues), _named(self.names, valid), present, memory)
        return engagement, self.start.tensors(memory)


def _inputs_of(cues: list[str]) -> list[str]:
    """Names of a graph's inputs for cues, masks and seats, in their order."""
    return [*cues, *(f"{name}.valid" for name in cues), "present"]


def _named(names: list[str], tensors: list[Tensor]) -> dict[str, Tensor]:
    return dict(zip(names, tensors, strict=True))


class StreamState:
    """The memory of a causal model as a list of named tensors; all are zero before the first frame.

    Args:
        model: Causal.
        seats: Participants of the conversation.
        targets: B, participants that are predicted side by side.
    """

    def __init__(self, model: Any, seats: int, targets: int = 1) -> None:
        self.seats = seats
        cues, valid, present = _inputs(model, (targets, seats, 1), np.random.default_rng(0))
        _, memory = model.extend(cues, valid, present, model.stream())
        paths = {module: name for name, module in model.named_modules()}
        self._like: Memory = {module: memory[module] for module in sorted(memory, key=lambda one: paths[one])}
        leaves = [leaf for module, state in self._like.items() for leaf in _leaves(state, paths[module])]
        self.names = [name for name, _ in leaves]
        self.zeros = [torch.zeros_like(tensor) for _, tensor in leaves]

    def memory(self, tensors: list[Tensor]) -> Memory:
        """As `EngagementModel` streams have it."""
        left = iter(tensors)
        return {module: _filled(state, left) for module, state in self._like.items()}

    def tensors(self, memory: Memory) -> list[Tensor]:
        """In the order of `names`."""
        return [tensor for module in self._like for _, tensor in _leaves(memory[module], "")]


def _leaves(state: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """Tensors of a state, which may be a NamedTuple, a dict, a tensor or a number, with their names."""
    if isinstance(state, Tensor):
        yield name, state
    elif isinstance(state, int):
        yield name, torch.tensor(state)
    else:
        for key, part in _parts(state):
            yield from _leaves(part, f"{name}.{key}")


def _filled(state: Any, tensors: Iterator[Tensor]) -> Any:
    """A state of the same form that holds the next tensors."""
    if isinstance(state, Tensor | int):
        return next(tensors)
    parts = {key: _filled(part, tensors) for key, part in _parts(state)}
    return type(state)(*parts.values()) if hasattr(state, "_asdict") else dict(zip(state, parts.values(), strict=True))


def _parts(state: Any) -> list[tuple[str, Any]]:
    items = state._asdict() if hasattr(state, "_asdict") else state
    return [("_".join(map(str, key)) if isinstance(key, tuple) else str(key), part) for key, part in items.items()]


def export_onnx(checkpoint: Path, out: Path, people: int | None = None) -> Exported:
    """Write a trained model as an ONNX graph, after comparing it with PyTorch in onnxruntime.

    Args:
        checkpoint: Folder of the model.
        out: File to write.
        people: Participants of a stream, frame by frame, for a causal model; None: whole sequences.

    Raises:
        InputError: The packages are missing, the model cannot stream, or cannot be expressed as a graph.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error.name} is not installed; {INSTALL}") from None
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder")
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise InputError(f"{out}: is a folder, or lies in one that cannot be written to")
    if people is not None and people < 1:
        raise InputError(f"{people} people: a conversation has one at least")
    description = read_description(checkpoint)
    model = load_model(checkpoint)
    if model.classes:
        raise InputError(f"{checkpoint}: predicts classes; only models of continuous labels are exported so far")
    if model.further:
        raise InputError(f"{checkpoint}: {several(model.labels)}; only models of one label are exported so far")
    with torch.inference_mode(False), torch.no_grad():
        start = None if people is None else _start(model, people)
        graph = _whole(model) if start is None else _step(model, start)
        onnx.helper.set_model_props(graph, _facts(description, people))
        content = graph.SerializeToString()
        error, compared = _compare_whole(model, content) if start is None else _compare_stream(model, content, start)
    if not error <= TOLERANCE:
        raise InputError(f"{checkpoint}: onnxruntime differs from PyTorch by {error:.1e}, so nothing was written")
    replace_file(out, content)
    return Exported(out, len(content), error, compared)


def _facts(description: Description, people: int | None) -> dict[str, str]:
    """What a program must know to feed the graph, as strings; read them from the graph's metadata."""
    kept = ("variant", "seed", "simulated", "delay", "window", "inputs", "versions")
    facts = {
        "architecture": description.architecture,
        "cues": json.dumps(description.cues),
        "rate_hz": str(description.rate_hz),
        "label_rate_hz": str(LABEL_RATE_HZ),
        "weights": description.weights,
        "kind": "whole sequences" if people is None else f"stream of {people} participants, frame by frame",
    }
    return facts | {key: json.dumps(description.extra[key]) for key in kept if key in description.extra}


def _whole(model: EngagementModel) -> Any:
    """The graph of whole sequences."""
    cues, valid, present = _inputs(model, (2, 3, 48), np.random.default_rng(0))
    B, P, T = (torch.export.Dim(name, min=least) for name, least in (("B", 1), ("P", 2), ("T", 1)))
    by_cue = {0: B, 1: P, 2: T}
    names = list(model.widths)
    return _graph(
        _Whole(model),
        ([cues[name] for name in names], [valid[name] for name in names], present),
        ([by_cue] * len(names), [by_cue] * len(names), {0: B, 1: P}),
        _inputs_of(names),
        ["engagement"],
    )


def _start(model: Any, people: int) -> StreamState:
    """The state of a stream; raises `InputError` where the model cannot stream."""
    if not hasattr(model, "step"):
        raise InputError(f"the architecture {model.architecture()} cannot stream; export it without --stream")
    return StreamState(model, people)


def _step(model: Any, start: StreamState) -> Any:
    """The graph of a frame of a stream."""
    cues, valid, present = _frame(_inputs(model, (1, start.seats, 1), np.random.default_rng(0)), 0)
    names = list(model.widths)
    return _graph(
        Step(model, start),
        ([cues[name] for name in names], [valid[name] for name in names], present, start.zeros),
        None,
        [*_inputs_of(names), *start.names],
        ["engagement", *(NEXT + name for name in start.names)],
    )


def _graph(module: nn.Module, arguments: Any, shapes: Any, inputs: list[str], outputs: list[str]) -> Any:
    """An ONNX ModelProto."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own code
        for name in ("torch.onnx", "onnxscript", "onnx_ir"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                module.eval(),
                arguments,
                dynamo=True,
                verbose=False,
                optimize=False,  # onnxruntime does that when it loads a graph, in a fraction of the time
                dynamic_shapes=shapes,
                input_names=inputs,
                output_names=outputs,
            )
        except torch.onnx.OnnxExporterError as error:
            why = " ".join(str(error.__cause__ or error).split())[:200]
            raise InputError(f"PyTorch {torch.__version__} cannot write this model as a graph: {why}") from error
    assert program is not None
    return program.model_proto


def _inputs(
    model: EngagementModel, sizes: tuple[int, int, int], random: np.random.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Cues with gaps in which they are NaN, and a last seat that is empty in every other row."""
    valid = {name: torch.from_numpy(random.random(sizes) < 0.8) for name in model.widths}
    cues = {}
    for name, width in model.widths.items():
        cue = torch.from_numpy(random.standard_normal((*sizes, width)).astype(np.float32))
        cues[name] = torch.where(valid[name][..., None], cue, torch.nan)
    present = torch.ones(sizes[:2], dtype=torch.bool)
    if sizes[1] > 1:
        present[1::2, -1] = False
    return cues, valid, present


def _frame(
    inputs: tuple[Mapping[str, Tensor], Mapping[str, Tensor], Tensor], t: int
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    cues, valid, present = inputs
    return {name: x[:, :, t] for name, x in cues.items()}, {name: x[:, :, t] for name, x in valid.items()}, present


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _feed(cues: Mapping[str, Tensor], valid: Mapping[str, Tensor], present: Tensor) -> dict[str, np.ndarray]:
    tensors = (*cues.values(), *valid.values(), present)
    return {name: tensor.numpy() for name, tensor in zip(_inputs_of(list(cues)), tensors, strict=True)}


def _run(session: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Outputs; a graph has no input for what a model does not read, such as partners without partner fusion."""
    wanted = {each.name for each in session.get_inputs()}
    return session.run(None, {name: value for name, value in feed.items() if name in wanted})


def _compare_whole(model: EngagementModel, content: bytes) -> tuple[float, int]:
    session, error, compared = _session(content), 0.0, 0
    for seed, sizes in enumerate(SIZES):
        inputs = _inputs(model, sizes, np.random.default_rng(seed))
        expected = model(*inputs).engagement.numpy()
        (found,) = _run(session, _feed(*inputs))
        error = max(error, float(np.abs(found - expected).max()))
        compared += expected.size
    return error, compared


def _compare_stream(model: Any, content: bytes, start: StreamState) -> tuple[float, int]:
    """A stream step by step in the graph, beside one `forward` over all of its frames."""
    session = _session(content)
    inputs = _inputs(model, (1, start.seats, STREAMED), np.random.default_rng(0))
    expected = model(*inputs).engagement.numpy()
    state = {name: zeros.numpy() for name, zeros in zip(start.names, start.zeros, strict=True)}
    found = []
    for t in range(STREAMED):
        engagement, *following = _run(session, _feed(*_frame(inputs, t)) | state)
        state = dict(zip(start.names, following, strict=True))
        found.append(engagement)
    return float(np.abs(np.stack(found, axis=1) - expected).max()), STREAMED
