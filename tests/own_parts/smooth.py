"""A term of the loss: predictions should not jump."""

from damamba.config import PositiveFloat, Section
from damamba.losses.base import Loss, Prediction


class SmoothParams(Section):
    power: PositiveFloat


class Smooth(Loss[SmoothParams]):
    Params = SmoothParams

    def __call__(self, prediction: Prediction):
        return prediction.engagement.diff(dim=-1).abs().pow(self.params.power).mean()
