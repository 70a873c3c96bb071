"""fit(): from a fresh or killed run to a trained model."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from damamba.console import progress
from damamba.model import EngagementModel
from damamba.training.curve import Step
from damamba.training.resume import read_state, write_state
from damamba.training.run import FAR_AHEAD, Run

logger = logging.getLogger(__name__)
LITTLE = 0.02
"""A score of the validation that chance gives."""


def fit(run: Run, resume: Path, on_step: Callable[[Step], None] | None = None, label: str = "train") -> EngagementModel:
    """Train to the end, starting where a killed run with the same key stopped.

    Args:
        run: A fresh run.
        resume: File of the resume state. It lies outside the outputs and has the run's key in its name.
        on_step: Called after every step.
        label: Label of the progress bar.

    Raises:
        InputError: The loss is no longer finite, the predictions have become constant, or another process has ended.
    """
    state = run.ranks.from_first(lambda: read_state(resume) if resume.exists() else None)
    if state:
        run.restore(state)
        logger.info("%s: resumed at step %d", label, run.step)
    elif run.begun and run.validation:
        logger.info("%s: %s; validation %s", label, run.begun, _shown(run.validate()))
    warned = False
    left = run.steps - run.step
    for _ in progress(range(run.step, run.steps), label, total=left, unit="step", shown=run.ranks.first):
        row = run.advance()
        if on_step:
            on_step(row)
        if not warned and run.trainable and (ahead := run.ahead(row)) > FAR_AHEAD:
            warned = True
            logger.warning(
                "%s: step %d: the network's CCC on its batches is %.2f ahead of its validation (%.2f): it learns the "
                "people of the training split by heart; fewer steps or more dropout may help%s",
                label,
                run.step,
                ahead,
                row.first,
                ", or architectures.da_mamba.floor: ridge" if row.share is None else "",
            )
        if row.first is not None and run.exhausted:
            logger.info("%s: no better validation since step %d, stopped at %d", label, run.best[1], run.step)
            break
        if run.ranks.first and run.step % run.train.checkpoint_steps == 0 and run.step < run.steps:
            write_state(resume, run.state())
    if run.validation and run.trainable and run.best[0] < LITTLE:
        logger.warning(
            "%s: has learned nothing: no validation was better than %.3f; lower train.learning_rate, for one variant "
            "under its key `train`",
            label,
            run.best[0],
        )
    return run.finish()


def _shown(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
