"""DA-Mamba: the whole forward pass on one page, in the paper's steps.

Shapes: the table in `damamba/__init__.py`. Choices that the paper leaves open: docs/design.md.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import ModelParams
from damamba.console import InputError
from damamba.model.base import EngagementModel, Output, Statistics, score_head
from damamba.model.fusion import ModalityGroupFusion, PartnerGroupFusion
from damamba.model.stream_state import Memory

JOINT = "joint"  # name of the one group that holds all cues


class DAMamba(EngagementModel):
    """Frame-level engagement of a target from the cues of everyone in the conversation.

    Args:
        cues, params, rate_hz, statistics, label_mean: As of `build_model`.

    Source:
        arXiv:2509.17711, section 2.
    """

    architecture = "da_mamba"

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: ModelParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: float = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz)
        groups = {JOINT: self.widths} if params.grouping == "joint" else self.cues
        self.groups = nn.ModuleDict(
            {group: ModalityGroupFusion(widths, params, statistics) for group, widths in groups.items()}
        )
        group_widths = {group: len(widths) * params.d_model for group, widths in groups.items()}
        aligned = group_widths if params.modality_fusion and params.grouping == "modality" else {}
        self.align = nn.ModuleDict({group: nn.Linear(width, params.d_align) for group, width in aligned.items()})
        self.join = nn.Linear(sum(group_widths.values()), params.d_fusion)
        if params.partner_fusion:
            self.partners = PartnerGroupFusion(params.d_fusion, params, round(params.cross_window_s * rate_hz))
        self.norm = nn.LayerNorm(params.d_fusion)
        self.head = score_head(params.d_fusion, label_mean)

    def forward(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        memory: Memory | None = None,
    ) -> Output:
        """Engagement of participant 0 at every frame.

        Args:
            cues: Every cue of every participant; any value, NaN too, where it is not valid.
            valid: True where the cue was observed.
            present: False for seats that pad the batch.
            memory: Of a stream, whose next frames these are; `extend` holds it.
        """
        seats = present.shape[1] if self.params.partner_fusion else 1
        # Everyone goes through the same weights: seats are rows of the batch.
        rows = {name: cues[name][:, :seats].flatten(0, 1) for name in self.widths}
        seen = {name: (valid[name] & present[..., None])[:, :seats].flatten(0, 1) for name in self.widths}

        # 1, 2  Cues to d_model channels with a Mamba each; within a modality group, one hybrid stack.
        groups = {name: group(rows, seen, memory) for name, group in self.groups.items()}

        # 3  Where the target's audio and visual frames should meet, for the alignment loss.
        aligned = {
            name: F.normalize(project(groups[name][0].unflatten(0, (-1, seats))[:, 0]), dim=-1)
            for name, project in self.align.items()
        }

        # 4  One representation a person.
        people = self.join(torch.cat([x for x, _ in groups.values()], dim=-1)).unflatten(0, (-1, seats))
        target, partners = people[:, 0], people[:, 1:]

        # 5, 6  Partners along the frame axis through the context Mamba; the target asks them by cross-attention, and
        #       counts over time what passed between them.
        if self.params.partner_fusion:
            observed = torch.stack([mask for _, mask in groups.values()]).any(dim=0).unflatten(0, (-1, seats))
            target = self.partners(target, observed[:, 0], partners, observed[:, 1:], memory)

        # 7  Frame by frame to a score.
        engagement = torch.sigmoid(self.head(self.norm(target)).squeeze(-1))
        return Output(engagement, aligned.get("audio"), aligned.get("visual"))

    def stream(self) -> Memory:
        """What to start `extend` and `step` from: nothing seen yet.

        Raises:
            InputError: The model needs the future, or the whole past.
        """
        if not self.params.causal or self.params.block == "transformer":
            raise InputError("this model cannot stream: train one with model.causal: true and model.block: hybrid")
        return {}

    def extend(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        state: Memory,
    ) -> tuple[Float[Tensor, "B T"], Memory]:
        """The next frames of streams: (engagement, state to continue from).

        In pieces of any length it is what `forward` says of the whole. Seats keep their places as long as a stream
        lasts; who is not there yet is not `present`. Time and memory of a frame do not grow. In evaluation mode, best
        under `torch.inference_mode`.
        """
        memory = self.stream() | state
        return self(cues, valid, present, memory).engagement, memory

    def step(
        self,
        cues: Mapping[str, Float[Tensor, "B P _"]],
        valid: Mapping[str, Bool[Tensor, "B P"]],
        present: Bool[Tensor, "B P"],
        state: Memory,
    ) -> tuple[Float[Tensor, "B"], Memory]:
        """One frame of `extend`."""
        engagement, state = self.extend(
            {name: cue[:, :, None] for name, cue in cues.items()},
            {name: mask[..., None] for name, mask in valid.items()},
            present,
            state,
        )
        return engagement[:, 0], state
