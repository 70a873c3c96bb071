"""Cross-entropy of classes: minus the log of the probability of the annotated class.

With the head of ordinal labels, whose probabilities come from one score and thresholds, this is the likelihood of a
cumulative link model.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from damamba.config import LabelKind, Section, Share
from damamba.losses.base import Loss, Prediction

EPSILON = 1e-6


class CrossEntropyParams(Section):
    """Settings of the cross-entropy."""

    balance: Share = 0.0
    """0: every frame counts the same; 1: every class of the batch does, however rare; powers of the share between."""


class CrossEntropyLoss(Loss[CrossEntropyParams]):
    """Mean over all valid core labels of the batch; the learning curve shows it, in nats."""

    Params = CrossEntropyParams
    kinds: ClassVar[tuple[LabelKind, ...]] = ("ordinal", "categorical")

    def __call__(self, prediction: Prediction) -> Float[Tensor, ""]:
        """0, with a zero gradient, where no frame is valid."""
        valid = prediction.label_valid
        probabilities = prediction.engagement.float()
        label = torch.where(valid, prediction.label, 0).long()
        named = probabilities.gather(-1, label[..., None])[..., 0]
        counts = torch.bincount(label[valid], minlength=probabilities.shape[-1]).to(named)
        weight = counts.clamp_min(1).pow(-self.params.balance)[label] * valid
        return -(weight * (named + EPSILON).log()).sum() / weight.sum().clamp_min(EPSILON)
