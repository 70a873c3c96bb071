"""The loss that training minimises: a weighted sum of terms."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from damamba import plugins
from damamba.config import LOSSES, MAIN, LossParams, parse_section
from damamba.console import InputError
from damamba.losses.base import Loss, Prediction


class TotalLoss(NamedTuple):
    """What is minimised, and its terms as numbers for the learning curve."""

    total: Float[Tensor, ""]
    curves: dict[str, float | None]
    """Name -> what its `Loss.curve` shows; None where the term did not apply or has no weight."""


def make_losses(losses: Mapping[str, LossParams], rate_hz: int) -> dict[str, Loss[Any]]:
    """The terms that params.yaml names under `losses`, ready to be called.

    Raises:
        InputError: An unknown name, or a setting that its class does not accept.
    """
    made: dict[str, Loss[Any]] = {}
    for name, entry in losses.items():
        kind: type[Any] = plugins.find(LOSSES, entry.loss, Loss)
        made[name] = kind(parse_section(kind.Params, entry.settings(), f"params.yaml: losses.{name}"), rate_hz)
        made[name].label = entry.label or MAIN
    return made


def total_loss(
    prediction: Prediction,
    losses: Mapping[str, Loss[Any]],
    weights: Mapping[str, float],
    also: Mapping[str, Prediction] = MappingProxyType({}),
) -> TotalLoss:
    """Sum of the terms times their weights (``model.lambda_<name>``); a term without weight is not computed.

    Args:
        prediction: Of the label at the top of the section `labels`.
        losses: Terms, from `make_losses`.
        weights: Of each.
        also: Further label -> its prediction, for the terms that compare it.

    Raises:
        InputError: No term applies to this model.
    """
    total: Tensor | None = None
    curves: dict[str, float | None] = {}
    for name, loss in losses.items():
        term = loss(also[loss.label] if loss.label else prediction) if weights[name] else None
        curves[name] = None if term is None else loss.curve(float(term.detach()))
        if term is not None:
            total = weights[name] * term if total is None else total + weights[name] * term
    if total is None:
        given = ", ".join(f"lambda_{name} {weight:g}" for name, weight in weights.items())
        raise InputError(f"params.yaml: no loss applies to this model ({given}); weigh one that does, such as ccc")
    return TotalLoss(total, curves)
