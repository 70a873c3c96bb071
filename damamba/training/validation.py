"""Scores of the averaged weights on the validation split, by which weights are chosen."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from damamba.config import LabelParams
from damamba.data.batch import SeatKey, WindowReader, annotated_seats
from damamba.data.shards import Aligned
from damamba.inference import predict
from damamba.metrics import ClassMetric, Metric
from damamba.metrics.base import most_probable
from damamba.metrics.ccc import CCC
from damamba.metrics.ccc_within import CCCWithin
from damamba.metrics.kappa import Kappa
from damamba.metrics.macro_f1 import MacroF1
from damamba.metrics.weighted_kappa import WeightedKappa
from damamba.model import EngagementModel
from damamba.training.ema import Ema
from damamba.training.ranks import Ranks

SCORES: dict[str, Metric] = {"ccc": CCC(CCC.Params()), "ccc_within": CCCWithin(CCCWithin.Params())}
"""What a validation measures of scores; `train.select` chooses by which of them weights are kept."""
CLASSES: dict[str, type[ClassMetric]] = {"kappa": Kappa, "weighted_kappa": WeightedKappa, "macro_f1": MacroF1}
"""The same of classes."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Candidates for the share of the network, where a model mixes it with a closed form."""


def metrics_of(labels: LabelParams) -> dict[str, Metric]:
    """What a validation measures of these labels, by name: CCC first, or kappa of classes."""
    if labels.kind == "continuous":
        return SCORES
    kinds = {name: kind for name, kind in CLASSES.items() if labels.kind in kind.kinds}
    return {name: kind(kind.Params(), labels.classes) for name, kind in kinds.items()}


class Validation:
    """The annotated seats of the validation split, and what is measured on them.

    Args:
        reader: Of the shards.
        shuffle: Seed of a control with swapped labels. It must not learn from true ones, not even through the choice
            of the best weights, and has no seats.
        ranks: Processes that share the work: each predicts some of the seats.
    """

    def __init__(self, reader: WindowReader, shuffle: int | None, ranks: Ranks) -> None:
        self.reader, self.ranks = reader, ranks
        aligned = reader.aligned
        self.metrics = metrics_of(aligned.annotated)
        self.seats = annotated_seats(aligned, "val") if shuffle is None else []
        self.missing = None if self.seats else _why_missing(aligned, shuffle)
        """Why nothing is validated, so that the last weights are kept instead of the best; None where it is."""
        self._closed: list[np.ndarray] = []
        """What the closed form alone predicts; it stays the same."""

    def __len__(self) -> int:
        return len(self.seats)

    def __iter__(self) -> Iterator[SeatKey]:
        return iter(self.seats)

    @property
    def first(self) -> str:
        """The metric that leads."""
        return next(iter(self.metrics))

    def measure(self, model: EngagementModel, ema: Ema, select: str) -> dict[str, float]:
        """Scores of a model with its averaged weights.

        One that mixes its network with a closed form gets the share of the network that is best here by `select`.

        Returns:
            Name of a metric -> mean over corpora of the score of all their frames; 0 where it is undefined. Of a
            mixture also its "share", and as "network" the first of them for the network.
        """
        if model.share is None:
            return self._scores(self._predicted(model, ema), bool(model.classes))
        if not self._closed:
            _set_share(model, ema, 0.0)
            self._closed = self._predicted(model, ema)
        _set_share(model, ema, 1.0)
        network = self._predicted(model, ema)
        mixed = {share: self._scores(_mixed(self._closed, network, share), bool(model.classes)) for share in SHARES}
        share = max(mixed, key=lambda each: mixed[each][select])
        _set_share(model, ema, share)
        return {**mixed[share], "share": share, "network": mixed[1.0][self.first]}

    def _predicted(self, model: EngagementModel, ema: Ema) -> list[np.ndarray]:
        """Predictions for each of the seats, from whichever process made them."""
        with ema.swap():
            model.eval()
            return self.ranks.shared(self.seats, lambda seat: predict(model, self.reader, *seat))

    def _scores(self, predictions: Sequence[np.ndarray], classes: bool) -> dict[str, float]:
        """Scores of predictions for the seats, by each of the metrics."""
        moments: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in self.metrics}
        for (session, seat), pred in zip(self.seats, predictions, strict=True):
            value, valid = self.reader.aligned.labels(session, session.seats[seat].participant)
            pred = most_probable(pred) if classes else pred
            for name, metric in self.metrics.items():
                moments[name].setdefault(session.corpus, []).append(metric.of_series(pred, value, valid))
        scores = {}
        for name, metric in self.metrics.items():
            by_corpus = [float(metric.of_moments(np.sum(rows, axis=0))) for rows in moments[name].values()]
            scores[name] = float(np.mean([0.0 if math.isnan(score) else score for score in by_corpus]))
        return scores


def exhausted(history: Sequence[Mapping[str, Any]], first: str, best: int, patience: int) -> bool:
    """Whether the last `patience` validations were all no better than an earlier one; never with a patience of 0.

    A network that is mixed with a closed form may go on while it gets better itself, though it is not needed yet.

    Args:
        history: Rows of the learning curve.
        first: The metric that leads.
        best: Step with the best weights.
        patience: Validations.
    """
    validated = [row for row in history if row[f"val_{first}"] is not None]
    alone = [(row["val_network"], -row["step"]) for row in validated if row["val_network"] is not None]
    best = max(best, -max(alone)[1] if alone else 0)
    return bool(patience) and sum(row["step"] > best for row in validated) >= patience


def _set_share(model: EngagementModel, ema: Ema, share: float) -> None:
    """Of the weights that are trained, and of their average."""
    assert model.share is not None
    name = next(name for name, weight in model.named_parameters() if weight is model.share)
    for weight in (model.share, ema.weights[name]):
        weight.data.fill_(share)


def _mixed(closed: Sequence[np.ndarray], network: Sequence[np.ndarray], share: float) -> list[np.ndarray]:
    return [(1 - share) * a + share * b for a, b in zip(closed, network, strict=True)]


def _why_missing(aligned: Aligned, shuffle: int | None) -> str:
    if shuffle is not None:
        return "the labels are shuffled"
    return "no participant of the split val has a valid label" if aligned.split("val") else "the split val is empty"
