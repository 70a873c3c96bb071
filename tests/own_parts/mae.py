"""A metric: the mean absolute error."""

import numpy as np

from damamba.metrics.base import Metric


class MeanAbsoluteError(Metric):
    title = "MAE"
    moments = ("frames", "sum_abs")

    def of_series(self, pred, target, valid):
        error = np.abs(pred[valid].astype(float) - target[valid])
        return np.array([len(error), error.sum()])

    def of_moments(self, moments):
        with np.errstate(invalid="ignore"):
            return moments[..., 1] / moments[..., 0]
