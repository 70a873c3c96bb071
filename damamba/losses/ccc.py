"""1 - CCC of the engagement: what the challenge scores."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from damamba.config import Section
from damamba.losses.base import Loss, Prediction

EPSILON = 1e-8  # of a variance of scores in [0, 1]: far below any real one, far above rounding


class CCCParams(Section):
    """No settings."""


class CCCLoss(Loss[CCCParams]):
    """1 - CCC over all valid core labels of the batch; the learning curve shows the CCC."""

    Params = CCCParams

    def __call__(self, prediction: Prediction) -> Float[Tensor, ""]:
        """Of the whole batch: CCC does not decompose over windows."""
        return ccc_loss(prediction.engagement, prediction.label, prediction.label_valid)

    def curve(self, value: float) -> float:
        """The CCC."""
        return 1 - value


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
