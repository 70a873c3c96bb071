"""From a trained model to its predictions of a split, the CCC of each corpus, and one row a participant.

The challenge's protocol: predictions and labels are paired by frame, frames without a label are masked, and one CCC
is taken over all frames of all sessions and participants of a corpus. Global is the mean over corpora.

Source: hcmlab/MultiMediate26 ``baseline/5_CreateResulttable.py``.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ, EvaluateParams
from damamba.console import InputError, progress
from damamba.data.batch import WindowReader
from damamba.data.shards import AlignedSession, Seat
from damamba.features.files import prune, whole_file
from damamba.inference import predict
from damamba.metrics import ccc
from damamba.model import DAMamba

GLOBAL = "global"
EXACT_DIGITS = 12
"""Significant digits of statistics from which tables are computed again."""


@dataclass(frozen=True)
class ScoredSeat:
    """How one participant of one session was predicted: a row of ``results/sessions/<run>.csv``.

    Moments are population moments over the frames with a label; together with their number they are sufficient for
    the CCC of any group of participants. None where there is no such frame.
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
    covariance: float | None
    """Of prediction and label."""
    mae: float | None
    """Mean absolute error."""

    @classmethod
    def of(cls, session: AlignedSession, seat: Seat, pred: np.ndarray, label: np.ndarray, valid: np.ndarray):  # noqa: ANN206 (Self)
        """Moments of one participant, in double precision.

        Args:
            session: Where it was.
            seat: Who it was.
            pred: (L,) predicted engagement.
            label: (L,) annotated engagement, any value where not valid.
            valid: (L,) bool.
        """
        x, y = pred[valid].astype(np.float64), label[valid].astype(np.float64)
        who = (session.corpus, session.session, seat.participant, seat.role, session.language)
        counts = (len(x), int((~valid).sum()))
        if not len(x):
            return cls(*who, *counts, *(None,) * 7)
        covariance = float(((x - x.mean()) * (y - y.mean())).mean())
        moments = (float(x.mean()), float(y.mean()), float(x.std()), float(y.std()), covariance)
        return cls(*who, *counts, _defined(ccc(pred, label, valid)), *moments, float(np.abs(x - y).mean()))


def _defined(score: float | None) -> float | None:
    """A score that JSON can hold: None where it is undefined."""
    return None if score is None or not np.isfinite(score) else float(score)
