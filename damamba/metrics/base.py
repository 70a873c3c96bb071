"""What a metric must provide: sums over frames that add up over sessions, and the score of such sums.

A score of pooled sessions, and of every bootstrap resample of them, is then one matrix product.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Bool, Float, Num
from numpy import ndarray

from damamba.config import Section


class Metric(ABC):
    """Base of all metrics. A file of this folder, or a module of your own, defines exactly one subclass."""

    class Params(Section):
        """Settings of the metric, `evaluate.<name>` in params.yaml; a metric without settings keeps this empty one."""

    title: ClassVar[str]
    """Name in headings of tables."""
    moments: ClassVar[tuple[str, ...]]
    """Names of the sums. Each is a sum over frames of something between -1 and 1, so that moments add."""

    def __init__(self, params: Params) -> None:
        self.params = params

    @abstractmethod
    def of_series(
        self, pred: Num[ndarray, "frames"], target: Num[ndarray, "frames"], valid: Bool[ndarray, "frames"]
    ) -> Float[ndarray, "moments"]:
        """Moments of one participant in one session.

        Args:
            pred: Predicted engagement, finite where valid.
            target: Annotated engagement; any value where it is not valid.
            valid: True where the frame was annotated.
        """

    @abstractmethod
    def of_moments(self, moments: Float[ndarray, "*rows moments"]) -> Float[ndarray, "*rows"]:
        """Score of summed moments; NaN where it is undefined."""
