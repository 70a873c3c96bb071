"""One training run: step, schedule, validation, and the state from which it resumes."""

import copy
import hashlib
import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from damamba import plugins
from damamba.config import (
    ARCHITECTURES,
    LABEL_RATE_HZ,
    LONGEST_WINDOW,
    LOSSES,
    LabelKind,
    LossParams,
    ModelParams,
    TrainParams,
    WindowParams,
)
from damamba.console import InputError
from damamba.data.balance import BalancedWindows
from damamba.data.batch import (
    Batch,
    SeatKey,
    TrainingWindows,
    Window,
    WindowReader,
    annotated_seats,
    at_labels,
    shuffled_labels,
)
from damamba.data.prefetch import Prefetch
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.device import check_precision, choose_device
from damamba.inference import predict
from damamba.keys import source_digest
from damamba.losses import Prediction, make_losses, total_loss
from damamba.losses.total import TotalLoss
from damamba.metrics import ClassMetric, Metric
from damamba.metrics.base import most_probable
from damamba.metrics.ccc import CCC
from damamba.metrics.ccc_within import CCCWithin
from damamba.metrics.kappa import Kappa
from damamba.metrics.macro_f1 import MacroF1
from damamba.metrics.weighted_kappa import WeightedKappa
from damamba.model import EngagementModel, Output, build_model, recompute_blocks
from damamba.model.heads import Classes, Start
from damamba.training.ema import Ema
from damamba.training.examples import TrainingExamples
from damamba.training.optimizer import learning_rate, make_optimizer

logger = logging.getLogger(__name__)

CONSTANT_STD, CONSTANT_STEPS = 1e-4, 20
"""Predictions that spread less for so many steps have collapsed: people differ by far more."""
VALIDATED: dict[str, Metric] = {"ccc": CCC(CCC.Params()), "ccc_within": CCCWithin(CCCWithin.Params())}
"""What a validation measures of scores; `train.select` chooses by which of them weights are kept."""
VALIDATED_CLASSES: dict[str, type[ClassMetric]] = {
    "kappa": Kappa,
    "weighted_kappa": WeightedKappa,
    "macro_f1": MacroF1,
}
"""The same of classes."""
BATCHES, FAR_AHEAD = 10, 0.25
"""Where the mean CCC of so many batches is so far ahead of the validation's, people are learned by heart."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Candidates for the share of the network, where a model mixes it with a closed form."""
ROUNDED = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What matrix products are rounded to."""


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


def observed_groups(batch: Batch, groups: Mapping[str, Mapping[str, int]]) -> dict[str, torch.Tensor]:
    """Modality group -> (B, T): frames of the target at which any of its cues was observed."""
    return {group: torch.stack([batch.valid[cue][:, 0] for cue in cues]).any(0) for group, cues in groups.items()}


def clocks(drawn: Sequence[Window], grid: WindowGrid) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,) a number for each window's target, equal where the target is, and (B,) its first frame in the session."""
    numbers: dict[SeatKey, int] = {}
    seats = [numbers.setdefault((window.session, window.target), len(numbers)) for window in drawn]
    starts = [(window.start - grid.context) * grid.rate_hz / LABEL_RATE_HZ for window in drawn]
    return torch.tensor(seats), torch.tensor(starts)


