"""Frames of the grid at a lower rate."""

import numpy as np
import torch


def pool(x: np.ndarray, valid: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the valid frames in each run of `factor` frames.

    Args:
        x: (K, D), any value where not valid.
        valid: (K,) bool; K is a multiple of `factor`.
        factor: Frames in a run.

    Returns:
        (K / factor, D) float32, 0 where no frame of a run is valid, and the (K / factor,) mask.
    """
    # torch converts halves three times as fast as numpy
    rows = torch.from_numpy(np.array(x)).float()
    if factor == 1:
        return rows.masked_fill_(torch.from_numpy(~valid)[:, None], 0.0).numpy(), valid
    seen = valid.reshape(-1, factor)
    count = seen.sum(1)
    runs = rows.view(len(count), factor, -1)
    if not seen.all():
        runs = torch.where(torch.from_numpy(seen)[:, :, None], runs, 0.0)
    total = runs.sum(1).numpy()
    return total / np.maximum(count, 1).astype(np.float32)[:, None], count > 0
