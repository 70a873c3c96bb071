"""Alignment of modality groups: symmetric InfoNCE between the target's frames of every pair of groups."""

from itertools import combinations
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from damamba.config import NonNegativeFloat, PositiveFloat, Section
from damamba.losses.base import Loss, Prediction


class AlignmentParams(Section):
    """Settings of the alignment loss."""

    temperature: PositiveFloat
    """Divides the cosines."""
    frames: Annotated[int, Field(gt=0, le=16_384, strict=True)]
    """Frames drawn a batch and pair of groups."""
    exclusion_s: NonNegativeFloat
    """Frames of the same participant that are nearer than this do not serve as negatives, s."""


class AlignLoss(Loss[AlignmentParams]):
    """Mean of `align_loss` over every pair of modality groups; each pair over frames at which both were observed."""

    Params = AlignmentParams
    kinds = ("continuous", "ordinal", "categorical")

    def __call__(self, prediction: Prediction) -> Float[Tensor, ""] | None:
        """None where the model aligns fewer than two groups."""
        pairs = list(combinations(prediction.aligned, 2))
        terms = [
            align_loss(
                prediction.aligned[a],
                prediction.aligned[b],
                prediction.observed[a] & prediction.observed[b],
                seat=prediction.seat,
                start=prediction.start,
                temperature=self.params.temperature,
                frames=self.params.frames,
                exclusion_frames=round(self.params.exclusion_s * self.rate_hz),
                generator=prediction.generator,
            )
            for a, b in pairs
        ]
        if len(terms) < 2:
            return terms[0] if terms else None
        return torch.stack(terms).mean()


def align_loss(
    first: Float[Tensor, "B T d_align"],
    second: Float[Tensor, "B T d_align"],
    valid: Bool[Tensor, "B T"],
    *,
    seat: Int[Tensor, "B"],
    start: Float[Tensor, "B"],
    temperature: float,
    frames: int,
    exclusion_frames: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE: each frame of one group should find its own frame of the other group, and the reverse.

    At most `frames` frames are drawn across the windows of the batch, so the cost is linear in their length.

    Args:
        first: Unit vectors of the target, of one modality group.
        second: The same of another group.
        valid: True where both groups of the target were observed.
        seat: Equal for windows of the same participant in the same session.
        start: First frame of each window in its session.
        temperature: Divides the cosines.
        frames: Frames drawn, without replacement.
        exclusion_frames: Frames of the same participant that are nearer than this in the session are alike and do not
            serve as negatives; neither does the same instant in another window, even at 0.
        generator: Of the draw; the same on every device where it is on the CPU. None uses torch's own.

    Returns:
        Mean of both directions; 0 where fewer than two frames are valid.

    Source:
        van den Oord et al. 2018, arXiv:1807.03748; Radford et al. 2021, arXiv:2103.00020 (symmetric form).
    """
    window, frame = valid.nonzero(as_tuple=True)
    if len(frame) < 2:
        return 0.0 * (first.sum() + second.sum())
    device = generator.device if generator else valid.device
    drawn = torch.randperm(len(frame), generator=generator, device=device)[:frames].to(valid.device)
    window, frame = window[drawn], frame[drawn]
    similarity = first[window, frame].float() @ second[window, frame].float().T / temperature
    seat, time = seat[window], start[window] + frame
    # starts may lie between frames, where sums are rounded
    near = (seat[:, None] == seat) & ((time[:, None] - time).abs() < max(exclusion_frames, 1) - 0.01)
    near.fill_diagonal_(False)
    similarity = similarity.masked_fill(near, -torch.inf)
    positive = torch.arange(len(drawn), device=valid.device)
    return (F.cross_entropy(similarity, positive) + F.cross_entropy(similarity.T, positive)) / 2
