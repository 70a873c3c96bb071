"""Predictions of a run: one Parquet file a participant."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.files import BLANK_SEAL, check_seal, whole_file

FURTHER = "also"
"""Folder, in that of a run, of the predictions of further labels."""


def prediction_path(folder: Path, corpus: str, session: str, participant: str) -> Path:
    """File of a participant in the folder of a run."""
    return folder / corpus / session / f"{participant}.parquet"


def label_path(folder: Path, label: str) -> Path:
    """Where the folder of a run has the predictions and scores of a label: ``also/NAME``; itself for the first."""
    return folder / FURTHER / label if label else folder


def write_prediction(
    path: Path, pred: np.ndarray, label: np.ndarray, valid: np.ndarray, classes: Sequence[str] = ()
) -> None:
    """Prediction and label of one participant, (L,) each, at 25 Hz: columns `prediction`, `label` and `valid`.

    Where labels are classes, `pred` is (L, K). `prediction` and `label` are then numbers of classes, `class` is the
    name of the predicted one, and a column ``p.<class>`` has the probability of each.
    """
    metadata = {"rate_hz": str(LABEL_RATE_HZ), "seal": BLANK_SEAL}
    chosen = pred.argmax(1) if classes else pred
    columns = {"prediction": pa.array(chosen, pa.float32())}
    columns |= {"label": pa.array(label, pa.float32(), mask=~valid), "valid": pa.array(valid)}
    if classes:
        columns["class"] = pa.array(np.array(classes)[chosen])
        columns |= {f"p.{name}": pa.array(pred[:, k], pa.float32()) for k, name in enumerate(classes)}
        metadata["classes"] = json.dumps(list(classes))
    table = pa.table(columns, metadata=metadata)
    with whole_file(path, sealed=True) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_prediction(path: Path, run: str, most_rows: int | None = None) -> np.ndarray:
    """Prediction of one participant, (L,) float64.

    Args:
        path: Parquet file.
        run: Its run, for messages.
        most_rows: A file that declares more rows is not read.

    Raises:
        InputError: The file is missing, damaged or too long; the message names the command that predicts `run`.
    """
    if most_rows is not None and path.is_file():
        try:
            rows = pq.read_metadata(path).num_rows
        except (pa.ArrowInvalid, OSError):
            rows = 0  # damaged, as `read_column` reports
        if rows > most_rows:
            raise InputError(f"{path}: {rows} rows; no recording has that many: predict again")
    return read_column(path, "prediction", f"dvc repro -f evaluate@{run}")


def read_label(path: Path, run: str) -> np.ndarray:
    """Label beside a prediction, (L,) float64, NaN where it is not valid; raises as `read_prediction`."""
    return read_column(path, "label", f"dvc repro -f evaluate@{run}")


def stored_classes(path: Path) -> tuple[str, ...]:
    """Names of the classes whose numbers one of our Parquet files holds; none for numbers, or for a damaged file."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        return tuple(json.loads(metadata.get(b"classes", b"[]")))
    except (pa.ArrowInvalid, OSError, ValueError, TypeError):
        return ()  # `read_column` reports what is wrong


def read_column(path: Path, name: str, remedy: str) -> np.ndarray:
    """A column of one of our Parquet files, (L,) float64 with NaN for null.

    Raises:
        InputError: There is no such file or column, or it is damaged; `remedy` is the command that makes it.
    """
    try:
        check_seal(path)
        return pq.read_table(path, columns=[name])[name].to_numpy().astype(np.float64)
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {remedy}") from None
    except (pa.ArrowInvalid, OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: damaged ({reason}); make it again: {remedy}") from None
