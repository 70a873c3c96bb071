"""The models that are measured: untrained, at the widths of the upstream encoders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from damamba.config import ModelParams
from damamba.console import InputError
from damamba.model import EngagementModel, build_model
from damamba.model.stream_state import Memory

CUE_WIDTHS = {
    "audio": {"wav2vec2": 768, "emotion": 1024},
    "visual": {"clip": 512, "flow": 76, "landmark_flow": 100},
}
"""Channels of the upstream encoders, by modality group and cue."""
PARTICIPANTS = 2
EXPLICIT_ATTENTION = ("dat",)
"""Architectures whose published code writes the attention matrices to memory."""


@dataclass(frozen=True)
class ModelForm:
    """A variant, and how its steps are computed."""

    name: str
    variant: str
    checkpointing: bool = False
    """Each block is computed again in the backward pass instead of being kept."""
    explicit_attention: bool = False
    """The attention matrices are written to memory, as code did before fused kernels."""


@runtime_checkable
class StreamingModel(Protocol):
    """A model that can process a recording piece by piece."""

    def stream(self) -> Memory:
        """State before the first frame; raises `InputError` where these settings do not allow streaming."""
        ...

    def extend(
        self, cues: Mapping[str, Tensor], valid: Mapping[str, Tensor], present: Tensor, state: Memory
    ) -> tuple[Tensor, Memory]:
        """Engagement of the next frames, and the state after them."""
        ...


def at_upstream_cues(variants: Mapping[str, ModelParams]) -> dict[str, ModelParams]:
    """The variants that can be built with the upstream cues: those that use all cues, or some of `CUE_WIDTHS`."""
    upstream = {name for widths in CUE_WIDTHS.values() for name in widths}
    return {name: params for name, params in variants.items() if upstream.issuperset(params.cues or ())}


def build(params: ModelParams, rate_hz: int) -> EngagementModel[Any]:
    """An untrained model, the same every time."""
    torch.manual_seed(0)
    return build_model(CUE_WIDTHS, params, rate_hz)


def parameters(params: ModelParams, rate_hz: int) -> int:
    """Number of trainable parameters."""
    with torch.device("meta"):
        model = build(params, rate_hz)
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def streaming_form(params: ModelParams, rate_hz: int) -> StreamingModel | None:
    """The causal model of a variant, in evaluation mode; None where it cannot stream."""
    if "causal" not in params.settings:
        return None
    causal = params.model_copy(update={"settings": {**params.settings, "causal": True}})
    model = build(causal, rate_hz).eval()
    if not isinstance(model, StreamingModel):
        return None
    try:
        model.stream()
    except InputError:
        return None
    return model


def forms_to_measure(variants: Mapping[str, ModelParams], rate_hz: int) -> list[ModelForm]:
    """The forms whose steps are measured.

    Of the variants with the same architecture, the first that can stream and the first that cannot stand for all. A
    model that can stream is also measured with gradient checkpointing. An architecture whose published code writes its
    attention matrices to memory is measured both that way and with fused kernels. Where there is no weight to train,
    there is no step to measure.
    """
    forms: list[ModelForm] = []
    kinds = set()
    for name, params in variants.items():
        streams = streaming_form(params, rate_hz) is not None
        kind = params.architecture, streams
        if kind in kinds or not parameters(params, rate_hz):
            continue
        kinds.add(kind)
        if params.architecture in EXPLICIT_ATTENTION:
            forms.append(ModelForm(f"{name}, as published", name, explicit_attention=True))
            forms.append(ModelForm(f"{name}, fused attention", name))
        else:
            forms.append(ModelForm(name, name))
        if streams:
            forms.append(ModelForm(f"{name}, checkpointing", name, checkpointing=True))
    return forms
