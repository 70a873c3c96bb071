"""From a trained model and a session to one series for each participant."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from damamba.config import LABEL_RATE_HZ, MAIN, WindowParams, parse_section
from damamba.data.batch import Batch, WindowReader, at_labels, tiled
from damamba.data.shards import AlignedSession
from damamba.data.windows import WindowGrid
from damamba.device import choose_device
from damamba.model import EngagementModel, load_model
from damamba.model.checkpoint import read_description

BATCH_FRAMES = 6144
"""Frames that go through the model together, in whole windows: 64 of 96 frames, one of a whole session."""


def load_trained(checkpoint: Path) -> tuple[EngagementModel, WindowGrid]:
    """A trained model, on the device of this machine, and the window that it was trained with.

    Raises:
        InputError: The checkpoint is missing or damaged.
    """
    model = load_model(checkpoint, choose_device())
    window = parse_section(WindowParams, read_description(checkpoint).extra["window"], f"{checkpoint}: window")
    return model, WindowGrid.of(window)


def predict(
    model: EngagementModel, reader: WindowReader, session: AlignedSession, seat: int, label: str = MAIN
) -> np.ndarray:
    """Engagement of one participant of a session.

    The model must be in evaluation mode. A causal model that streams carries its state through the whole session, as it
    does live. Of others, cores of windows are stitched. `at_labels` brings frames to labels.

    Args:
        model: Trained.
        reader: Of the shards, with the window of the model.
        session: The session.
        seat: Number of the participant in `session.seats`.
        label: Which of `model.labels`.

    Returns:
        (n_labels,) float32 at 25 Hz, in [0, 1]; of classes, (n_labels, K) probabilities.
    """
    return predict_each(model, reader, session, seat)[label]


def predict_each(
    model: EngagementModel, reader: WindowReader, session: AlignedSession, seat: int
) -> dict[str, np.ndarray]:
    """Label -> `predict`, from one pass."""
    return _passes(model, reader, session, seat, {"": lambda batch: batch})[""]


class EachLabel:
    """Predictions of a model, label by label; every participant is predicted once.

    Args:
        model: As of `predict`.
        reader: As there.
    """

    def __init__(self, model: EngagementModel, reader: WindowReader) -> None:
        self.model, self.reader = model, reader
        self._held: dict[tuple[str, int], dict[str, np.ndarray]] = {}

    def predict(self, label: str, session: AlignedSession, seat: int) -> np.ndarray:
        """As the function `predict`."""
        key = session.name, seat
        if key not in self._held:
            self._held[key] = predict_each(self.model, self.reader, session, seat)
        held = self._held[key] if len(self.model.labels) > 1 else self._held.pop(key)
        return held[label]


def contributions(
    model: EngagementModel, reader: WindowReader, session: AlignedSession, seat: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """`predict`, and what each cue and each partner adds to it: the prediction less the one made without them.

    The model runs again over the same windows, once without each cue of the participant and once without each partner.
    Where a cue was not observed, it adds nothing. What two of them say alike is counted for neither.

    Args:
        model: As of `predict`.
        reader: As there.
        session: As there.
        seat: As there.

    Returns:
        (n_labels,) float32 as of `predict`; and cue, or ``partner NAME``, -> (n_labels,) float32 in [-1, 1].
    """
    others = [one.participant for i, one in enumerate(session.seats) if i != seat]
    changes: dict[str, Callable[[Batch], Batch]] = {"": lambda batch: batch}
    for cue in reader.aligned.cues:
        changes[cue] = lambda batch, cue=cue: _without_cue(batch, cue)
    for place, name in enumerate(others, 1):
        changes[f"partner {name}"] = lambda batch, place=place: _without_partner(batch, place)
    found = _passes(model, reader, session, seat, changes)
    whole = found.pop("")[MAIN]
    return whole, {name: whole - without[MAIN] for name, without in found.items()}


def _without_cue(batch: Batch, cue: str) -> Batch:
    valid, x = batch.valid[cue].clone(), batch.cues[cue].clone()
    valid[:, 0], x[:, 0] = False, 0
    return replace(batch, cues={**batch.cues, cue: x}, valid={**batch.valid, cue: valid})


def _without_partner(batch: Batch, place: int) -> Batch:
    kept = torch.arange(batch.present.shape[1], device=batch.present.device) != place
    valid = {cue: seen & kept[None, :, None] for cue, seen in batch.valid.items()}
    cues = {cue: x * kept[None, :, None, None] for cue, x in batch.cues.items()}
    return replace(batch, cues=cues, valid=valid, present=batch.present & kept)


@torch.inference_mode()
def _passes(
    model: EngagementModel,
    reader: WindowReader,
    session: AlignedSession,
    seat: int,
    changes: dict[str, Callable[[Batch], Batch]],
) -> dict[str, dict[str, np.ndarray]]:
    """One prediction of each label a change of the windows, which are read once."""
    if model.streams:
        return _carried(model, reader, session, seat, changes)
    grid = reader.grid
    device = next(model.parameters()).device

    pieces = []
    for batch in tiled(reader, session, seat, max(1, BATCH_FRAMES // grid.frames)):
        batch = batch.to(device)
        pieces.append({name: _cores(model, change(batch), grid) for name, change in changes.items()})
    return {
        name: {
            label: grid.stitch(np.concatenate([one[name][label] for one in pieces]), session.n_labels)
            for label in pieces[0][name]
        }
        for name in changes
    }


def _carried(
    model: Any,
    reader: WindowReader,
    session: AlignedSession,
    seat: int,
    changes: dict[str, Callable[[Batch], Batch]],
) -> dict[str, dict[str, np.ndarray]]:
    """`_passes` in pieces of which each continues from the state after the one before it."""
    rate_hz, device = reader.grid.rate_hz, next(model.parameters()).device
    seconds = min(BATCH_FRAMES // rate_hz, -(-session.n_labels // LABEL_RATE_HZ))
    grid = WindowGrid(seconds * LABEL_RATE_HZ, 0, rate_hz)
    pieces: dict[str, list[dict[str, torch.Tensor]]] = {name: [] for name in changes}
    states = {name: model.stream() for name in changes}
    for batch in tiled(WindowReader(reader.aligned, grid), session, seat, 1):
        batch = batch.to(device)
        for name, change in changes.items():
            changed = change(batch)
            frames, states[name] = model.extend_each(changed.cues, changed.valid, changed.present, states[name])
            pieces[name].append(frames)
    whole = WindowGrid(grid.count(session.n_labels) * grid.core, 0, rate_hz)

    def joined(frames: list[dict[str, torch.Tensor]], label: str) -> np.ndarray:
        engagement = at_labels(torch.cat([piece[label] for piece in frames], dim=1), whole)
        return engagement[0, : session.n_labels].float().cpu().numpy()

    return {name: {label: joined(frames, label) for label in frames[0]} for name, frames in pieces.items()}


def _cores(model: EngagementModel, batch: Batch, grid: WindowGrid) -> dict[str, np.ndarray]:
    predicted = model(batch.cues, batch.valid, batch.present).by_label()
    return {label: at_labels(frames, grid).float().cpu().numpy() for label, frames in predicted.items()}
