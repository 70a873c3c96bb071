"""The people of a conversation together: 25 scores a second for each, from a model that carries its state."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from damamba import inference
from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.data.causality import Delay, delay_with
from damamba.data.live_grid import LiveGrid
from damamba.export import Step, StreamState
from damamba.features.faces import FaceTracker
from damamba.live.measure import Durations
from damamba.live.person import Person
from damamba.live.sources import Clock, Source
from damamba.media.sound import SAMPLE_RATE_HZ
from damamba.model import EngagementModel
from damamba.model.heads import several
from damamba.predictor.inputs import ModelInputs
from damamba.predictor.passes import landmarker, ready_extractor

PATIENCE_S = 0.5
"""A live score does not wait longer for rows; it is then computed from what is there."""
MOST_BEHIND_S = 1.5
"""Live scores that are later than this are dropped."""

WARM_STEPS = 5
"""The first calls of a traced model optimise it, which takes many times as long."""


@dataclass(frozen=True)
class LiveScore:
    """Engagement of one person at one label."""

    time_s: float
    person: str
    engagement: float | None
    """In [0, 1]; None where no cue of the person was observed."""
    observed: dict[str, bool]
    """Cue -> whether it was observed."""
    delay_s: float | None
    """From the oldest row that belongs into it until now; None where nothing is paced."""


class CarriedModel:
    """A causal model with its state, for several targets of one conversation at once.

    A step is traced once: without Python between its small operations it takes half the time, and other threads run
    meanwhile.

    Args:
        model: Streams; in evaluation mode.
        seats: Number of people.
        targets: Seats that are predicted.
    """

    def __init__(self, model: EngagementModel, seats: int, targets: Sequence[int]) -> None:
        self._widths, self._frames = model.widths, model.rate_hz // LABEL_RATE_HZ
        self._order = torch.tensor([[target, *(i for i in range(seats) if i != target)] for target in targets])
        self._device = next(model.parameters()).device
        self._present = torch.ones(self._order.shape, dtype=torch.bool, device=self._device)
        n = self._frames
        nothing = {name: (np.zeros((n, width), np.float32), np.zeros(n, bool)) for name, width in self._widths.items()}
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about branches on sizes, which stay as they are
            start = StreamState(model, seats, len(targets))
            inputs = (*self._tensors([nothing] * seats)[0], *start.zeros)
            traced: Any = torch.jit.trace(_Flat(Step(model, start)), inputs, check_trace=False)
            self._step: Any = torch.jit.freeze(traced.eval())
        self._state = start.zeros
        for _ in range(WARM_STEPS):
            self.step([nothing] * seats)
        self._state = start.zeros

    @torch.no_grad()
    def step(self, people: Sequence[Mapping[str, tuple[np.ndarray, np.ndarray]]]) -> np.ndarray:
        """(targets,) scores of the next label, from (K, D) values and (K,) masks of every cue of everyone."""
        scores = []
        for inputs in self._tensors(people):
            engagement, *self._state = self._step(*inputs, *self._state)
            scores.append(engagement)
        return torch.stack(scores).mean(0).float().cpu().numpy()

    def _tensors(self, people: Sequence[Mapping[str, tuple[np.ndarray, np.ndarray]]]) -> list[list[Tensor]]:
        """Arguments of the step for each of the K frames."""
        x, seen = (
            [torch.from_numpy(np.stack([one[name][part] for one in people]))[self._order] for name in self._widths]
            for part in (0, 1)
        )
        x, seen = ([tensor.to(self._device) for tensor in tensors] for tensors in (x, seen))
        return [
            [*(each[:, :, k] for each in x), *(each[:, :, k] for each in seen), self._present]
            for k in range(x[0].shape[2])
        ]


class _Flat(nn.Module):
    """A step whose arguments and results stand one after the other, as a trace has them."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        n = len(self.step.names)
        cues, valid, present, state = tensors[:n], tensors[n : 2 * n], tensors[2 * n], tensors[2 * n + 1 :]
        engagement, state = self.step(list(cues), list(valid), present, list(state))
        return (engagement, *state)


