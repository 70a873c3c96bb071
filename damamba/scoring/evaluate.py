"""From a trained model to its predictions of a split, the CCC of each corpus, and one row a participant.

The challenge's protocol: predictions and labels are paired by frame, frames without a label are masked, and one CCC
is taken over all frames of all sessions and participants of a corpus. Global is the mean over corpora.

Source: hcmlab/MultiMediate26 ``baseline/5_CreateResulttable.py``.
"""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ, EvaluateParams
from damamba.console import InputError, progress
from damamba.data.shards import Aligned, AlignedSession
from damamba.files import prune, whole_file
from damamba.metrics import MOMENTS, bootstrap_interval, ccc, global_ccc, session_moments

Teller = Callable[[AlignedSession, int], np.ndarray]

GLOBAL = "global"
"""Beside the corpora in every table of scores: their mean."""


@dataclass(frozen=True)
class ScoredSeat:
    """How one participant of one session was predicted: a row of ``results/sessions/<run>.csv``.

    Statistics are over the frames with a label, moments are population moments; None where there is no such frame.
    """

    corpus: str
    session: str
    participant: str
    role: str
    language: str
    frames: int
    """Label frames that are valid."""
    invalid: int
    """Label frames that are not."""
    ccc: float | None
    mean_prediction: float | None
    mean_label: float | None
    std_prediction: float | None
    std_label: float | None
    mae: float | None
    """Mean absolute error."""
    sum_p: float
    """This and the rest: `session_moments`, from which the CCC of any group of participants follows."""
    sum_t: float
    sum_pp: float
    sum_tt: float
    sum_pt: float

    @property
    def moments(self) -> np.ndarray:
        """(6,) `session_moments`."""
        return np.array([getattr(self, name) for name in MOMENTS], np.float64)


def score_sessions(tell: Teller, aligned: Aligned, split: str, out: Path) -> list[ScoredSeat]:
    """Predict and score every labelled participant of a split.

    Predictions go to ``out/<corpus>/<session>/<participant>.parquet``, a row a label frame (25 Hz): `prediction`,
    `label` (null where not valid), `valid`. Files of participants that are no longer there are removed.

    Args:
        tell: Predicts a seat of a session, (n_labels,) at 25 Hz; `partial(predict, model, reader)` for a model.
        aligned: Sessions and labels.
        split: train, val or test.
        out: Folder of the predictions.

    Raises:
        InputError: Nobody in the split is labelled, or a prediction is not finite.
    """
    targets = [(session, i) for session in aligned.split(split) for i in range(len(session.seats))]
    targets = [(session, i) for session, i in targets if session.seats[i].labelled]
    if not targets:
        raise InputError(
            f"{aligned.root / 'index.json'}: nobody in the split {split} has labels, so there is nothing to score; "
            "see the columns `split` and `label` of the manifest"
        )
    scored, written = [], set()
    for session, number in progress(targets, f"score {split}", unit="participant"):
        seat = session.seats[number]
        pred = tell(session, number)
        if not np.isfinite(pred).all():
            raise InputError(
                f"{session.name}/{seat.participant}: {int((~np.isfinite(pred)).sum())} of {len(pred)} predictions are "
                "not finite; train the model again, with a smaller train.learning_rate"
            )
        label, valid = aligned.labels(session, seat.participant)
        path = out / session.corpus / session.session / f"{seat.participant}.parquet"
        write_prediction(path, pred, label, valid)
        written.add(path)
        scored.append(score_seat(session, number, pred, label, valid))
    prune(out, written)
    return scored


def score_seat(
    session: AlignedSession, number: int, pred: np.ndarray, label: np.ndarray, valid: np.ndarray
) -> ScoredSeat:
    """Statistics of one participant, in double precision.

    Args:
        session: The session.
        number: Of the seat.
        pred: (L,) predicted engagement.
        label: (L,) annotated engagement; any value where it is not valid.
        valid: (L,) bool, True where annotated.
    """
    seat = session.seats[number]
    x, y = pred[valid].astype(np.float64), label[valid].astype(np.float64)
    seen = len(x) > 0
    return ScoredSeat(
        corpus=session.corpus,
        session=session.session,
        participant=seat.participant,
        role=seat.role,
        language=session.language,
        frames=len(x),
        invalid=int((~valid).sum()),
        ccc=_defined(ccc(pred, label, valid)),
        mean_prediction=float(x.mean()) if seen else None,
        mean_label=float(y.mean()) if seen else None,
        std_prediction=float(x.std()) if seen else None,
        std_label=float(y.std()) if seen else None,
        mae=float(np.abs(x - y).mean()) if seen else None,
        **dict(zip(MOMENTS[1:], session_moments(pred, label, valid)[1:].tolist(), strict=True)),
    )


