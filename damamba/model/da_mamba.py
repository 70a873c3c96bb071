"""DA-Mamba: the whole forward pass on one page, in the paper's steps.

Shapes: the table in `damamba/__init__.py`. Choices that the paper leaves open: docs/design.md.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import ModelParams
from damamba.model.checkpoint import read_checkpoint, write_checkpoint
from damamba.model.fusion import ModalityGroupFusion, PartnerGroupFusion

JOINT = "joint"  # name of the one group that holds all cues where modality fusion is off


class Output(NamedTuple):
    """What the model says about the target."""

    engagement: Float[Tensor, "B T"]
    """In [0, 1]."""
    audio: Float[Tensor, "B T d_align"] | None
    """Unit vectors for the alignment loss; None without this group, or without modality fusion."""
    visual: Float[Tensor, "B T d_align"] | None


class DAMamba(nn.Module):
    """Frame-level engagement of a target from the cues of everyone in the conversation.

    Args:
        cues: Width of each cue, by modality group; the order counts.
        params: The `model` section.
        rate_hz: Frames a second.
        statistics: Mean and standard deviation of each cue's channels over the training split; None where cues come
            standardised.
        label_mean: Mean engagement of the training split, where predictions start.

    Source:
        arXiv:2509.17711, section 2.
    """

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: ModelParams,
        rate_hz: int,
        statistics: Mapping[str, tuple[Float[Tensor, "_"], Float[Tensor, "_"]]] | None = None,
        label_mean: float = 0.5,
    ) -> None:
        super().__init__()
        self.cues = {group: dict(widths) for group, widths in cues.items()}
        self.params = params
        self.rate_hz = rate_hz
        groups = self.cues
        if not params.modality_fusion:
            groups = {JOINT: {name: width for widths in self.cues.values() for name, width in widths.items()}}
        self.groups = nn.ModuleDict(
            {group: ModalityGroupFusion(widths, params, statistics) for group, widths in groups.items()}
        )
        group_widths = {group: len(widths) * params.d_model for group, widths in groups.items()}
        aligned = group_widths if params.modality_fusion else {}
        self.align = nn.ModuleDict({group: nn.Linear(width, params.d_align) for group, width in aligned.items()})
        self.join = nn.Linear(sum(group_widths.values()), params.d_fusion)
        if params.partner_fusion:
            self.partners = PartnerGroupFusion(params.d_fusion, params, round(params.cross_window_s * rate_hz))
        self.norm = nn.LayerNorm(params.d_fusion)
        self.head = nn.Linear(params.d_fusion, 1)
        nn.init.normal_(self.head.weight, std=params.d_fusion**-0.5)
        nn.init.constant_(self.head.bias, math.log(label_mean / (1 - label_mean)))

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
    ) -> Output:
        """Engagement of participant 0 at every frame.

        Args:
            cues: Every cue of every participant; any value, NaN too, where it is not valid.
            valid: True where the cue was observed.
            present: False for seats that pad the batch.
        """
        seats = present.shape[1] if self.params.partner_fusion else 1
        # Everyone goes through the same weights: seats are rows of the batch.
        rows = {name: cue[:, :seats].flatten(0, 1) for name, cue in cues.items()}
        seen = {name: (mask & present[..., None])[:, :seats].flatten(0, 1) for name, mask in valid.items()}

        # 1, 2  Cues to d_model channels with a Mamba each; within a modality group, one hybrid stack.
        groups = {name: group(rows, seen) for name, group in self.groups.items()}

        # 3  Where the target's audio and visual frames should meet, for the alignment loss.
        aligned = {
            name: F.normalize(project(groups[name][0].unflatten(0, (-1, seats))[:, 0]), dim=-1)
            for name, project in self.align.items()
        }

        # 4  One representation a person.
        people = self.join(torch.cat([x for x, _ in groups.values()], dim=-1)).unflatten(0, (-1, seats))
        target, partners = people[:, 0], people[:, 1:]

        # 5, 6  Partners along the frame axis through the context Mamba; the target asks them by cross-attention.
        if self.params.partner_fusion:
            observed = torch.stack([mask for _, mask in groups.values()]).any(dim=0).unflatten(0, (-1, seats))
            target = self.partners(target, partners, observed[:, 1:])

        # 7  Frame by frame to a score.
        engagement = torch.sigmoid(self.head(self.norm(target)).squeeze(-1))
        return Output(engagement, aligned.get("audio"), aligned.get("visual"))

    def save(self, directory: Path, **extra: Any) -> None:
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
    def load(cls, directory: Path) -> "DAMamba":
        """The model that was saved, on the CPU, in evaluation mode.

        Raises:
            InputError: A file is missing or broken, or the two do not belong together.
        """
        description, weights = read_checkpoint(directory)
        model = cls(description.cues, description.params, description.rate_hz)
        description.check(weights, model.state_dict())
        model.load_state_dict(weights)
        return model.eval()
