"""From a trained model and a session to one series a participant."""

import numpy as np
import torch

from damamba.data.batch import WindowReader, tiled
from damamba.data.shards import AlignedSession
from damamba.model import DAMamba

BATCH_WINDOWS = 64


@torch.inference_mode()
def predict(model: DAMamba, reader: WindowReader, session: AlignedSession, seat: int) -> np.ndarray:
    """Engagement of one seat of a session.

    The model must be in evaluation mode. Cores of the windows are stitched; frames are pooled to labels by mean.

    Returns:
        (n_labels,) float32 at 25 Hz, in [0, 1].
    """
    grid = reader.grid
    device = next(model.parameters()).device
    cores = []
    for batch in tiled(reader, session, seat, BATCH_WINDOWS):
        batch = batch.to(device)
        frames = model(batch.cues, batch.valid, batch.present).engagement[:, grid.core_frames]
        cores.append(frames.unflatten(1, (grid.core, grid.frames_per_label)).mean(-1).float().cpu().numpy())
    return grid.stitch(np.concatenate(cores), session.n_labels)
