"""Base class of the models: output type, cue selection, saving and loading."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from damamba.config import ARCHITECTURES, MAIN, LabelKind, LabelParams, Section, parse_section
from damamba.console import InputError
from damamba.model.checkpoint import read_checkpoint, write_checkpoint
from damamba.model.heads import Begin, Classes, Several, Start, also_of, main_of, score_head

__all__ = ["EngagementModel", "Example", "Examples", "Output", "score_head"]
CLIP = 10.0  # standard deviations: one broken value must not dominate the frame
NAMED_ONLY = "reference"
"""Group of cues that only models use which name them: what could flatter a model, such as the time since the start."""
MAX_PARAMETERS = 2 * 10**9
"""Of a model; with gradients, averages and the optimiser's moments these are 40 GB. The paper's has 12 million."""
ParamsT = TypeVar("ParamsT", bound=Section)
Statistics = Mapping[str, tuple[Float[Tensor, "_"], Float[Tensor, "_"]]]
"""Mean and standard deviation of each cue's channels over the training split."""


class Output(NamedTuple):
    """What a model predicts for the target."""

    engagement: Float[Tensor, "B T *classes"]
    """In [0, 1]; of classes, the probability of each, with a sum of 1."""
    aligned: dict[str, Float[Tensor, "B T d_align"]]
    """Modality group -> unit vectors for the alignment loss; empty where the model makes none."""
    also: Mapping[str, Float[Tensor, "B T *classes"]] = MappingProxyType({})
    """Further label -> the same as `engagement`."""

    def each(self, change: Callable[[Tensor], Tensor]) -> "Output":
        """Every tensor changed by the same function."""
        return self.like([change(tensor) for tensor in self.tensors()])

    def tensors(self) -> list[Tensor]:
        """Engagement, then the vectors of each group, then the further labels; `like` is the inverse."""
        return [self.engagement, *self.aligned.values(), *self.also.values()]

    def like(self, tensors: Sequence[Tensor]) -> "Output":
        """The same output with other tensors, in the order of `tensors`."""
        first, *rest = tensors
        n = len(self.aligned)
        return Output(
            first, dict(zip(self.aligned, rest[:n], strict=True)), dict(zip(self.also, rest[n:], strict=True))
        )

    def by_label(self) -> dict[str, Tensor]:
        """Predictions of all labels."""
        return {MAIN: self.engagement, **self.also}


class Example(NamedTuple):
    """Training windows with their labels frame by frame, for `EngagementModel.begin`."""

    cues: dict[str, Float[Tensor, "B P T _"]]
    valid: dict[str, Bool[Tensor, "B P T"]]
    present: Bool[Tensor, "B P"]
    label: Float[Tensor, "B T"]
    label_valid: Bool[Tensor, "B T"]
    """False in the context of a window, so that every label counts once."""
    fold: Int[Tensor, "B"]
    """Number of the part of the training sessions that the window belongs to, for cross-validation."""


@runtime_checkable
class Examples(Protocol):
    """All training windows, in order; each pass reads them anew."""

    labelled_frames: int
    """Frames that have a label, about."""
    folds: int
    """Number of folds; one of them may turn out to have no label."""

    def of_label(self, name: str) -> "Examples":
        """The same windows with a further label."""
        ...

    def __iter__(self) -> Iterator[Example]: ...


