"""From a trained model to its predictions of a split, the scores of each corpus, and one row a participant.

Predictions and labels are paired by frame, frames without a label are masked, and one CCC is taken over all frames of
all sessions and participants of a corpus. Global is the mean over corpora. The challenge's script differs in one point:
it removes invalid lines before it pairs (`damamba.scoring.pairing`).

Source: hcmlab/MultiMediate26 ``baseline/5_CreateResulttable.py``.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import EvaluateParams
from damamba.console import InputError, progress
from damamba.data.shards import Aligned, AlignedSession
from damamba.digits import json_text, write_result
from damamba.files import prune
from damamba.metrics import ClassMetric, Metric, ccc
from damamba.metrics.base import most_probable
from damamba.scoring.by_session import SUFFIX, left_out, session_moments_of, with_session_mean
from damamba.scoring.cautions import cautions
from damamba.scoring.layout import join_metrics, of_metric
from damamba.scoring.participants import (
    ParticipantScore,
    label_variance_within,
    statistics,
    write_participants,
)
from damamba.scoring.pooling import GLOBAL, bootstrap_interval, defined, global_score, stacked
from damamba.scoring.predictions import prediction_path, write_prediction

logger = logging.getLogger(__name__)

Predictor = Callable[[AlignedSession, int], np.ndarray]
"""Predicts the participant of that number in a session, (n_labels,) at 25 Hz, or (n_labels, K) probabilities of
classes: `partial(predict, model, reader)`."""


def score_sessions(
    predict: Predictor, aligned: Aligned, split: str, metrics: Mapping[str, Metric], out: Path
) -> list[ParticipantScore]:
    """Predict and score every labelled participant of a split.

    Predictions go to ``out/<corpus>/<session>/<participant>.parquet``, a row a label frame (25 Hz). Files of
    participants that are no longer there are removed.

    Args:
        predict: Makes the predictions.
        aligned: Sessions and labels.
        split: train, val or test.
        metrics: What is scored, by name.
        out: Folder of the predictions.

    Raises:
        InputError: The split has no labels, or a prediction is not finite.
    """
    targets = [(session, i) for session in aligned.split(split) for i in range(len(session.seats))]
    targets = [(session, i) for session, i in targets if session.seats[i].labelled]
    if not targets:
        which = aligned.reads and f" {aligned.reads}"
        raise InputError(
            f"{aligned.root / 'index.json'}: the split {split} has no labels{which}, so there is nothing to score; "
            "see the columns `split` and `label` of the manifest"
        )
    scores, written = [], set()
    for session, number in progress(targets, f"score {split}", unit="participant"):
        participant = session.seats[number].participant
        pred = predict(session, number)
        if not np.isfinite(pred).all():
            raise InputError(
                f"{session.name}/{participant}: {int((~np.isfinite(pred)).sum())} of {len(pred)} predictions are "
                "not finite; train the model again, with a smaller train.learning_rate"
            )
        label, valid = aligned.labels(session, participant)
        path = prediction_path(out, session.corpus, session.session, participant)
        write_prediction(path, pred, label, valid, aligned.annotated.classes)
        pred = most_probable(pred) if aligned.annotated.classes else pred
        written.add(path)
        scores.append(score_participant(session, number, pred, label, valid, metrics))
    prune(out, written)
    return scores


def score_participant(
    session: AlignedSession,
    number: int,
    pred: np.ndarray,
    label: np.ndarray,
    valid: np.ndarray,
    metrics: Mapping[str, Metric],
) -> ParticipantScore:
    """Statistics of one participant, in double precision.

    Args:
        session: The session.
        number: Of the participant in `session.seats`.
        pred: (L,) predicted engagement, or number of the class; a class has no means and no CCC.
        label: (L,) annotated engagement, or number of the class; any value where it is not valid.
        valid: (L,) bool, True where annotated.
        metrics: Whose moments are kept, by name.
    """
    seat = session.seats[number]
    scores = not any(isinstance(metric, ClassMetric) for metric in metrics.values())
    x, y = pred[valid].astype(np.float64), label[valid].astype(np.float64)
    return ParticipantScore(
        corpus=session.corpus,
        session=session.session,
        participant=seat.participant,
        role=seat.role,
        language=session.language,
        frames=len(x),
        invalid=int((~valid).sum()),
        moments={name: metric.of_series(pred, label, valid) for name, metric in metrics.items()},
        **({"ccc": defined(ccc(pred, label, valid)), **statistics(x, y)} if scores else {"ccc": None}),
    )


def corpus_scores(
    scores: Sequence[ParticipantScore], params: EvaluateParams, metrics: Mapping[str, Metric]
) -> dict[str, Any]:
    """Score of each corpus and Global by every metric, their intervals over sessions, and frames scored.

    Returns:
        ``{<corpus>: CCC, …, "global": …, "interval": {the same keys: [low, high]}, "frames": {<corpus>: …},
        "left_out": {<corpus>: sessions}, "label_variance_within": {<corpus>: share}}``, and under the name of each
        further metric, and of the mean over sessions of the first, its scores and intervals; None where a score, an end
        or a share is undefined. `left_out` are the sessions without part in that mean.

    Raises:
        InputError: A corpus is called like a metric.
    """
    frames: dict[str, int] = {}
    for one in scores:
        frames[one.corpus] = frames.get(one.corpus, 0) + one.frames
    if clash := sorted(frames.keys() & metrics.keys()):
        raise InputError(f"corpus {clash[0]!r} is called like a metric of evaluate.metrics; rename one of the two")
    records = {
        name: _corpus_scores(scores, params, name, metric) for name, metric in with_session_mean(metrics).items()
    }
    shares = {corpus: label_variance_within([one for one in scores if one.corpus == corpus]) for corpus in frames}
    counts = {"frames": frames, "left_out": left_out(scores, metrics)}
    return {**join_metrics(records), **counts, "label_variance_within": shares}


def _corpus_scores(
    scores: Sequence[ParticipantScore], params: EvaluateParams, name: str, metric: Metric
) -> dict[str, Any]:
    sessions = session_moments_of(scores, name, metric)
    corpora = {corpus: [stacked(moments)] for corpus, moments in sessions.items()}
    corpora[GLOBAL] = [moments for (moments,) in corpora.values()]
    values: dict[str, Any] = {name: defined(global_score(metric, moments)) for name, moments in corpora.items()}
    values["interval"] = {
        name: [
            defined(end)
            for end in bootstrap_interval(metric, moments, resamples=params.bootstrap, confidence=params.confidence)
        ]
        for name, moments in corpora.items()
    }
    return values


def write_scores(
    scores: Sequence[ParticipantScore],
    params: EvaluateParams,
    metrics: Mapping[str, Metric],
    name: str,
    results: Path,
    simulated: bool,
    protocol: str = "as given",
) -> str:
    """Write a run's ``scores``, ``metrics`` and ``sessions`` below `results`; returns the summary line.

    ``metrics/<name>.json`` is the flat extract that `dvc metrics show` prints: Global by every metric and by session,
    and each corpus by the first. What makes the scores doubtful is logged (`cautions`).

    Args:
        scores: From `score_sessions`.
        params: The split that was scored; resamples and confidence of the intervals.
        metrics: What was scored, by name.
        name: Of the run.
        results: Folder of results.
        simulated: Whether any of the participants is.
        protocol: Which splits these are, from the index of the shards.
    """
    record = corpus_scores(scores, params, metrics)
    source = {"split": params.split, "protocol": protocol, "simulated": simulated}
    write_result(results / "scores" / f"{name}.json", json_text({**record, **source}))
    first = next(iter(metrics))
    by_corpus = {corpus: of_metric(record, first)[corpus] for corpus in record["frames"]}
    flat = {first: of_metric(record, first)[GLOBAL], **by_corpus}
    flat |= {metric: of_metric(record, metric)[GLOBAL] for metric in with_session_mean(metrics)}
    write_result(results / "metrics" / f"{name}.json", json_text(flat))
    write_participants(results / "sessions" / f"{name}.csv", scores, metrics)
    for caution in cautions({name: [scores]}, {name: of_metric(record, first)["interval"]}, metrics):
        logger.warning("warning: %s", caution)
    shown = {**by_corpus, GLOBAL: flat[first], "by session": flat[first + SUFFIX]}
    line = ", ".join(f"{corpus} {'undefined' if v is None else f'{v:.3f}'}" for corpus, v in shown.items())
    n_frames = sum(record["frames"].values())
    return f"{name}: {metrics[first].title} {line} · {len(scores)} participants, {n_frames} frames"
