"""DA-Mamba: the whole forward pass on one page, in the paper's steps.

Shapes: the table in `damamba/__init__.py`. Choices that the paper leaves open: docs/design.md.
"""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from damamba.config import MAIN, PositiveFloat, Width
from damamba.console import InputError
from damamba.model.base import EngagementModel, Examples, Output, Statistics
from damamba.model.block_params import BlockParams
from damamba.model.class_reading import fit_each, make_reading, other_readings
from damamba.model.fusion import ModalityGroupFusion, PartnerGroupFusion
from damamba.model.heads import Start, make_head, other_heads, read_each
from damamba.model.stream_state import Memory

JOINT = "joint"  # name of the one group that holds all cues


class DAMambaParams(BlockParams):
    """Settings of DA-Mamba; sources and reasons of each default: docs/design.md."""

    grouping: Literal["modality", "joint"]
    """What a stack runs over: the cues of a modality, or all cues in one wide stack (nothing is aligned then)."""
    partner_fusion: bool
    """Partners as context of the target; off: the target alone."""
    d_fusion: Width
    """Width after the groups are joined."""
    cross_window_s: PositiveFloat
    """A target frame sees the partners within this time, s."""
    d_align: Width
    """Width of the alignment projections."""
    floor: Literal["none", "ridge"]
    """What a prediction is mixed with: nothing, or a linear reading in closed form."""


class DAMamba(EngagementModel[DAMambaParams]):
    """Frame-level engagement of a target from the cues of everyone in the conversation.

    Args:
        cues: Width of each cue, by modality group; the order counts.
        params: Settings.
        rate_hz: Frames a second.
        statistics: As of `build_model`.
        label_mean: As of `build_model`.

    Source:
        arXiv:2509.17711, section 2.
    """

    Params = DAMambaParams
    kinds = ("continuous", "ordinal", "categorical")
    several = True

    def __init__(
        self,
        cues: Mapping[str, Mapping[str, int]],
        params: DAMambaParams,
        rate_hz: int,
        statistics: Statistics | None = None,
        label_mean: Start = 0.5,
    ) -> None:
        super().__init__(cues, params, rate_hz, statistics, label_mean)
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
        self.head = make_head(params.d_fusion, label_mean)
        self.also = other_heads(params.d_fusion, label_mean)
        if params.floor == "ridge":
            reading = self.widths, rate_hz, statistics, params.partner_fusion, params.causal
            self.floor = make_reading(*reading, label_mean)
            self.network_share = nn.Parameter(torch.tensor(0.5), requires_grad=False)
            self.floors = other_readings(*reading, label_mean)
            shares = {name: nn.Parameter(torch.tensor(0.5), requires_grad=False) for name in self.also}
            self.network_shares = nn.ParameterDict(shares)

    @property
    def share(self) -> nn.Parameter | None:
        """As of `EngagementModel`."""
        return self.network_share if self.params.floor == "ridge" else None

    @property
    def shares(self) -> dict[str, nn.Parameter]:
        """As of `EngagementModel`: each label is mixed by itself."""
        return {**super().shares, **self.network_shares} if self.params.floor == "ridge" else {}

    def begin(self, examples: Examples) -> str | None:
        """Fit the floor, of each label."""
        return fit_each(self.floor, self.floors, examples) if self.params.floor == "ridge" else None

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
            memory: State of a stream that these frames continue; see `extend`.
        """
        seats = present.shape[1] if self.params.partner_fusion else 1
        # Everyone goes through the same weights: seats are rows of the batch.
        rows = {name: cues[name][:, :seats].flatten(0, 1) for name in self.widths}
        seen = {name: (valid[name] & present[..., None])[:, :seats].flatten(0, 1) for name in self.widths}

        # 1, 2  Cues to d_model channels with a Mamba each; within a modality group, one hybrid stack.
        groups = {name: group(rows, seen, memory) for name, group in self.groups.items()}

        # 3  The target's frames of each group in one common space, for the alignment loss.
        aligned = {
            name: F.normalize(project(groups[name][0].unflatten(0, (-1, seats))[:, 0]), dim=-1)
            for name, project in self.align.items()
        }

        # 4  One representation a person.
        people = self.join(torch.cat([x for x, _ in groups.values()], dim=-1)).unflatten(0, (-1, seats))
        target, partners = people[:, 0], people[:, 1:]

        # 5, 6  Partners along the frame axis through the context Mamba; cross-attention, whose queries are target
        #       frames; a block that accumulates target-partner interactions over time.
        if self.params.partner_fusion:
            observed = torch.stack([mask for _, mask in groups.values()]).any(dim=0).unflatten(0, (-1, seats))
            target = self.partners(target, observed[:, 0], partners, observed[:, 1:], memory)

        # 7  Frame by frame to a score, of each label.
        target = self.norm(target)
        engagement, also = self.head(target), read_each(self.also, target)
        if self.share is not None and not self.training:
            linear = self.floor(cues, valid, present, memory).clamp(0, 1)
            engagement = torch.lerp(linear, engagement, self.share)
            for name, floor in self.floors.items():
                linear = floor(cues, valid, present, memory).clamp(0, 1)
                also[name] = torch.lerp(linear, also[name], self.network_shares[name])
        return Output(engagement, aligned, also)

    @property
    def streams(self) -> bool:
        """As of `EngagementModel`: not where the future is needed, or the whole past."""
        return self.params.causal and self.params.block != "transformer"

    def stream(self) -> Memory:
        """State to start `extend` and `step` from: nothing seen yet.

        Raises:
            InputError: The model needs the future, or the whole past.
        """
        if not self.streams:
            raise InputError(
                "this model cannot stream: train one with causal: true and block: hybrid under architectures.da_mamba"
            )
        return {}

    def extend(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        state: Memory,
    ) -> tuple[Float[Tensor, "B T *classes"], Memory]:
        """The next frames of streams: (engagement, state to continue from).

        Pieces of any length give together what one `forward` over the whole sequence gives. Seats keep their places as
        long as a stream lasts; a participant who has not arrived is not `present`. Time and memory a frame stay
        constant. Use it in evaluation mode, best under `torch.inference_mode`.
        """
        predicted, memory = self.extend_each(cues, valid, present, state)
        return predicted[MAIN], memory

    def extend_each(
        self,
        cues: Mapping[str, Float[Tensor, "B P T _"]],
        valid: Mapping[str, Bool[Tensor, "B P T"]],
        present: Bool[Tensor, "B P"],
        state: Memory,
    ) -> tuple[dict[str, Tensor], Memory]:
        """`extend` with the predictions of all labels."""
        memory = self.stream() | state
        return self(cues, valid, present, memory).by_label(), memory

    def step(
        self,
        cues: Mapping[str, Float[Tensor, "B P _"]],
        valid: Mapping[str, Bool[Tensor, "B P"]],
        present: Bool[Tensor, "B P"],
        state: Memory,
    ) -> tuple[Float[Tensor, "B *classes"], Memory]:
        """One frame of `extend`."""
        engagement, state = self.extend(
            {name: cue[:, :, None] for name, cue in cues.items()},
            {name: mask[..., None] for name, mask in valid.items()},
            present,
            state,
        )
        return engagement[:, 0], state