class EngagementModel(nn.Module, Generic[ParamsT]):
    """Frame-level engagement of a target from the cues of everyone in the conversation.

    An architecture is one file of ``damamba/model/architectures`` that defines one subclass, with its settings as
    `Params`. All are called alike: ``model(cues, valid, present) -> Output``, participant 0 being the target.

    Args:
        cues: Width of each cue, by modality group; the order counts.
        params: Settings of the architecture.
        rate_hz: Frames a second.
        statistics: Mean and standard deviation of each cue over the training split; None where cues come standardised.
        label_mean: Mean engagement of the training split, where predictions start; or the classes; or those of several
            labels.
    """

    Params: ClassVar[type[Section]]
    kinds: ClassVar[tuple[LabelKind, ...]] = ("continuous",)
    """Labels that the architecture has a head for (`damamba.model.heads.make_head`)."""
    several: ClassVar[bool] = False
    """Whether it has further heads where `label_mean` is of several labels (`damamba.model.heads.other_heads`)."""

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: Any,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__()
        starts = {MAIN: main_of(label_mean), **also_of(label_mean)}
        self.labels = {name: start if isinstance(start, Classes) else None for name, start in starts.items()}
        """Label -> classes that it predicts; None: a score."""
        self.classes = self.labels[MAIN]
        """Those of the label at the top of the section `labels`."""
        self.params: ParamsT = params
        self.rate_hz = rate_hz
        self.cues = {group: dict(widths) for group, widths in cues.items()}
        self.widths = {name: width for widths in self.cues.values() for name, width in widths.items()}

    @property
    def further(self) -> dict[str, Classes | None]:
        """`labels` without that at the top of the section."""
        return {name: classes for name, classes in self.labels.items() if name != MAIN}

    def begin(self, examples: Examples) -> str | None:
        """Fit what has a closed form, before the first step of training; most architectures have nothing of the kind.

        Args:
            examples: Windows of the training split.

        Returns:
            A line about the fit, for the log.
        """

    @property
    def share(self) -> nn.Parameter | None:
        """Share of the network in a prediction, beside a part in closed form; validation chooses it. None: no mixture.

        In training the network is alone.
        """
        return None

    @property
    def shares(self) -> dict[str, nn.Parameter]:
        """Label -> its share of the network; empty where there is no mixture."""
        return {} if self.share is None else {MAIN: self.share}

    @property
    def causal(self) -> bool:
        """Whether a frame sees itself and the past alone: the setting `causal`, where the architecture has one."""
        return bool(getattr(self.params, "causal", False))

    @property
    def streams(self) -> bool:
        """Whether it continues from frame to frame with a state of constant size: `stream`, `extend` and `step`."""
        return False

    def extend_each(self, *frames: Any) -> tuple[dict[str, Tensor], Any]:
        """`extend` of a model that streams, by label: (label -> engagement, state to continue from)."""
        engagement, state = self.extend(*frames)  # pyright: ignore[reportCallIssue]
        return {MAIN: engagement}, state

    @classmethod
    def check_sizes(cls, cues: Mapping[str, Mapping[str, int]], params: Any, rate_hz: int, start: Start = 0.5) -> None:
        """Raise InputError unless sizes fit each other and give a model that can be trained; takes no memory."""
        try:
            with torch.device("meta"):
                model = cls(cues, params, rate_hz, None, start)
        except RuntimeError as error:
            if "meta" in str(error):  # a class of one's own that computes with values when it is made
                return
            raise InputError(f"no model has these sizes: {' '.join(str(error).split())}") from None
        size = sum(weight.numel() for weight in model.parameters())
        if size > MAX_PARAMETERS:
            raise InputError(
                f"a model of {size / 1e9:.1f} billion parameters, at most {MAX_PARAMETERS / 1e9:.0f} can be trained; "
                "make widths or layers smaller"
            )

    @classmethod
    def architecture(cls) -> str:
        """The name under which `build_model` finds the class: a file of the folder, or a dotted path."""
        return cls.__module__.removeprefix(f"{ARCHITECTURES}.")

    def save(self, directory: Path | str, **extra: Any) -> None:
        """Write `model.safetensors` and `model.json` into `directory`: all that `load` needs.

        Args:
            directory: Made where it does not exist.
            extra: Further values for the JSON file (window, versions, scores, …); see `read_checkpoint`.
        """
        write_checkpoint(
            directory,
            {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()},
            {
                "architecture": self.architecture(),
                "settings": self.params.model_dump(mode="json"),
                "cues": self.cues,
                "rate_hz": self.rate_hz,
                **({"labels": _described(self.classes)} if self.classes else {}),
                **({"also": {name: _described(kind) for name, kind in self.further.items()}} if self.further else {}),
                **extra,
            },
        )

    @classmethod
    def load(cls, directory: Path | str, device: torch.device | str = "cpu") -> "EngagementModel[Any]":
        """The model that was saved, in evaluation mode.

        Raises:
            InputError: A file is missing or broken, the two do not belong together, or are of another architecture.
        """
        description, weights = read_checkpoint(directory)
        if description.architecture != cls.architecture():
            raise InputError(
                f"{description.path}: the architecture is {description.architecture}, not {cls.architecture()}"
            )
        params = parse_section(cls.Params, description.settings, f"{description.path}: settings")
        start: Start = _start_of(description.extra.get("labels", {}), f"{description.path}: labels")
        if further := description.extra.get("also"):
            also = {name: _start_of(kind, f"{description.path}: also.{name}") for name, kind in further.items()}
            start = Several(start, also)
        model = cls(description.cues, params, description.rate_hz, None, start)
        description.check(weights, model.state_dict())
        model.load_state_dict(weights)
        return model.eval().to(device)


