"""One training run: step, schedule, validation, and the state from which it resumes."""

import copy
import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from damamba.config import (
    LABEL_RATE_HZ,
    LONGEST_WINDOW,
    MAIN,
    LabelKind,
    LossParams,
    ModelParams,
    TrainParams,
    WindowParams,
    heads_of,
)
from damamba.config.kinds import key_of, label_and_metric
from damamba.console import InputError
from damamba.data.balance import BalancedWindows
from damamba.data.batch import (
    Batch,
    SeatKey,
    TrainingWindows,
    Window,
    WindowReader,
    at_labels,
    shuffled_labels,
)
from damamba.data.prefetch import Prefetch
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.device import check_precision, choose_device
from damamba.losses import Prediction, make_losses, total_loss
from damamba.losses.total import TotalLoss
from damamba.model import EngagementModel, Output, build_model, recompute_blocks
from damamba.model.heads import Begin, Classes, Several, Start
from damamba.training.curve import Step
from damamba.training.ema import Ema
from damamba.training.examples import TrainingExamples
from damamba.training.optimizer import learning_rate, make_optimizer
from damamba.training.ranks import Ranks
from damamba.training.validation import Validation, exhausted

logger = logging.getLogger(__name__)

CONSTANT_STD, CONSTANT_STEPS = 1e-4, 20
"""Predictions that spread less for so many steps have collapsed: people differ by far more."""
BATCHES, FAR_AHEAD = 10, 0.25
"""Where the mean CCC of so many batches is so far ahead of the validation's, people are learned by heart."""
ROUNDED = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What matrix products are rounded to."""


def observed_groups(batch: Batch, groups: Mapping[str, Mapping[str, int]]) -> dict[str, torch.Tensor]:
    """Modality group -> (B, T): frames of the target at which any of its cues was observed."""
    return {group: torch.stack([batch.valid[cue][:, 0] for cue in cues]).any(0) for group, cues in groups.items()}


def clocks(drawn: Sequence[Window], grid: WindowGrid) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,) a number for each window's target, equal where the target is, and (B,) its first frame in the session."""
    numbers: dict[SeatKey, int] = {}
    seats = [numbers.setdefault((window.session, window.target), len(numbers)) for window in drawn]
    starts = [(window.start - grid.context) * grid.rate_hz / LABEL_RATE_HZ for window in drawn]
    return torch.tensor(seats), torch.tensor(starts)


def pieces(batch: Batch, n: int) -> list[Batch]:
    """`n` batches with as equal numbers of windows as possible."""
    cues, valid = ({name: x.tensor_split(n) for name, x in by_cue.items()} for by_cue in (batch.cues, batch.valid))
    others = (x.tensor_split(n) for x in (batch.present, batch.label, batch.label_valid))
    also = {name: [x.tensor_split(n) for x in pair] for name, pair in batch.also.items()}
    return [
        Batch(
            {name: x[i] for name, x in cues.items()},
            {name: x[i] for name, x in valid.items()},
            *rest,
            also={name: (label[i], known[i]) for name, (label, known) in also.items()},
        )
        for i, rest in enumerate(zip(*others, strict=True))
    ]


