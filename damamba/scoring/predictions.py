"""Folders of predictions: ours, one Parquet file a participant, and zips that others made."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from damamba.config import LABEL_RATE_HZ
from damamba.console import InputError
from damamba.files import BLANK_SEAL, check_seal, whole_file

ZIP_MOST_BYTES = 2**30


def prediction_path(folder: Path, corpus: str, session: str, participant: str) -> Path:
    """File of a participant in the folder of a run."""
    return folder / corpus / session / f"{participant}.parquet"


def write_prediction(path: Path, pred: np.ndarray, label: np.ndarray, valid: np.ndarray) -> None:
    """Prediction and label of one participant, (L,) each, at 25 Hz: columns `prediction`, `label` and `valid`."""
    table = pa.table(
        {
            "prediction": pa.array(pred, pa.float32()),
            "label": pa.array(label, pa.float32(), mask=~valid),
            "valid": pa.array(valid),
        },
        metadata={"rate_hz": str(LABEL_RATE_HZ), "seal": BLANK_SEAL},
    )
    with whole_file(path, sealed=True) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_prediction(path: Path, run: str) -> np.ndarray:
    """Prediction of one participant, (L,) float64.

    Raises:
        InputError: The file is missing or damaged; the message names the command that predicts `run`.
    """
    return read_column(path, "prediction", f"dvc repro -f evaluate@{run}")


def read_label(path: Path, run: str) -> np.ndarray:
    """Label beside a prediction, (L,) float64, NaN where it is not valid; raises as `read_prediction`."""
    return read_column(path, "label", f"dvc repro -f evaluate@{run}")


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


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """A folder of predictions itself, or the folder that a zip unpacks to.

    Raises:
        InputError: Neither, or a zip that is damaged or larger than predictions can be.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise InputError(f"{path}: no such folder or zip; name the predictions")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                total = sum(member.file_size for member in archive.infolist())
                if total > ZIP_MOST_BYTES:
                    raise InputError(
                        f"{path}: {total / 2**30:.1f} GiB when unpacked; no folder of predictions is that large"
                    )
                archive.extractall(folder)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise InputError(f"{path}: not a readable zip ({error}); name a folder or zip of predictions") from None
        yield Path(folder)
