"""From parameters, or from a saved model, to the architecture that they name."""

from collections.abc import Mapping
from pathlib import Path

import torch

from damamba.config import ModelParams
from damamba.model.base import EngagementModel, Statistics
from damamba.model.checkpoint import read_description
from damamba.model.da_mamba import DAMamba
from damamba.model.dat import DAT
from damamba.model.lstm import LSTM

ARCHITECTURES = {kind.architecture: kind for kind in (DAMamba, DAT, LSTM)}


def build_model(
    cues: Mapping[str, Mapping[str, int]],
    params: ModelParams,
    rate_hz: int,
    statistics: Statistics | None = None,
    label_mean: float = 0.5,
) -> EngagementModel:
    """An untrained model.

    Args:
        cues: Width of each cue, by modality group; the order counts.
        params: The `model` section; `params.architecture` decides.
        rate_hz: Frames a second.
        statistics: Mean and standard deviation of each cue's channels over the training split; None where cues come
            standardised.
        label_mean: Mean engagement of the training split, where predictions start.

    Raises:
        InputError: Sizes that do not fit each other, an unknown cue.
    """
    return ARCHITECTURES[params.architecture](cues, params, rate_hz, statistics, label_mean)


def load_model(directory: Path | str, device: torch.device | str = "cpu") -> EngagementModel:
    """The model that was saved, of whichever architecture; errors as `EngagementModel.load`."""
    return ARCHITECTURES[read_description(directory).params.architecture].load(directory, device)
