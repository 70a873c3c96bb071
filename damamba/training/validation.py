"""Scores of the averaged weights on the validation split, by which weights are chosen."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from damamba.config import MAIN, LabelParams
from damamba.config.kinds import label_and_metric
from damamba.data.batch import SeatKey, WindowReader, annotated_seats
from damamba.data.shards import Aligned, AlignedSession
from damamba.inference import predict_each
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

    Scores of a further label carry its name in front: ``social.kappa``.

    Args:
        reader: Of the shards.
        select: `train.select`: without a label of its own, nothing is validated.
        shuffle: Seed of a control with swapped labels. It must not learn from true ones, not even through the choice
            of the best weights, and has no seats.
        ranks: Processes that share the work: each predicts some of the seats.
    """

    def __init__(self, reader: WindowReader, select: str, shuffle: int | None, ranks: Ranks) -> None:
        self.reader, self.ranks = reader, ranks
        self.of_label = {name: metrics_of(view.annotated) for name, view in reader.views.items()}
        """Label -> what is measured of it."""
        self.metrics = {
            _named(label, name): metric for label, metrics in self.of_label.items() for name, metric in metrics.items()
        }
        self.annotated = {name: _annotated(view) if shuffle is None else set() for name, view in reader.views.items()}
        """Label -> (corpus, session, participant) of the seats that have it."""
        chosen = label_and_metric(select)[0]
        every = set().union(*self.annotated.values()) if self.annotated.get(chosen) else set()
        aligned = reader.aligned
        self.seats: list[SeatKey] = [
            (session, number)
            for session in aligned.split("val")
            for number in range(len(session.seats))
            if _key(session, number) in every
        ]
        self.missing = None if self.seats else _why_missing(aligned, shuffle, chosen)
        """Why nothing is validated, so that the last weights are kept instead of the best; None where it is."""
        self._closed: list[dict[str, np.ndarray]] = []
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

        One that mixes its network with a closed form gets the share of the network that is best here by `select`; a
        label that `select` does not name, by the first of its metrics.

        Returns:
            Name of a metric -> mean over corpora of the score of all their frames; 0 where it is undefined. A label
            that nobody has gives no score. A mixture adds "share", and "network": the first metric for the network
            alone; both for the label at the top of the section `labels`.
        """
        if not model.shares:
            return self._scores(self._predicted(model, ema))
        if not self._closed:
            _set_shares(model, ema, dict.fromkeys(model.shares, 0.0))
            self._closed = self._predicted(model, ema)
        _set_shares(model, ema, dict.fromkeys(model.shares, 1.0))
        network = self._predicted(model, ema)
        mixed = {share: self._scores(_mixed(self._closed, network, share)) for share in SHARES}
        best = {label: self._best_share(mixed, label, select) for label in model.shares}
        _set_shares(model, ema, best)
        scores = {name: mixed[best[label_and_metric(name)[0]]][name] for name in mixed[1.0]}
        network_alone = {"network": mixed[1.0][self.first]} if self.first in mixed[1.0] else {}
        return {**scores, "share": best[MAIN], **network_alone}

    def _best_share(self, mixed: Mapping[float, Mapping[str, float]], label: str, select: str) -> float:
        name = select if label_and_metric(select)[0] == label else _named(label, next(iter(self.of_label[label])))
        return max(mixed, key=lambda share: mixed[share].get(name, 0.0))

    def _predicted(self, model: EngagementModel, ema: Ema) -> list[dict[str, np.ndarray]]:
        """Predictions of every label for each of the seats, from whichever process made them."""
        with ema.swap():
            model.eval()
            return self.ranks.shared(self.seats, lambda seat: predict_each(model, self.reader, *seat))

    def _scores(self, predictions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
        """Scores of predictions for the seats, by each of the metrics."""
        moments: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in self.metrics}
        for (session, seat), predicted in zip(self.seats, predictions, strict=True):
            for label, view in self.reader.views.items():
                if _key(session, seat) not in self.annotated[label]:
                    continue
                value, valid = view.labels(session, session.seats[seat].participant)
                pred = most_probable(predicted[label]) if view.annotated.classes else predicted[label]
                for name, metric in self.of_label[label].items():
                    rows = moments[_named(label, name)].setdefault(session.corpus, [])
                    rows.append(metric.of_series(pred, value, valid))
        scores = {}
        for name, metric in self.metrics.items():
            by_corpus = [float(metric.of_moments(np.sum(rows, axis=0))) for rows in moments[name].values()]
            if by_corpus:
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


def _named(label: str, metric: str) -> str:
    """A metric of a label, as `train.select` names it."""
    return f"{label}.{metric}" if label else metric


def _key(session: AlignedSession, number: int) -> tuple[str, str, str]:
    return session.corpus, session.session, session.seats[number].participant


def _annotated(view: Aligned) -> set[tuple[str, str, str]]:
    return {_key(*seat) for seat in annotated_seats(view, "val")}


def _set_shares(model: EngagementModel, ema: Ema, shares: Mapping[str, float]) -> None:
    """Of the weights that are trained, and of their average."""
    for label, held in model.shares.items():
        name = next(name for name, weight in model.named_parameters() if weight is held)
        for weight in (held, ema.weights[name]):
            weight.data.fill_(shares[label])


def _mixed(
    closed: Sequence[Mapping[str, np.ndarray]], network: Sequence[Mapping[str, np.ndarray]], share: float
) -> list[dict[str, np.ndarray]]:
    return [
        {label: (1 - share) * a[label] + share * b[label] for label in a} for a, b in zip(closed, network, strict=True)
    ]


def _why_missing(aligned: Aligned, shuffle: int | None, label: str) -> str:
    if shuffle is not None:
        return "the labels are shuffled"
    which = f"label {label}" if label else "label"
    return f"no participant of the split val has a valid {which}" if aligned.split("val") else "the split val is empty"
