"""From parameters, or from a saved model, to the architecture that they name."""

from collections.abc import Mapping
from pathlib import Path

import torch

from damamba import plugins
from damamba.config import ARCHITECTURES, MAIN, ModelParams, parse_section
from damamba.config.kinds import key_of
from damamba.console import InputError
from damamba.model.base import EngagementModel, Statistics, chosen_cues
from damamba.model.checkpoint import read_description
from damamba.model.heads import Classes, Start, also_of, main_of


def build_model(
    cues: Mapping[str, Mapping[str, int]],
    params: ModelParams,
    rate_hz: int,
    statistics: Statistics | None = None,
    label_mean: Start = 0.5,
) -> EngagementModel:
    """An untrained model.

    Args:
        cues: Width of each cue, by modality group; the order counts. Cues that `params.cues` does not name are left
            out.
        params: A variant: its architecture, cues and settings.
        rate_hz: Frames a second.
        statistics: Mean and standard deviation of each cue's channels over the training split; None where cues come
            standardised.
        label_mean: Mean engagement of the training split, where predictions start; or the classes; or those of several
            labels.

    Raises:
        InputError: Sizes that do not fit each other, an unknown cue or architecture, or one without a
            head for such labels.
    """
    kind = plugins.find(ARCHITECTURES, params.architecture, EngagementModel)
    further = also_of(label_mean)
    for name, start in {MAIN: main_of(label_mean), **further}.items():
        labels = start.kind if isinstance(start, Classes) else "continuous"
        if labels not in kind.kinds:
            raise InputError(
                f"{params.architecture} predicts {' and '.join(kind.kinds)} labels, and {key_of(name)} is {labels}; "
                "take another architecture, or give it damamba.model.heads.make_head and the kind in `kinds`"
            )
    if further and not kind.several:
        raise InputError(
            f"{params.architecture} predicts one label, and labels.also has {', '.join(further)}; give the losses of "
            "the latter no weight in this variant, or the architecture damamba.model.heads.other_heads"
        )
    settings = parse_section(kind.Params, params.settings, f"settings of {params.architecture}")
    return kind(chosen_cues(cues, params.cues), settings, rate_hz, statistics, label_mean)


def load_model(directory: Path | str, device: torch.device | str = "cpu") -> EngagementModel:
    """The model that was saved, of any architecture; errors as of `EngagementModel.load`."""
    name = read_description(directory).architecture
    return plugins.find(ARCHITECTURES, name, EngagementModel).load(directory, device)