def _described(classes: Classes | None) -> dict[str, Any]:
    """What `model.json` has of a label."""
    return {"kind": classes.kind, "classes": classes.names} if classes else {}


def _start_of(described: Mapping[str, Any], where: str) -> Begin:
    labels = parse_section(LabelParams, described, where)
    return Classes.alike(labels.kind, labels.classes) if labels.classes else 0.5


def chosen_cues(cues: Mapping[str, Mapping[str, int]], chosen: tuple[str, ...] | None) -> dict[str, dict[str, int]]:
    """The cues that are used, by group, without groups that become empty; None: all but those of `NAMED_ONLY`.

    Raises:
        InputError: A chosen cue does not exist.
    """
    there = [name for widths in cues.values() for name in widths]
    for name in chosen or ():
        if name not in there:
            raise InputError(f"model.cues: no cue {name!r}; there are {', '.join(there)}")
    kept = {
        group: {
            name: width for name, width in widths.items() if (group != NAMED_ONLY if chosen is None else name in chosen)
        }
        for group, widths in cues.items()
    }
    return {group: widths for group, widths in kept.items() if widths}


class Standardise(nn.Module):
    """(cue - mean) / std of the training split, clipped to ± `CLIP`; 0 where a frame is missing, whatever its value."""

    def __init__(self, width: int, statistics: tuple[Float[Tensor, "width"], Float[Tensor, "width"]] | None) -> None:
        super().__init__()
        mean, std = statistics or (torch.zeros(width), torch.ones(width))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", mean.float().clone())
        # A channel that was constant in training is only centred.
        self.register_buffer("std", torch.where(std > 0, std, torch.ones_like(std)).float())

    def forward(
        self, cue: Float[Tensor, "*frames width"], valid: Bool[Tensor, "*frames"]
    ) -> Float[Tensor, "*frames width"]:
        """Each frame by itself."""
        x = torch.where(valid[..., None], cue, self.mean)  # first, so that no later operation sees a NaN
        return ((x - self.mean) / self.std).clamp(-CLIP, CLIP)


def standardise_each(widths: Mapping[str, int], statistics: Statistics | None) -> nn.ModuleDict:
    """A `Standardise` for every cue."""
    return nn.ModuleDict(
        {name: Standardise(width, statistics[name] if statistics else None) for name, width in widths.items()}
    )


def side_by_side(
    standardise: nn.ModuleDict,
    cues: Mapping[str, Float[Tensor, "*frames _"]],
    seen: Mapping[str, Bool[Tensor, "*frames"]],
) -> Float[Tensor, "*frames channels"]:
    """The channels of all cues, then one channel a cue that is 1 where it was seen; a missing frame is the mean."""
    x = [layer(cues[name], seen[name]) for name, layer in standardise.items()]
    return torch.cat((*x, torch.stack([seen[name] for name in standardise], dim=-1).to(x[0])), dim=-1)