def _other_kind(wrong: str, label: str, kind: LabelKind) -> InputError:
    return InputError(
        f"params.yaml: {wrong} is for other labels than the {kind} ones of the shards; choose one for these, or set "
        f"{key_of(label)} and run: dvc repro align"
    )


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
        ranks: Processes that train together, of which this is one; by default, the only one.

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
        ranks: Ranks | None = None,
    ) -> None:
        self.weights, self.train, self.ranks = model.weights, train, ranks or Ranks()
        aligned = aligned.keeping(heads_of(model.weights, losses))
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
        self.validation = Validation(self.reader, train.select, shuffle, self.ranks)
        if self.validation.missing:
            logger.warning("no validation, the last averaged weights will be saved: %s", self.validation.missing)
        torch.manual_seed(seed)
        statistics = {
            cue: (torch.from_numpy(mean), torch.from_numpy(std)) for cue, (mean, std) in aligned.statistics().items()
        }
        begins = {name: self._begin_of(view) for name, view in self.reader.views.items()}
        self._check_kind(losses)
        main = begins.pop(MAIN)
        start: Start = Several(main, begins) if begins else main
        self.model = build_model(aligned.groups(), model, window.rate_hz, statistics, start)
        if self.train.gradient_checkpointing:
            recompute_blocks(self.model)
        self.device = choose_device()
        check_precision(self.train.precision)
        self.begun = self.model.begin(TrainingExamples(self.reader, self.windows.targets))
        """What was fitted before the first step, if anything: then the model is validated as it begins, too."""
        self.model.load_state_dict(self.ranks.from_first(self.model.state_dict))
        self.model.to(self.device)
        self.trainable = any(weight.requires_grad for weight in self.model.parameters())
        self.steps = train.steps if self.trainable else 1
        """One where the model has no weight to train: its losses and its validation are still recorded."""
        self.optimizer = make_optimizer(self.model, self.train)
        scaled = self.train.precision == "fp16" and self.trainable
        self.scaler = torch.GradScaler(self.device.type, enabled=scaled)
        ahead = 1 if self.device.type == "cpu" else min(4, os.cpu_count() or 1)  # a device waits for several readers
        self.batches = Prefetch(lambda step: drawn.batch(step, self.train.batch_windows), self._read, self.steps, ahead)
        self.ema = Ema(self.model, self.train.ema_decay)
        self.step = 0
        self.history: list[dict[str, Any]] = []
        self.best: tuple[float, int, dict[str, torch.Tensor]] = (-math.inf, 0, copy.deepcopy(self.ema.weights))

    def _read(self, drawn: list[Window]) -> Batch:
        return self.reader.read(self.ranks.share(drawn))

    def _begin_of(self, view: Aligned) -> Begin:
        """Where the predictions of a label start."""
        annotated = view.annotated
        if annotated.kind == "continuous":
            return self.windows.label_mean(view)
        counts = self.windows.class_counts(view)
        if unseen := [name for name, n in zip(annotated.classes, counts, strict=True) if not n]:
            logger.warning("no label of the training split is %s: it cannot be learned", ", ".join(unseen))
        return Classes(annotated.kind, annotated.classes, tuple((counts / counts.sum()).tolist()))

    def _check_kind(self, losses: Mapping[str, LossParams]) -> None:
        """Raise InputError unless losses and the choice of weights are for the labels of the shards."""
        kinds: dict[str, LabelKind] = {name: view.annotated.kind for name, view in self.reader.views.items()}
        for name in losses:
            label = self.losses[name].label
            if self.weights[name] and kinds[label] not in self.losses[name].kinds:
                raise _other_kind(f"losses.{name}", label, kinds[label])
        label, _ = label_and_metric(self.train.select)
        if label not in kinds:
            raise InputError(
                f"params.yaml: train.select: {self.train.select} is of a label that this variant does not learn; give "
                "one of its losses some weight, or set another select under the variant's key train"
            )
        if self.train.select not in self.validation.metrics:
            raise _other_kind(f"train.select ({self.train.select})", label, kinds[label])

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
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.train.clip_norm).item()
        # fp16: a gradient that is too large at this scale is left out, and the scale is halved
        if not math.isfinite(norm) and self.scaler.get_scale() <= 1:
            raise self._stopped_at(drawn, f"the gradient of the loss is {norm}; lower train.learning_rate")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.ema.update()
        self.step += 1
        due = self.step % self.train.validate_steps == 0 or self.step == self.steps
        val = self.validate() if due and self.validation else dict.fromkeys(self.validation.metrics)
        engagement = output.engagement.detach()
        spread = engagement.std(correction=0).item()
        if self.model.classes:  # of each class by itself: classes differ from each other even where nothing is learned
            spread = engagement.flatten(0, 1).std(0, correction=0).max().item()
        scores = {name: val.get(name) for name in self.validation.metrics}
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
        forward pass. Several processes do the same with the pieces of each, and add up their gradients.

        Source: Gao et al. 2021, arXiv:2101.06983 (gradient cache).
        """
        device, n = self.device, min(self.train.accumulate, len(batch.present)) if self.trainable else 1
        if n == self.ranks.size == 1:
            batch = batch.to(device)
            output = self._forward(batch, 0)
            loss = self._loss(output, batch, drawn)
            if self.trainable:
                self.scaler.scale(loss.total).backward()
            return output, loss
        parts = pieces(batch, n)
        with torch.set_grad_enabled(self.trainable and n == 1):
            outputs = [self._forward(part.to(device), i) for i, part in enumerate(parts)]
        own = [torch.cat(tensors) for tensors in zip(*(o.tensors() for o in outputs), strict=True)]
        whole = [self.ranks.gather(tensor, len(drawn)).requires_grad_(self.trainable) for tensor in own]
        output = outputs[0].like(whole)
        loss = self._loss(output, self._judged(batch, len(drawn)).to(device), drawn)
        if not self.trainable:
            return output, loss
        self.scaler.scale(loss.total).backward()
        slopes = {k: self.ranks.own(x.grad).tensor_split(n) for k, x in enumerate(whole) if x.grad is not None}
        for i, part in enumerate(parts):
            again = (outputs[i] if n == 1 else self._forward(part.to(device), i)).tensors()
            torch.autograd.backward([again[k] for k in slopes], [slope[i] for slope in slopes.values()])
        self.ranks.add_gradients(self.model)
        return output, loss

    def _judged(self, batch: Batch, n: int) -> Batch:
        """What the loss reads of the `n` windows of all processes: labels, and masks of the targets."""
        valid = {cue: self.ranks.gather(seen[:, :1], n) for cue, seen in batch.valid.items()}
        others = (self.ranks.gather(x, n) for x in (batch.present[:, :1], batch.label, batch.label_valid))
        also = {
            name: (self.ranks.gather(label, n), self.ranks.gather(known, n))
            for name, (label, known) in batch.also.items()
        }
        return Batch({}, valid, *others, also=also)

    def _forward(self, batch: Batch, piece: int) -> Output:
        """In fp32. Dropout depends on step, process and piece alone: a resumed run and a second pass repeat it."""
        turn = self.step * self.ranks.size + self.ranks.rank
        torch.manual_seed((self.seed << 32) + turn * self.train.accumulate + piece)
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
        also = {
            name: replace(
                prediction, engagement=at_labels(output.also[name], self.grid), label=label, label_valid=known
            )
            for name, (label, known) in batch.also.items()
        }
        loss = total_loss(prediction, self.losses, self.weights, also)
        if not torch.isfinite(loss.total):
            raise self._stopped_at(drawn, f"the loss is {loss.total.item()}")
        return loss

    def _stopped_at(self, drawn: list[Window], why: str) -> InputError:
        names = ", ".join(sorted({window.session.name for window in drawn}))
        return InputError(f"step {self.step}: {why}; sessions of the batch: {names}")

    @property
    def exhausted(self) -> bool:
        """Whether training may end early, by `train.patience`."""
        return exhausted(self.history, self.validation.first, self.best[1], self.train.patience)

    def validate(self) -> dict[str, float]:
        """Measure the EMA weights (`Validation.measure`); keep the best by `train.select`."""
        scores = self.validation.measure(self.model, self.ema, self.train.select)
        if scores[self.train.select] > self.best[0]:
            self.best = (scores[self.train.select], self.step, copy.deepcopy(self.ema.weights))
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
