"""fit(): one loop in the open: step, EMA, schedule, validation, checkpoint, resume."""

import copy
import hashlib
import json
import logging
import math
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from damamba.config import ModelParams, Params, TrainParams
from damamba.console import InputError, progress
from damamba.data.batch import Batch, TrainingWindows, WindowReader, at_labels, shuffled_labels
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.features.files import whole_file
from damamba.features.sources import source_digest
from damamba.inference import predict
from damamba.losses import align_loss, ccc_loss
from damamba.metrics import ccc
from damamba.model import EngagementModel, Output, build_model

logger = logging.getLogger(__name__)


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


def total_loss(
    output: Output,
    batch: Batch,
    params: ModelParams,
    grid: WindowGrid,
    groups: Mapping[str, Mapping[str, int]],
    exclusion_frames: int,
    seed: int,
) -> tuple[torch.Tensor, float, float]:
    """lambda_ccc · (1 - CCC) + lambda_align · L_align; the CCC of the batch; L_align.

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
    return loss, 1 - float(agreement.detach()), alignment


def run_key(aligned: Aligned, params: Params, variant: str, seed: int, shuffle: int | None) -> str:
    """Hash of data, parameters and code: a run is resumed only where all are equal."""
    parts = {
        "data": aligned.digest,
        "model": params.variant(variant).model_dump(mode="json"),
        "window": params.window.model_dump(mode="json"),
        "train": params.train.model_dump(mode="json", exclude={"threads", "checkpoint_steps"}),
        "seed": seed,
        "shuffle": shuffle,
        "code": source_digest(__name__),
        "torch": torch.__version__,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


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
        self.accelerator = Accelerator()
        if self.accelerator.num_processes > 1:
            raise InputError(
                "training runs in one process: the CCC is over the whole batch; start it without a launcher"
            )
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.train.learning_rate, weight_decay=self.train.weight_decay
        )
        self.net, self.optimizer = self.accelerator.prepare(self.model, optimizer)
        self.ema = Ema(self.model, self.train.ema_decay)
        self.step = 0
        self.history: list[dict[str, Any]] = []
        self.best: tuple[float, int, dict[str, torch.Tensor]] = (-math.inf, 0, copy.deepcopy(self.ema.weights))

    def advance(self) -> Step:
        """One optimiser step, then EMA, and validation where it is due.

        Raises:
            InputError: The loss is not finite; names the sessions of the batch.
        """
        drawn = self.windows.batch(self.step, self.train.batch_windows)
        batch = self.reader.read(drawn).to(self.accelerator.device)
        seed = (self.seed << 32) + self.step
        torch.manual_seed(seed)  # dropout depends on the step alone, so a resumed run repeats it
        self.net.train()
        output = self.net(batch.cues, batch.valid, batch.present)
        loss, agreement, alignment = total_loss(
            output, batch, self.params, self.grid, self.model.cues, self.exclusion_frames, seed
        )
        if not torch.isfinite(loss):
            names = ", ".join(sorted({w.session.name for w in drawn}))
            raise InputError(f"step {self.step}: the loss is {float(loss.detach())}; sessions of the batch: {names}")
        rate = learning_rate(self.step, self.train)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        norm = torch.as_tensor(self.accelerator.clip_grad_norm_(self.net.parameters(), self.train.clip_norm)).item()
        self.optimizer.step()
        self.ema.update()
        self.step += 1
        due = self.step % self.train.validate_steps == 0 or self.step == self.train.steps
        val = self.validate() if due and self.validation else None
        row = Step(self.step, float(loss.detach()), agreement, alignment, rate, norm, val)
        self.history.append(vars(row))
        return row

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
            "best": list(self.best),
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.step, self.history = state["step"], state["history"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.weights, self.ema.n = state["ema"], state["ema_n"]
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
        InputError: The loss became not finite.
    """
    if resume.exists():
        try:
            run.restore(torch.load(resume, weights_only=True))
            logger.info("%s: resumed at step %d", label, run.step)
        except (RuntimeError, EOFError, KeyError, OSError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{resume}: damaged ({str(error).splitlines()[0]}); remove it and train again: rm {resume}"
            ) from None
    for _ in progress(range(run.step, run.train.steps), label, total=run.train.steps - run.step, unit="step"):
        row = run.advance()
        if on_step:
            on_step(row)
        if run.step % run.train.checkpoint_steps == 0 and run.step < run.train.steps:
            with whole_file(resume) as temporary:
                torch.save(run.state(), temporary)
    return run.finish()
