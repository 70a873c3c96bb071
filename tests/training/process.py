"""One of the processes that train together in test_ranks.py: ``python -m tests.training.process FOLDER``."""

import os
import signal
import sys
from pathlib import Path

import torch

from damamba import training
from damamba.console import run_stage
from damamba.data.shards import Aligned
from damamba.training import Ranks, fit, validation
from tests.training.conftest import params, sections
from tests.training.test_classes import chosen

STILL = {"dropout": 0.0}
RIDGE = {**STILL, "floor": "ridge"}
CASES = {
    "long": lambda: params(STILL, batch_windows=5, steps=50, validate_steps=25, learning_rate=1e-4),
    "pieces": lambda: params(RIDGE, accumulate=2, gradient_checkpointing=True, steps=4, validate_steps=2),
    "cut": lambda: params(STILL, validate_steps=8),
    "few": lambda: params(STILL, batch_windows=1, steps=2),
    "ridge": params,
}
"""Five windows, or one, are no multiple of two processes."""
STOP, DEATH = 5, 5
"""Steps at which a run is left to be resumed, and at which a process is killed: two after the last state."""


class LeftError(Exception):
    """A run is left where it is."""


def leave(step):
    if step.step == STOP:
        raise LeftError


def result(run, model) -> dict:
    return {"history": run.history, "best": run.best[0], "weights": model.state_dict()}


def start(aligned, name, ranks=None) -> training.Run:
    given, variant = CASES[name](), "ridge" if name == "ridge" else "da_mamba"
    return training.Run(aligned, *sections(given, variant, 0), ranks)


def classes(aligned, ranks=None) -> training.Run:
    given = chosen("ordinal")
    given.architectures["da_mamba"]["dropout"] = 0.0
    return training.Run(aligned, *sections(given, "da_mamba", 0), ranks)


def main(folder: Path, ranks: Ranks) -> str:
    torch.set_num_threads(1)
    predict, predicted = validation.predict_each, []

    def counted(model, reader, session, seat):
        predicted.append((session.name, seat))
        return predict(model, reader, session, seat)

    validation.predict_each = counted
    with ranks.together():
        aligned = Aligned.read(folder / "continuous")
        found = {}
        for name in CASES:
            predicted.clear()
            run = start(aligned, name, ranks)
            found[name] = result(run, fit(run, folder / f"{name}.pt")) | {"predicted": list(predicted)}
        run = classes(Aligned.read(folder / "ordinal"), ranks)
        found["classes"] = result(run, fit(run, folder / "classes.pt"))
        try:
            fit(start(aligned, "cut", ranks), folder / "left-by-two.pt", leave)
        except LeftError:
            run = start(aligned, "cut", ranks)
            found["resumed"] = result(run, fit(run, folder / "left-by-one.pt"))
        torch.save(found, folder / f"found-{ranks.rank}.pt")

        def die(step):
            if step.step == DEATH and ranks.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        fit(start(aligned, "cut", ranks), folder / "death.pt", die)
    return "not reached"


if __name__ == "__main__":
    ranks = Ranks.launched()
    run_stage("train", lambda: main(Path(sys.argv[1]), ranks), timed=False, rank=ranks.rank)