def run_key(
    aligned: Aligned,
    model: ModelParams,
    losses: Mapping[str, LossParams],
    window: WindowParams,
    train: TrainParams,
    seed: int,
    shuffle: int | None,
) -> str:
    """Hash of data, parameters and code: a run resumes only where all of them are equal."""
    modules = [
        plugins.module_of(ARCHITECTURES, model.architecture),
        *(plugins.module_of(LOSSES, entry.loss) for entry in losses.values()),
    ]
    parts = {
        "data": aligned.digest,
        "model": model.model_dump(mode="json"),
        "losses": {name: entry.model_dump(mode="json") for name, entry in losses.items()},
        "window": window.model_dump(mode="json"),
        "train": train.model_dump(mode="json", exclude={"threads", "checkpoint_steps", "gradient_checkpointing"}),
        "seed": seed,
        "shuffle": shuffle,
        "code": source_digest(__name__, *modules),
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def pieces(batch: Batch, n: int) -> list[Batch]:
    """`n` batches with as equal numbers of windows as possible."""
    cues, valid = ({name: x.tensor_split(n) for name, x in by_cue.items()} for by_cue in (batch.cues, batch.valid))
    others = (x.tensor_split(n) for x in (batch.present, batch.label, batch.label_valid))
    return [
        Batch({name: x[i] for name, x in cues.items()}, {name: x[i] for name, x in valid.items()}, *rest)
        for i, rest in enumerate(zip(*others, strict=True))
    ]


class Run:
    """One training run: everything that a step reads or changes.

    Args:
        aligned: Sessions, cues and labels.
        model: The variant that is trained.
        losses: Terms of its loss; their weights are `model.weights`.
        window: Windows of training and validation.
        train: Optimisation.
        seed: Of weights, windows and dropout.
        shuffle: Seed of a control whose labels are swapped between sessions; None trains on the true ones.

    Raises:
        InputError: No labels to train on, parameters that do not fit the data, or a precision that this machine lacks.
    """

    def __init__(
        self,
        aligned: Aligned,
        model: ModelParams,
        losses: Mapping[str, LossParams],
        window: WindowParams,
        train: TrainParams,
        seed: int,
        shuffle: int | None = None,
    ) -> None:
        self.weights, self.train = model.weights, train
        self.losses = make_losses(losses, window.rate_hz)
        self.grid = WindowGrid.of(window)
        self.seed = seed
        sessions = aligned.split("train")
        longest = max((session.n_labels for session in sessions), default=0)
        if self.grid.labels > LONGEST_WINDOW * longest:
            raise InputError(
                f"params.yaml: window: {window.frames} frames are {self.grid.labels / LABEL_RATE_HZ:.0f} s, and the "
                f"longest training session has {longest / LABEL_RATE_HZ:.0f} s; make windows shorter"
            )
        source = None if shuffle is None else shuffled_labels(aligned, sessions, shuffle)
        self.reader = WindowReader(aligned, self.grid, source)
        self.windows = TrainingWindows(sessions, self.grid, seed)
        balanced = train.balance_corpora and len({session.corpus for session, _ in self.windows.targets}) > 1
        drawn = BalancedWindows(self.windows, train.balance_corpora) if balanced else self.windows
        # a control must not learn from true labels, not even through the choice of the best weights
        self.validation = annotated_seats(aligned, "val") if shuffle is None else []
        self.unvalidated = None if self.validation else _why_not_validated(aligned, shuffle)
        """Why the last weights are kept instead of the best; None where they are validated."""
        if self.unvalidated:
            logger.warning("no validation, the last averaged weights will be saved: %s", self.unvalidated)
        torch.manual_seed(seed)
        statistics = {
            cue: (torch.from_numpy(mean), torch.from_numpy(std)) for cue, (mean, std) in aligned.statistics().items()
        }
        self.validated = VALIDATED
        """What a validation measures."""
        start: Start
        if (annotated := aligned.annotated).kind == "continuous":
            start = self.windows.label_mean(self.reader)
        else:
            counts = self.windows.class_counts(self.reader, len(annotated.classes))
            if unseen := [name for name, n in zip(annotated.classes, counts, strict=True) if not n]:
                logger.warning("no label of the training split is %s: it cannot be learned", ", ".join(unseen))
            start = Classes(annotated.kind, annotated.classes, tuple((counts / counts.sum()).tolist()))
            kinds = {name: kind for name, kind in VALIDATED_CLASSES.items() if annotated.kind in kind.kinds}
            self.validated = {name: kind(kind.Params(), annotated.classes) for name, kind in kinds.items()}
        self._check_kind(annotated.kind, losses)
        self.model = build_model(aligned.groups(), model, window.rate_hz, statistics, start)
        if self.train.gradient_checkpointing:
            recompute_blocks(self.model)
        self.device = choose_device()
        check_precision(self.train.precision)
        # its precision is that of the whole process; ours is that of a run
        self.accelerator = Accelerator(mixed_precision="no")
        if self.accelerator.num_processes > 1:
            raise InputError(
                "training runs in one process: the CCC is over the whole batch; start it without a launcher"
            )
        self.begun = self.model.begin(TrainingExamples(self.reader, self.windows.targets))
        """What was fitted before the first step, if anything: then the model is validated as it begins, too."""
        self.model.to(self.device)
        self.trainable = any(weight.requires_grad for weight in self.model.parameters())
        self.steps = train.steps if self.trainable else 1
        """One where the model has no weight to train: its losses and its validation are still recorded."""
        self.optimizer = make_optimizer(self.model, self.train)
        scaled = self.train.precision == "fp16" and self.trainable
        self.scaler = torch.GradScaler(self.device.type, enabled=scaled)
        ahead = 1 if self.device.type == "cpu" else min(4, os.cpu_count() or 1)  # a device waits for several readers
        self.batches = Prefetch(
            lambda step: drawn.batch(step, self.train.batch_windows), self.reader.read, self.steps, ahead
        )
        self.ema = Ema(self.model, self.train.ema_decay)
        self.step = 0
        self.history: list[dict[str, Any]] = []
        self.best: tuple[float, int, dict[str, torch.Tensor]] = (-math.inf, 0, copy.deepcopy(self.ema.weights))
        self._closed: list[np.ndarray] = []
        """What the closed form alone predicts for the validation; it stays the same."""

    def _check_kind(self, kind: LabelKind, losses: Mapping[str, LossParams]) -> None:
        """Raise InputError unless losses and the choice of weights are for the labels of the shards."""
        other = [name for name in losses if self.weights[name] and kind not in self.losses[name].kinds]
        if other or self.train.select not in self.validated:
            wrong = f"losses.{other[0]}" if other else f"train.select ({self.train.select})"
            raise InputError(
                f"params.yaml: {wrong} is for other labels than the {kind} ones of the shards; choose one for these, "
                "or set labels.kind and run: dvc repro align"
            )

    def advance(self) -> Step:
        """One optimiser step, then EMA, then validation where it is due.

        Raises:
            InputError: The loss or its gradient is not finite, in which case no weight has changed, or predictions have
                been constant for `CONSTANT_STEPS` steps; names the sessions of the batch.
        """
        drawn, batch = self.batches.take(self.step)
        self.model.train()
        self.optimizer.zero_grad()
        output, loss = self._gradients(drawn, batch)
        rate = learning_rate(self.step, self.train)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.scaler.unscale_(self.optimizer)
        norm = torch.as_tensor(self.accelerator.clip_grad_norm_(self.model.parameters(), self.train.clip_norm)).item()
        # fp16: a gradient that is too large at this scale is left out, and the scale is halved
        if not math.isfinite(norm) and self.scaler.get_scale() <= 1:
            raise self._stopped_at(drawn, f"the gradient of the loss is {norm}; lower train.learning_rate")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.ema.update()
        self.step += 1
        due = self.step % self.train.validate_steps == 0 or self.step == self.steps
        val = self.validate() if due and self.validation else dict.fromkeys(self.validated)
        engagement = output.engagement.detach()
        spread = engagement.std(correction=0).item()
        if self.model.classes:  # of each class by itself: classes differ from each other even where nothing is learned
            spread = engagement.flatten(0, 1).std(0, correction=0).max().item()
        scores = {name: val[name] for name in self.validated}
        mixture = val.get("share"), val.get("network")
        step = Step(self.step, loss.total.item(), loss.curves, spread, rate, norm, scores, *mixture)
        self.history.append(step.row())
        recent = self.history[-CONSTANT_STEPS:]
        if len(recent) == CONSTANT_STEPS and all(row["pred_std"] < CONSTANT_STD for row in recent):
            raise self._stopped_at(
                drawn, f"all predictions have been the same for {CONSTANT_STEPS} steps; lower train.learning_rate"
            )
        return step

    def _gradients(self, drawn: list[Window], batch: Batch) -> tuple[Output, TotalLoss]:
        """Output and loss of a batch; adds the loss's gradient to the weights' `.grad`.

        CCC does not decompose over windows, so losses of pieces cannot be added up. With `train.accumulate`, a first
        pass without gradients collects the outputs of all pieces; the loss of the whole has a gradient at each output,
        which a second pass carries on into the weights. The result is that of the whole batch, at the price of one more
        forward pass.

        Source: Gao et al. 2021, arXiv:2101.06983 (gradient cache).
        """
        device, n = self.device, self.train.accumulate if self.trainable else 1
        if n == 1:
            batch = batch.to(device)
            output = self._forward(batch, 0)
            loss = self._loss(output, batch, drawn)
            if self.trainable:
                self.accelerator.backward(self.scaler.scale(loss.total))
            return output, loss
        parts = pieces(batch, n)
        with torch.no_grad():
            outputs = [self._forward(part.to(device), i) for i, part in enumerate(parts)]
        whole = [torch.cat(tensors).requires_grad_() for tensors in zip(*(o.tensors() for o in outputs), strict=True)]
        output = outputs[0].like(whole)
        loss = self._loss(output, replace(batch, cues={}).to(device), drawn)
        self.accelerator.backward(self.scaler.scale(loss.total))
        slopes = {k: tensor.grad.tensor_split(n) for k, tensor in enumerate(whole) if tensor.grad is not None}
        for i, part in enumerate(parts):
            again = self._forward(part.to(device), i).tensors()
            torch.autograd.backward([again[k] for k in slopes], [slope[i] for slope in slopes.values()])
        return output, loss

    def _forward(self, batch: Batch, piece: int) -> Output:
        """In fp32. Dropout depends on step and piece alone, so that a resumed run and a second pass repeat it."""
        torch.manual_seed((self.seed << 32) + self.step * self.train.accumulate + piece)
        rounded = ROUNDED[self.train.precision]
        with torch.autocast(self.device.type, rounded, enabled=rounded is not None):
            output = self.model(batch.cues, batch.valid, batch.present)
        return output.each(torch.Tensor.float)

    def _loss(self, output: Output, batch: Batch, drawn: list[Window]) -> TotalLoss:
        """Engagement is pooled to 25 Hz first; aligned frames are those of windows that lie in their session."""
        seat, start = clocks(drawn, self.grid)
        prediction = Prediction(
            engagement=at_labels(output.engagement, self.grid),
            label=batch.label,
            label_valid=batch.label_valid,
            aligned=output.aligned,
            observed=observed_groups(batch, self.model.cues),
            seat=seat.to(self.device),
            start=start.to(self.device),
            generator=torch.Generator().manual_seed((self.seed << 32) + self.step),
        )
        loss = total_loss(prediction, self.losses, self.weights)
        if not torch.isfinite(loss.total):
            raise self._stopped_at(drawn, f"the loss is {loss.total.item()}")
        return loss

    def _stopped_at(self, drawn: list[Window], why: str) -> InputError:
        names = ", ".join(sorted({window.session.name for window in drawn}))
        return InputError(f"step {self.step}: {why}; sessions of the batch: {names}")

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` validations were all no better than an earlier one.

        A network that is mixed with a closed form may go on while it gets better itself, though it is not needed yet.
        """
        patience = self.train.patience
        first = f"val_{next(iter(self.validated))}"
        validated = [row for row in self.history if row[first] is not None]
        alone = [(row["val_network"], -row["step"]) for row in validated if row["val_network"] is not None]
        best = max(self.best[1], -max(alone)[1] if alone else 0)
        return bool(patience) and sum(row["step"] > best for row in validated) >= patience

    def validate(self) -> dict[str, float]:
        """Scores of the EMA weights on the validation split; keeps the best weights by `train.select`.

        A model that mixes its network with a closed form gets the share of the network that is best here.

        Returns:
            Name of a metric -> mean over corpora of the score of all their frames; 0 where it is undefined. Of a
            mixture also its "share", and as "network" the first of them for the network.
        """
        if self.model.share is None:
            scores = self._scores(self._validated())
        else:
            self._closed = self._closed or self._validated(share=0.0)
            network = self._validated(share=1.0)
            mixed = {share: self._scores(_mixed(self._closed, network, share)) for share in SHARES}
            share = max(mixed, key=lambda each: mixed[each][self.train.select])
            self._set_share(share)
            scores = {**mixed[share], "share": share, "network": mixed[1.0][next(iter(self.validated))]}
        if scores[self.train.select] > self.best[0]:
            self.best = (scores[self.train.select], self.step, copy.deepcopy(self.ema.weights))
        return scores

    def _validated(self, share: float | None = None) -> list[np.ndarray]:
        """Predictions of the EMA weights for each of `self.validation`."""
        if share is not None:
            self._set_share(share)
        with self.ema.swap():
            self.model.eval()
            return [predict(self.model, self.reader, session, seat) for session, seat in self.validation]

    def _set_share(self, share: float) -> None:
        """Of the weights that are trained, and of their average."""
        assert self.model.share is not None
        name = next(name for name, weight in self.model.named_parameters() if weight is self.model.share)
        for weight in (self.model.share, self.ema.weights[name]):
            weight.data.fill_(share)

    def _scores(self, predictions: Sequence[np.ndarray]) -> dict[str, float]:
        """Scores of predictions for the validation split, by each of `self.validated`."""
        moments: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in self.validated}
        for (session, seat), pred in zip(self.validation, predictions, strict=True):
            value, valid = self.reader.aligned.labels(session, session.seats[seat].participant)
            pred = most_probable(pred) if self.model.classes else pred
            for name, metric in self.validated.items():
                moments[name].setdefault(session.corpus, []).append(metric.of_series(pred, value, valid))
        scores = {}
        for name, metric in self.validated.items():
            by_corpus = [float(metric.of_moments(np.sum(rows, axis=0))) for rows in moments[name].values()]
            scores[name] = float(np.mean([0.0 if math.isnan(score) else score for score in by_corpus]))
        return scores

    def ahead(self, step: Step) -> float:
        """How far the network's mean CCC on the last batches is ahead of its validation at `step`, if it had one."""
        batches = [row["ccc"] for row in self.history[-BATCHES:] if row.get("ccc") is not None]
        return float(np.mean(batches)) - step.first if batches and step.first is not None else -math.inf

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs, as tensors, numbers and strings only."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.weights,
            "ema_n": self.ema.n,
            "scaler": self.scaler.state_dict(),
            "best": list(self.best),
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken, on this device or another."""
        self.step, self.history = state["step"], state["history"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        self.ema.weights = {name: weight.to(self.device) for name, weight in state["ema"].items()}
        self.ema.n = state["ema_n"]
        self.best = tuple(state["best"])

    def finish(self) -> EngagementModel:
        """The model with its best EMA weights, or with its last ones where nothing was validated."""
        weights = self.best[2] if self.validation else self.ema.weights
        self.ema.load(weights)
        return self.model.eval()


def _mixed(closed: Sequence[np.ndarray], network: Sequence[np.ndarray], share: float) -> list[np.ndarray]:
    return [(1 - share) * a + share * b for a, b in zip(closed, network, strict=True)]


def _why_not_validated(aligned: Aligned, shuffle: int | None) -> str:
    if shuffle is not None:
        return "the labels are shuffled"
    return "no participant of the split val has a valid label" if aligned.split("val") else "the split val is empty"
