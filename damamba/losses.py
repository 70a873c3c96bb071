"""What training minimises: 1 - CCC of the engagement, and the alignment of the target's audio and visual frames."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

EPSILON = 1e-8  # of a variance of scores in [0, 1]: far below any real one, far above rounding


def ccc_loss(
    pred: Float[Tensor, "*frames"], target: Float[Tensor, "*frames"], valid: Bool[Tensor, "*frames"]
) -> Float[Tensor, ""]:
    """1 - concordance correlation of all valid frames, pooled, with population moments.

    Args:
        pred: Predicted engagement.
        target: Annotated engagement; any value, NaN too, where it is not valid.
        valid: True where the frame was annotated and counts.

    Returns:
        1 - 2 cov / (var_p + var_t + (mean_p - mean_t)²), differentiable in `pred`: 0 for identity, 1 for chance, at
        most 2. It is 1, with a zero gradient, where no frame is valid.

    Source:
        Lin 1989, doi:10.2307/2532051; docs/design.md for what is pooled.
    """
    weight = valid.to(torch.float32)
    count = weight.sum().clamp(min=1)
    pred, target = (torch.where(valid, series.float(), 0.0) for series in (pred, target))
    mean_pred, mean_target = pred.sum() / count, target.sum() / count
    # Centred before squaring: differences of large sums lose a float32's digits.
    pred, target = ((series - mean) * weight for series, mean in ((pred, mean_pred), (target, mean_target)))
    covariance = (pred * target).sum() / count
    spread = (pred.square().sum() + target.square().sum()) / count + (mean_pred - mean_target).square()
    return 1 - 2 * covariance / (spread + EPSILON)


def align_loss(
    audio: Float[Tensor, "B T d_align"] | None,
    visual: Float[Tensor, "B T d_align"] | None,
    valid: Bool[Tensor, "B T"],
    *,
    temperature: float,
    frames: int,
    exclusion_frames: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE: a frame's audio should find its own visual frame among others, and the reverse.

    At most `frames` frames are drawn across the windows of the batch, so the cost is linear in their length.

    Args:
        audio: Unit vectors of the target (`Output.audio`); None where the model has no such group.
        visual: As `audio`.
        valid: True where both groups of the target were observed.
        temperature: Divides the cosines.
        frames: Frames drawn, without replacement.
        exclusion_frames: Frames of the same window nearer than this are alike, and are no negatives of each other.
        generator: Of the draw; the same on every device where it is on the CPU. None uses torch's own.

    Returns:
        Mean of both directions; 0 where a group is None or fewer than two frames are valid.

    Source:
        van den Oord et al. 2018, arXiv:1807.03748; Radford et al. 2021, arXiv:2103.00020 (symmetric form).
    """
    if audio is None or visual is None:
        return torch.zeros((), device=valid.device)
    window, frame = valid.nonzero(as_tuple=True)
    if len(frame) < 2:
        return 0.0 * (audio.sum() + visual.sum())
    device = generator.device if generator else valid.device
    drawn = torch.randperm(len(frame), generator=generator, device=device)[:frames].to(valid.device)
    window, frame = window[drawn], frame[drawn]
    similarity = audio[window, frame].float() @ visual[window, frame].float().T / temperature
    same_window = window[:, None] == window
    near = same_window & ((frame[:, None] - frame).abs() < exclusion_frames)
    near.fill_diagonal_(False)
    similarity = similarity.masked_fill(near, -torch.inf)
    positive = torch.arange(len(drawn), device=valid.device)
    return (F.cross_entropy(similarity, positive) + F.cross_entropy(similarity.T, positive)) / 2
