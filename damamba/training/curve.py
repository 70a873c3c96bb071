"""One row of the learning curve."""

from dataclasses import dataclass
from typing import Any

from damamba.console import InputError


@dataclass(frozen=True)
class Step:
    """Results of one optimiser step: a row of the learning curves."""

    step: int
    loss: float
    terms: dict[str, float | None]
    """Name of a loss -> what its `curve` shows on this batch, such as the CCC; None where it did not apply."""
    pred_std: float
    """Standard deviation of all predictions of this batch."""
    learning_rate: float
    grad_norm: float
    val: dict[str, float | None]
    """Name of a metric -> score of the EMA weights, at steps that were validated: CCC first, or kappa of classes."""
    share: float | None
    """Best share of the network there; None where there is no mixture."""
    val_network: float | None
    """The first of them for the network alone, where there is a mixture."""

    @property
    def first(self) -> float | None:
        """The first score of the network, if it was validated."""
        return next(iter(self.val.values())) if self.val_network is None else self.val_network

    def row(self) -> dict[str, Any]:
        """Column -> value, the terms as columns of their own."""
        row: dict[str, Any] = {}
        for name, value in vars(self).items():
            if name != "terms":
                row |= {f"val_{metric}": score for metric, score in value.items()} if name == "val" else {name: value}
        if taken := sorted(row.keys() & self.terms.keys()):
            raise InputError(f"params.yaml: losses.{taken[0]}: the learning curve has a column of that name; rename it")
        return {"step": row.pop("step"), "loss": row.pop("loss"), **self.terms, **row}
