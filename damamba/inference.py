"""From a trained model and a session to one series for each participant."""

from pathlib import Path

import numpy as np
import torch

from damamba.config import WindowParams, parse_section
from damamba.data.batch import WindowReader, at_labels, tiled
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


@torch.inference_mode()
def predict(model: EngagementModel, reader: WindowReader, session: AlignedSession, seat: int) -> np.ndarray:
    """Engagement of one participant of a session.

    The model must be in evaluation mode. Cores of the windows are stitched; `at_labels` brings frames to labels.

    Args:
        model: Trained.
        reader: Of the shards, with the window of the model.
        session: The session.
        seat: Number of the participant in `session.seats`.

    Returns:
        (n_labels,) float32 at 25 Hz, in [0, 1].
    """
    grid = reader.grid
    device = next(model.parameters()).device
    cores = []
    for batch in tiled(reader, session, seat, max(1, BATCH_FRAMES // grid.frames)):
        batch = batch.to(device)
        engagement = model(batch.cues, batch.valid, batch.present).engagement
        cores.append(at_labels(engagement, grid).float().cpu().numpy())
    return grid.stitch(np.concatenate(cores), session.n_labels)
