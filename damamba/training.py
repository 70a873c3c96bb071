"""fit(): one loop in the open: step, EMA, schedule, validation, checkpoint, resume."""

import copy
import hashlib
import json
import logging
import math
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from damamba.config import ModelParams, Params, TrainParams
from damamba.console import InputError, progress
from damamba.data.batch import Batch, TrainingWindows, Window, WindowReader, at_labels, shuffled_labels
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.files import whole_file
from damamba.inference import predict
from damamba.keys import source_digest
from damamba.losses import align_loss, ccc_loss
from damamba.metrics import ccc
from damamba.model import EngagementModel, Output, build_model, recompute_blocks

logger = logging.getLogger(__name__)
CONSTANT_STD, CONSTANT_STEPS = 1e-4, 20
"""A model whose predictions spread less, for so many steps, has collapsed: people differ by far more."""


class Ema:
    """Running mean of the weights: these are validated, saved and used.

    The decay is min(decay, (1 + n) / (10 + n)) at step n, else a short run would keep its initial weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay, self.n = model, decay, 0
        self.weights = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Take one step's weights in."""
        decay = min(self.decay, (1 + self.n) / (10 + self.n))
        self.n += 1
        for name, p in self.model.named_parameters():
            self.weights[name].lerp_(p.detach(), 1 - decay)

    @contextmanager
    def swap(self) -> Iterator[None]:
        """The model has the averaged weights inside the block, its own afterwards whatever happens."""
        own = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self._load(self.weights)
        try:
            yield
        finally:
            self._load(own)

    @torch.no_grad()
    def _load(self, weights: dict[str, torch.Tensor]) -> None:
        for name, p in self.model.named_parameters():
            p.copy_(weights[name])


@dataclass(frozen=True)
class Step:
    """What a step showed: a row of the learning curves."""

    step: int
    loss: float
    ccc: float
    """1 - the CCC loss, on this batch."""
    align: float
    pred_std: float
    """Standard deviation of all predictions of this batch."""
    learning_rate: float
    grad_norm: float
    val_ccc: float | None
    """Of the EMA weights, where this step was validated."""


def learning_rate(step: int, params: TrainParams) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < params.warmup_steps:
        return params.learning_rate * (step + 1) / params.warmup_steps
    done = (step - params.warmup_steps) / max(params.steps - params.warmup_steps, 1)
    return params.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def seen_by_all(batch: Batch, groups: Mapping[str, Mapping[str, int]]) -> torch.Tensor:
    """(B, T): frames of the target in which every modality group has a valid cue."""
    return torch.stack([torch.stack([batch.valid[cue][:, 0] for cue in cues]).any(0) for cues in groups.values()]).all(
        0
    )


class Loss(NamedTuple):
    """What is minimised, and its parts as numbers."""

    total: torch.Tensor
    ccc: float
    """Of the batch."""
    align: float


def total_loss(
    output: Output,
    batch: Batch,
    params: ModelParams,
    grid: WindowGrid,
    groups: Mapping[str, Mapping[str, int]],
    exclusion_frames: int,
    seed: int,
) -> Loss:
    """lambda_ccc · (1 - CCC) + lambda_align · L_align.

    CCC over all valid core labels of the batch, predictions pooled to 25 Hz; alignment over frames of the target
    whose window lies in the session and where both groups were seen.
    """
    pred = at_labels(output.engagement, grid)
    agreement = ccc_loss(pred, batch.label, batch.label_valid)
    loss = params.lambda_ccc * agreement
    alignment = 0.0
    if params.lambda_align and output.audio is not None and output.visual is not None:
        term = align_loss(
            output.audio,
            output.visual,
            seen_by_all(batch, groups),
            temperature=params.temperature,
            frames=params.align_frames,
            exclusion_frames=exclusion_frames,
            generator=torch.Generator().manual_seed(seed),
        )
        loss = loss + params.lambda_align * term
        alignment = float(term.detach())
    return Loss(loss, 1 - float(agreement.detach()), alignment)


