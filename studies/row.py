"""One row of a study: a model trained and scored on shards that are there."""

from functools import partial
from pathlib import Path

import torch

from damamba.config import ModelParams, Params, TrainParams
from damamba.data.batch import WindowReader
from damamba.data.shards import Aligned
from damamba.data.windows import WindowGrid
from damamba.inference import predict
from damamba.metrics import find_metrics
from damamba.scoring.evaluate import score_sessions, write_scores
from damamba.training import Run, fit, run_key


def train_and_score(
    params: Params, model: ModelParams, train: TrainParams, seed: int, aligned: Path, study: str, name: str
) -> str:
    """Train, predict, score; a killed run goes on where it was.

    Args:
        params: Windows, losses and evaluation.
        model: What is trained.
        train: How.
        seed: Of the run.
        aligned: Folder of the shards.
        study: Folder below ``state``, ``data/predictions`` and ``results``.
        name: Of the row.

    Returns:
        The summary line.
    """
    torch.set_num_threads(train.threads or torch.get_num_threads())
    shards = Aligned.read(aligned)
    shards.verify()
    what = model, params.losses, params.window, train, seed, None
    resume = Path("state") / study / f"{name}-{run_key(shards, *what)}.pt"
    trained = fit(Run(shards, *what), resume, label=" ".join(filter(None, ("train", study, name))))
    metrics = find_metrics(params.evaluate)
    predictor = partial(predict, trained, WindowReader(shards, WindowGrid.of(params.window)))
    scored = score_sessions(predictor, shards, params.evaluate.split, metrics, Path("data/predictions") / study / name)
    resume.unlink(missing_ok=True)
    return write_scores(
        scored, params.evaluate, metrics, name, Path("results") / study, params.simulated, shards.protocol
    )