def write_prediction(path: Path, pred: np.ndarray, label: np.ndarray, valid: np.ndarray) -> None:
    """Prediction and label of one participant, (L,) each, at 25 Hz."""
    table = pa.table(
        {
            "prediction": pa.array(pred, pa.float32()),
            "label": pa.array(label, pa.float32(), mask=~valid),
            "valid": pa.array(valid),
        },
        metadata={"rate_hz": str(LABEL_RATE_HZ)},
    )
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def corpus_scores(scored: Sequence[ScoredSeat], params: EvaluateParams) -> dict[str, Any]:
    """CCC of each corpus and Global, their intervals over sessions, and the frames they rest on.

    Returns:
        ``{<corpus>: CCC, …, "global": …, "interval": {the same keys: [low, high]}, "frames": {<corpus>: …}}``; None
        where a score or an end is undefined.
    """
    corpora = _session_moments(scored)

    def interval(moments: Sequence[np.ndarray]) -> list[float | None]:
        ends = bootstrap_interval(moments, resamples=params.bootstrap, confidence=params.confidence)
        return [_defined(end) for end in ends]

    everything = list(corpora.values())
    return {
        **{name: _defined(global_ccc([sessions])) for name, sessions in corpora.items()},
        GLOBAL: _defined(global_ccc(everything)),
        "interval": {
            **{name: interval([sessions]) for name, sessions in corpora.items()},
            GLOBAL: interval(everything),
        },
        "frames": {name: int(sessions[:, 0].sum()) for name, sessions in corpora.items()},
    }


def _session_moments(scored: Sequence[ScoredSeat]) -> dict[str, np.ndarray]:
    """Corpus -> (sessions, 6): participants of a session are summed, for they are resampled together."""
    sessions: dict[str, dict[str, np.ndarray]] = defaultdict(lambda: defaultdict(lambda: np.zeros(len(MOMENTS))))
    for seat in scored:
        sessions[seat.corpus][seat.session] += seat.moments
    return {corpus: np.stack(list(held.values())) for corpus, held in sessions.items()}


def write_scores(
    scored: Sequence[ScoredSeat],
    params: EvaluateParams,
    name: str,
    results: Path,
    simulated: bool,
    protocol: str = "as given",
) -> str:
    """Write ``scores/<name>.json`` and ``sessions/<name>.csv`` below `results`; the summary line.

    Args:
        scored: From `score_sessions`.
        params: The split that was scored; resamples and confidence of the intervals.
        name: Of the run.
        results: Folder of results.
        simulated: Whether any of the people is.
        protocol: Which splits these are, as the index of the shards says.
    """
    source = {"split": params.split, "protocol": protocol, "simulated": simulated}
    record = {**corpus_scores(scored, params), **source}
    with whole_file(results / "scores" / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf8")
    with whole_file(results / "sessions" / f"{name}.csv") as temporary, temporary.open("w", newline="") as stream:
        rows = csv.DictWriter(stream, [field.name for field in fields(ScoredSeat)], lineterminator="\n")
        rows.writeheader()
        for seat in scored:
            # twelve digits: as good as exact, and the same on machines whose sums differ in the last bit
            rows.writerow({k: f"{v:.12g}" if isinstance(v, float) else v for k, v in vars(seat).items()})
    scores = {corpus: record[corpus] for corpus in (*record["frames"], GLOBAL)}
    shown = ", ".join(f"{corpus} {'undefined' if v is None else f'{v:.3f}'}" for corpus, v in scores.items())
    return f"{name}: CCC {shown} · {len(scored)} participants, {sum(seat.frames for seat in scored)} frames"


def _defined(score: float) -> float | None:
    """As JSON can hold it: None where undefined."""
    return float(score) if math.isfinite(score) else None
