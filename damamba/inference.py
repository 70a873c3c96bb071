"""From a trained model and a session to one series a participant."""

import numpy as np
import torch

from damamba.data.batch import WindowReader, at_labels, tiled
from damamba.data.shards import AlignedSession
from damamba.model import EngagementModel

BATCH_FRAMES = 6144
"""Frames that go through the model together, in whole windows: 64 of 96 frames, one of a whole session."""


@torch.inference_mode()
def predict(model: EngagementModel, reader: WindowReader, session: AlignedSession, seat: int) -> np.ndarray:
    """Engagement of one seat of a session.

    The model must be in evaluation mode. Cores of the windows are stitched; `at_labels` brings frames to labels.

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
