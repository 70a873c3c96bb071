"""What all architectures have in common: who says what about whom, the cues that are used, saving and loading."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import ModelParams
from damamba.console import InputError
from damamba.model.checkpoint import read_checkpoint, write_checkpoint
from damamba.model.precision import UnroundedLinear

CLIP = 10.0  # standard deviations: a broken value must not drown the frame
Statistics = Mapping[str, tuple[Float[Tensor, "_"], Float[Tensor, "_"]]]
"""Mean and standard deviation of each cue's channels over the training split."""


class Output(NamedTuple):
    """What the model says about the target."""

    engagement: Float[Tensor, "B T"]
    """In [0, 1]."""
    audio: Float[Tensor, "B T d_align"] | None
    """Unit vectors for the alignment loss; None where the model makes none."""
    visual: Float[Tensor, "B T d_align"] | None

    def each(self, change: Callable[[Tensor], Tensor]) -> "Output":
        """All that the model says, changed alike."""
        audio, visual = (None if part is None else change(part) for part in (self.audio, self.visual))
        return Output(change(self.engagement), audio, visual)


class EngagementModel(nn.Module):
    """Frame-level engagement of a target from the cues of everyone in the conversation.

    Architectures are called alike: ``model(cues, valid, present) -> Output``, participant 0 being the target.

    Args:
        cues: Width of each cue, by modality group; the order counts. Those that `params.cues` does not name are left
            out.
        params: The `model` section.
        rate_hz: Frames a second.

    Raises:
        InputError: `params.cues` names a cue that is not there.
    """

    architecture: ClassVar[str]

    def __init__(self, cues: Mapping[str, Mapping[str, int]], params: ModelParams, rate_hz: int) -> None:
        super().__init__()
        assert params.architecture == self.architecture, "build_model chooses"
        self.params, self.rate_hz = params, rate_hz
        self.cues = chosen_cues(cues, params.cues)
        self.widths = {name: width for widths in self.cues.values() for name, width in widths.items()}

    def save(self, directory: Path | str, **extra: Any) -> None:
        """Write `model.safetensors` and `model.json` into `directory`: all that `load` needs.

        Args:
            directory: Made where it does not exist.
            extra: Further values for the JSON file (window, versions, scores, …); see `read_checkpoint`.
        """
        write_checkpoint(
            directory,
            {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()},
            {"params": self.params.model_dump(), "cues": self.cues, "rate_hz": self.rate_hz, **extra},
        )

    @classmethod
    def load(cls, directory: Path | str, device: torch.device | str = "cpu") -> "EngagementModel":
        """The model that was saved, in evaluation mode.

        Raises:
            InputError: A file is missing or broken, the two do not belong together, or are of another architecture.
        """
        description, weights = read_checkpoint(directory)
        if description.params.architecture != cls.architecture:
            raise InputError(
                f"{description.path}: the architecture is {description.params.architecture}, not {cls.architecture}"
            )
        model = cls(description.cues, description.params, description.rate_hz)
        description.check(weights, model.state_dict())
        model.load_state_dict(weights)
        return model.eval().to(device)


def chosen_cues(cues: Mapping[str, Mapping[str, int]], chosen: tuple[str, ...] | None) -> dict[str, dict[str, int]]:
    """The cues that are used, by group, without groups that became empty; None uses all."""
    there = [name for widths in cues.values() for name in widths]
    for name in chosen or ():
        if name not in there:
            raise InputError(f"model.cues: no cue {name!r}; there are {', '.join(there)}")
    kept = {
        group: {name: width for name, width in widths.items() if chosen is None or name in chosen}
        for group, widths in cues.items()
    }
    return {group: widths for group, widths in kept.items() if widths}


class Standardise(nn.Module):
    """(cue - mean) / std of the training split, within ± `CLIP`; 0 where a frame is missing, whatever stands there."""

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
        x = torch.where(valid[..., None], cue, self.mean)  # first, so that nothing behind it can meet a NaN
        return ((x - self.mean) / self.std).clamp(-CLIP, CLIP)


def standardise_each(widths: Mapping[str, int], statistics: Statistics | None) -> nn.ModuleDict:
    """A `Standardise` for every cue."""
    return nn.ModuleDict(
        {name: Standardise(width, statistics[name] if statistics else None) for name, width in widths.items()}
    )


def score_head(width: int, label_mean: float) -> UnroundedLinear:
    """To the logit of a score: starts at the mean label, with unit gain, so that predictions spread like labels."""
    head = UnroundedLinear(width, 1)
    nn.init.normal_(head.weight, std=width**-0.5)
    mean = min(max(label_mean, 0.01), 0.99)  # labels that are all 0 or 1 have no logit
    nn.init.constant_(head.bias, math.log(mean / (1 - mean)))
    return head