class Stream:
    """A live session.

    Args:
        checkpoint: Folder of a causal model.
        sources: One a person.
        targets: Whose engagement is wanted, by seat.
        clock: Of the session.

    Raises:
        InputError: The model cannot stream, or one of its cues has no form for live media.
    """

    def __init__(self, checkpoint: Path, sources: Sequence[Source], targets: Sequence[int], clock: Clock) -> None:
        inputs = ModelInputs.of(checkpoint)
        model, window = inference.load_trained(checkpoint)
        _refuse(checkpoint, inputs, model, window.rate_hz)
        self._clock, self._targets, self._inputs = clock, list(targets), inputs
        ahead = {name: source.lookahead_s or 0.0 for name, source in inputs.sources.items()}
        self.delay: Delay = delay_with(ahead, inputs.align.rate_hz, window.rate_hz)
        self.lag, self.steps = Durations(), Durations()
        """From a label's time until its scores are there; the model's part of it."""
        self.incomplete = 0
        """Labels whose scores did not wait for all rows."""
        self.dropped = 0
        """Labels without scores."""
        self.labels = 0
        params = inputs.faces.model_copy(update={"model": str(landmarker(Path(inputs.faces.model)))})
        faces = FaceTracker(params)
        faces.load()
        shared: dict[str, Any] = {}
        self.people = [
            Person(
                source,
                {name: _extractor(name, inputs, shared) for name in inputs.cues},
                faces,
                lambda cues: LiveGrid(cues, inputs.align, window.rate_hz),
                clock,
            )
            for source in sources
        ]
        self._model = CarriedModel(model, len(sources), targets)
        ends_s = [source.end_s for source in sources]
        self._n_labels = max(round(s * LABEL_RATE_HZ) for s in ends_s if s is not None) if None not in ends_s else None

    @property
    def cues(self) -> list[str]:
        """That the model uses."""
        return list(self._inputs.cues)

    @property
    def names(self) -> list[str]:
        """Of the people whose engagement is wanted."""
        return [self.people[seat].source.name for seat in self._targets]

    def scores(self) -> Iterator[list[LiveScore]]:
        """One a target, label after label, until every source has ended.

        Raises:
            InputError: A source cannot be read.
        """
        for person in self.people:
            person.prepare()
        self._clock.begin()
        for person in self.people:
            person.begin()
        label = 0
        while self._n_labels is None or label < self._n_labels:
            label_s = label / LABEL_RATE_HZ
            if self._clock.live and (behind_s := self._clock.now_s() - label_s) > MOST_BEHIND_S:
                skipped = int((behind_s - PATIENCE_S) * LABEL_RATE_HZ)
                self.dropped += skipped
                label += skipped
                continue
            yield self._score(label, label_s)
            label += 1

    @property
    def delay_in_words(self) -> str:
        """The delay that does not depend on the machine."""
        return f"delay: {self.delay['total_s']:.2f} s by the cues and the grid, and the time of computing"

    def summary(self) -> Iterator[str]:
        """What was delayed, dropped and spent, a line each."""
        waited = ""
        if self._clock.live and self.labels:
            middle, late = (self.delay["total_s"] + (self.lag.quantile(share) or 0.0) for share in (0.5, 0.99))
            waited = f"; total delay: median {middle:.3f} s, p99 {late:.3f} s"
        steps = [f"{1000 * (self.steps.quantile(share) or 0.0):.0f} ms" for share in (0.5, 0.99)]
        yield f"{self.labels} scores a person; {self.delay_in_words}{waited}; model: median {steps[0]}, p99 {steps[1]}"
        yield (
            f"dropped: {self.dropped} scores, {sum(one.dropped for one in self.people)} pictures, "
            f"{sum(one.lost_s for one in self.people):.2f} s of sound; "
            f"{self.incomplete} scores did not wait for all cues"
        )
        for one in self.people:
            spent = sorted(one.seconds.items(), key=lambda item: -item[1])
            shares = (f"{name} {1000 * s / max(one.pictures, 1):.1f} ms" for name, s in spent)
            yield f"{one.source.name}: {one.pictures} pictures; time a picture: {', '.join(shares)}"

    def stop(self) -> None:
        """Let the sources end."""
        for person in self.people:
            person.source.stop()

    def _score(self, label: int, label_s: float) -> list[LiveScore]:
        self._clock.wait(label_s)
        frames, complete = [], True
        for person in self.people:
            left_s = max(label_s + PATIENCE_S - self._clock.now_s(), 0.0) if self._clock.live else None
            taken, whole = person.take(label, label_s, left_s)
            frames.append(taken)
            complete = complete and whole
        started = time.perf_counter()
        values = self._model.step(frames)
        self.steps.add(time.perf_counter() - started)
        self.labels += 1
        self.incomplete += not complete
        delay_s = None
        if self._clock.live:
            lag_s = self._clock.now_s() - label_s
            self.lag.add(lag_s)
            delay_s = self.delay["total_s"] + lag_s
        found = []
        for seat, value in zip(self._targets, values, strict=True):
            observed = {name: bool(seen.any()) for name, (_, seen) in frames[seat].items()}
            engagement = float(value) if any(observed.values()) else None
            found.append(LiveScore(label_s, self.people[seat].source.name, engagement, observed, delay_s))
        return found


def _refuse(checkpoint: Path, inputs: ModelInputs, model: EngagementModel, rate_hz: int) -> None:
    """Raise `InputError` unless a model can run live."""
    if not (model.streams and inputs.align.causal):
        raise InputError(
            f"{checkpoint}: looks ahead, so it cannot run live; train a causal one: damamba preset causal && dvc repro"
        )
    if model.classes:
        raise InputError(f"{checkpoint}: predicts classes; only models of continuous labels run live so far")
    if model.further:
        raise InputError(f"{checkpoint}: {several(model.labels)}; only models of one label run live so far")
    if rate_hz < LABEL_RATE_HZ:
        raise InputError(f"{checkpoint}: runs at {rate_hz} Hz; a live model needs {LABEL_RATE_HZ} Hz or more")
    if unbounded := [name for name, source in inputs.sources.items() if source.lookahead_s is None]:
        raise InputError(f"{checkpoint}: its cue {unbounded[0]} depends on the whole recording; train it causal")


def _extractor(name: str, inputs: ModelInputs, shared: dict[str, Any]) -> Any:
    """A loaded extractor: one for everybody where it holds a model, else one a person."""
    if name in shared:
        return shared[name]
    extractor = ready_extractor(name, inputs.cues[name])
    extractor.load()
    if extractor.media == "audio":  # the first call takes many times as long
        extractor.sound_stepper(0.0).hear(np.zeros(SAMPLE_RATE_HZ, np.float32), True)
    if extractor.uses_device:
        shared[name] = extractor
    return extractor