def run_key(aligned: Aligned, params: Params, variant: str, seed: int, shuffle: int | None) -> str:
    """Hash of data, parameters and code: a run is resumed only where all are equal."""
    parts = {
        "data": aligned.digest,
        "model": params.variant(variant).model_dump(mode="json"),
        "window": params.window.model_dump(mode="json"),
        "train": params.train.model_dump(
            mode="json", exclude={"threads", "checkpoint_steps", "gradient_checkpointing"}
        ),
        "seed": seed,
        "shuffle": shuffle,
        "code": source_digest(__name__),
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def pieces(batch: Batch, n: int) -> list[Batch]:
    """`n` batches of as equal numbers of windows as can be."""
    cues, valid = ({name: x.tensor_split(n) for name, x in held.items()} for held in (batch.cues, batch.valid))
    others = (x.tensor_split(n) for x in (batch.present, batch.label, batch.label_valid))
    return [
        Batch({name: x[i] for name, x in cues.items()}, {name: x[i] for name, x in valid.items()}, *rest)
        for i, rest in enumerate(zip(*others, strict=True))
    ]


def _parts_of(output: Output) -> dict[str, torch.Tensor]:
    return {name: part for name, part in output._asdict().items() if part is not None}


class Run:
    """One training run: everything that a step reads or changes."""

    def __init__(self, aligned: Aligned, params: Params, variant: str, seed: int, shuffle: int | None = None) -> None:
        self.params, self.train = params.variant(variant), params.train
        self.grid = WindowGrid.of(params.window)
        self.seed = seed
        self.exclusion_frames = round(self.params.align_exclusion_s * params.window.rate_hz)
        sessions = aligned.split("train")
        source = None if shuffle is None else shuffled_labels(aligned, sessions, shuffle)
        self.reader = WindowReader(aligned, self.grid, source)
        self.windows = TrainingWindows(sessions, self.grid, seed)
        # a control must not learn from true labels: not by choosing the best weights either
        self.validation = aligned.split("val") if shuffle is None else []
        torch.manual_seed(seed)
        statistics = {
            cue: (torch.from_numpy(mean), torch.from_numpy(std)) for cue, (mean, std) in aligned.statistics().items()
        }
        self.model = build_model(
            aligned.groups(), self.params, params.window.rate_hz, statistics, self.windows.label_mean(self.reader)
        )
        if self.train.gradient_checkpointing:
            recompute_blocks(self.model)
        try:
            self.accelerator = Accelerator(
                mixed_precision="no" if self.train.precision == "fp32" else self.train.precision
            )
        except ValueError as error:
            raise InputError(f"train.precision: {error}") from None
        if self.train.precision == "fp16" and self.accelerator.device.type == "cpu":
            raise InputError("train.precision: fp16 needs a GPU; use bf16 or fp32")
        if self.accelerator.num_processes > 1:
            raise InputError(
                "training runs in one process: the CCC is over the whole batch; start it without a launcher"
            )
        self.model.to(self.accelerator.device)
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.train.learning_rate, weight_decay=self.train.weight_decay
        )
        self.optimizer = self.accelerator.prepare(optimizer)  # not the model: it predicts in fp32, and autocasts below
        self.ema = Ema(self.model, self.train.ema_decay)
        self.step = 0
        self.history: list[dict[str, Any]] = []
        self.best: tuple[float, int, dict[str, torch.Tensor]] = (-math.inf, 0, copy.deepcopy(self.ema.weights))

    def advance(self) -> Step:
        """One optimiser step, then EMA, and validation where it is due.

        Raises:
            InputError: The loss is not finite, or predictions have long been constant; names the sessions of the batch.
        """
        drawn = self.windows.batch(self.step, self.train.batch_windows)
        self.model.train()
        self.optimizer.zero_grad()
        output, loss = self._gradients(drawn)
        rate = learning_rate(self.step, self.train)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        norm = torch.as_tensor(self.accelerator.clip_grad_norm_(self.model.parameters(), self.train.clip_norm)).item()
        self.optimizer.step()
        self.ema.update()
        self.step += 1
        due = self.step % self.train.validate_steps == 0 or self.step == self.train.steps
        val = self.validate() if due and self.validation else None
        spread = output.engagement.detach().std(correction=0).item()
        row = Step(self.step, loss.total.item(), loss.ccc, loss.align, spread, rate, norm, val)
        self.history.append(vars(row))
        recent = self.history[-CONSTANT_STEPS:]
        if len(recent) == CONSTANT_STEPS and all(row["pred_std"] < CONSTANT_STD for row in recent):
            raise self._stopped_at(
                drawn, f"all predictions have been the same for {CONSTANT_STEPS} steps; lower train.learning_rate"
            )
        return row

    def _gradients(self, drawn: list[Window]) -> tuple[Output, Loss]:
        """Output and loss of a batch; its gradient goes into the weights.

        A CCC is no sum over windows, so that losses of pieces cannot be added up. Instead a first pass without
        gradients collects what the model says of each piece; the loss of all of it has a gradient at each output, which
        a second pass carries on into the weights. So the result is that of the whole batch, for one forward pass more.

        Source: Gao et al. 2021, arXiv:2101.06983 (gradient cache).
        """
        batch, device, n = self.reader.read(drawn), self.accelerator.device, self.train.accumulate
        if n == 1:
            batch = batch.to(device)
            output = self._forward(batch, 0)
            loss = self._loss(output, batch, drawn)
            self.accelerator.backward(loss.total)
            return output, loss
        parts = pieces(batch, n)
        with torch.no_grad():
            said = [_parts_of(self._forward(part.to(device), i)) for i, part in enumerate(parts)]
        whole = {name: torch.cat([some[name] for some in said]).requires_grad_() for name in said[0]}
        output = Output(whole["engagement"], whole.get("audio"), whole.get("visual"))
        loss = self._loss(output, replace(batch, cues={}).to(device), drawn)
        self.accelerator.backward(loss.total)
        slopes = {name: y.grad.tensor_split(n) for name, y in whole.items() if y.grad is not None}
        for i, part in enumerate(parts):
            again = _parts_of(self._forward(part.to(device), i))
            torch.autograd.backward([again[name] for name in slopes], [slope[i] for slope in slopes.values()])
        return output, loss

    def _forward(self, batch: Batch, piece: int) -> Output:
        """In fp32; dropout depends on step and piece alone: a resumed run, and a second pass, repeat it."""
        torch.manual_seed((self.seed << 32) + self.step * self.train.accumulate + piece)
        with self.accelerator.autocast():
            output = self.model(batch.cues, batch.valid, batch.present)
        return output.each(torch.Tensor.float)

    def _loss(self, output: Output, batch: Batch, drawn: list[Window]) -> Loss:
        seed = (self.seed << 32) + self.step
        loss = total_loss(output, batch, self.params, self.grid, self.model.cues, self.exclusion_frames, seed)
        if not torch.isfinite(loss.total):
            raise self._stopped_at(drawn, f"the loss is {loss.total.item()}")
        return loss

    def _stopped_at(self, drawn: list[Window], why: str) -> InputError:
        names = ", ".join(sorted({window.session.name for window in drawn}))
        return InputError(f"step {self.step}: {why}; sessions of the batch: {names}")

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` validations were no better than one before."""
        patience = self.train.patience
        since = sum(row["val_ccc"] is not None and row["step"] > self.best[1] for row in self.history)
        return bool(patience) and since >= patience

    def validate(self) -> float:
        """Mean over corpora of the pooled CCC of the EMA weights on the split val; keeps the best weights."""
        series: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
        with self.ema.swap():
            self.model.eval()
            for session in self.validation:
                for seat, who in enumerate(session.seats):
                    if who.labelled:
                        value, valid = self.reader.aligned.labels(session, who.participant)
                        pred = predict(self.model, self.reader, session, seat)
                        series.setdefault(session.corpus, []).append((pred, value, valid))
        scores = [ccc(*(np.concatenate(parts) for parts in zip(*rows, strict=True))) for rows in series.values()]
        score = float(np.mean([0.0 if s is None or math.isnan(s) else s for s in scores]))
        if score > self.best[0]:
            self.best = (score, self.step, copy.deepcopy(self.ema.weights))
        return score

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs: tensors, numbers and strings only."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.weights,
            "ema_n": self.ema.n,
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
            "best": list(self.best),
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken, on this device or another."""
        self.step, self.history = state["step"], state["history"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.ema.weights = {name: weight.to(self.accelerator.device) for name, weight in state["ema"].items()}
        self.ema.n = state["ema_n"]
        self.best = tuple(state["best"])

    def finish(self) -> EngagementModel:
        """The model with its best EMA weights, the last where nothing was validated."""
        weights = self.best[2] if self.validation else self.ema.weights
        self.ema._load(weights)
        return self.model.eval()


def fit(run: Run, resume: Path, on_step: Callable[[Step], None] | None = None, label: str = "train") -> EngagementModel:
    """Train to the end, from where a killed run of the same key stood.

    Args:
        run: A fresh run.
        resume: File of the resume state; lies outside the outputs, and carries the run's key in its name.
        on_step: Told of every step.
        label: Of the progress bar.

    Raises:
        InputError: The loss became not finite, or the predictions constant.
    """
    if resume.exists():
        try:
            run.restore(torch.load(resume, map_location="cpu", weights_only=True))
            logger.info("%s: resumed at step %d", label, run.step)
        except (RuntimeError, EOFError, KeyError, OSError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{resume}: damaged ({str(error).splitlines()[0]}); remove it and train again: rm {resume}"
            ) from None
    for _ in progress(range(run.step, run.train.steps), label, total=run.train.steps - run.step, unit="step"):
        row = run.advance()
        if on_step:
            on_step(row)
        if row.val_ccc is not None and run.exhausted:
            logger.info("%s: no better validation since step %d, ended at %d", label, run.best[1], run.step)
            break
        if run.step % run.train.checkpoint_steps == 0 and run.step < run.train.steps:
            with whole_file(resume) as temporary:
                torch.save(run.state(), temporary)
    return run.finish()
