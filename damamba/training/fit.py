"""fit(): from a fresh or killed run to a trained model."""

import logging
import pickle
from collections.abc import Callable
from pathlib import Path

import torch

from damamba.console import InputError, progress
from damamba.files import whole_file
from damamba.model import EngagementModel
from damamba.training.run import Run, Step

logger = logging.getLogger(__name__)


def fit(run: Run, resume: Path, on_step: Callable[[Step], None] | None = None, label: str = "train") -> EngagementModel:
    """Train to the end, starting where a killed run with the same key stopped.

    Args:
        run: A fresh run.
        resume: File of the resume state. It lies outside the outputs and has the run's key in its name.
        on_step: Called after every step.
        label: Label of the progress bar.

    Raises:
        InputError: The loss is no longer finite, or the predictions have become constant.
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
            logger.info("%s: no better validation since step %d, stopped at %d", label, run.best[1], run.step)
            break
        if run.step % run.train.checkpoint_steps == 0 and run.step < run.train.steps:
            with whole_file(resume) as temporary:
                torch.save(run.state(), temporary)
    return run.finish()
