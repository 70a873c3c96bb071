"""fit(): from a fresh or killed run to a trained model."""

import io
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from damamba.console import InputError, progress
from damamba.files import BLANK_SEAL, check_seal, replace_file
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
            run.restore(_read_state(resume))
            logger.info("%s: resumed at step %d", label, run.step)
        except (RuntimeError, EOFError, KeyError, OSError, ValueError, pickle.UnpicklingError) as error:
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
            _write_state(resume, run.state())
    return run.finish()


HEAD = f"{BLANK_SEAL}\n".encode()
"""First line of a resume state; what `torch.save` writes follows it."""


def _write_state(path: Path, state: dict[str, Any]) -> None:
    content = io.BytesIO()
    content.write(HEAD)
    torch.save(state, content)
    replace_file(path, content.getvalue(), sealed=True)


def _read_state(path: Path) -> dict[str, Any]:
    check_seal(path)
    content = io.BytesIO(path.read_bytes()[len(HEAD) :])
    return torch.load(content, map_location="cpu", weights_only=True)
