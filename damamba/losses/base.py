"""Base class of the terms of the loss, and what they are computed from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from damamba.config import MAIN, LabelKind, Section

ParamsT = TypeVar("ParamsT", bound=Section)


@dataclass(frozen=True)
class Prediction:
    """What a model predicted for a batch, and what was annotated."""

    engagement: Float[Tensor, "B L *classes"]
    """At the labels of each window's core, in [0, 1]; of classes, the probability of each."""
    label: Float[Tensor, "B L"]
    """Any value, NaN too, where it is not valid."""
    label_valid: Bool[Tensor, "B L"]
    """True where the frame was annotated and counts."""
    aligned: Mapping[str, Float[Tensor, "B T d_align"]]
    """Modality group -> unit vectors of the target; empty where the model makes none."""
    observed: Mapping[str, Bool[Tensor, "B T"]]
    """Modality group -> frames of the target at which any of its cues was observed."""
    seat: Int[Tensor, "B"]
    """A number for the target of each window: equal for the same participant in the same session."""
    start: Float[Tensor, "B"]
    """First frame of each window, counted from the start of its session; a fraction between frames, negative before
    the start."""
    generator: torch.Generator | None = None
    """For whatever a term draws; on the CPU the draw is the same on every device. None uses torch's own."""


class Loss(ABC, Generic[ParamsT]):
    """One term of the loss.

    A term is one file of ``damamba/losses`` that defines one subclass, with its settings as `Params`; or a module of
    one's own, named by its dotted path.

    Args:
        params: Settings: the keys of ``losses.<name>`` in params.yaml.
        rate_hz: Frames a second of the model.
    """

    Params: ClassVar[type[Section]]
    kinds: ClassVar[tuple[LabelKind, ...]] = ("continuous",)
    """Labels that the term is for."""
    label: str = MAIN
    """Which label the term compares, set by `make_losses`: `MAIN`, or one of `labels.also`."""

    def __init__(self, params: ParamsT, rate_hz: int) -> None:
        self.params, self.rate_hz = params, rate_hz

    @abstractmethod
    def __call__(self, prediction: Prediction) -> Float[Tensor, ""] | None:
        """The term over the whole batch, differentiable; None where this model has nothing that it applies to."""

    def curve(self, value: float) -> float:
        """What the learning curve shows of the term's value."""
        return value
