"""Files of results as the stages wrote them; a missing one is reported with the command that makes it."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from damamba.console import InputError


def read_json(path: Path, remedy: str) -> Any:
    """A JSON file.

    Raises:
        InputError: It is missing or damaged; `remedy` is the command that makes it.
    """
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {remedy}") from None
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); make it again: {remedy}") from None


def read_text(path: Path, remedy: str) -> str:
    """A text file; raises as `read_json`."""
    try:
        return path.read_text(encoding="utf8")
    except FileNotFoundError:
        raise InputError(f"{path}: missing; make it: {remedy}") from None


def read_rows(path: Path, columns: Iterable[str], remedy: str) -> list[dict[str, str]]:
    """Rows of a CSV file that has at least `columns`; raises as `read_json`."""
    rows = list(csv.DictReader(io.StringIO(read_text(path, remedy), newline="")))
    lacking = [name for name in columns if not rows or name not in rows[0]]
    if lacking:
        raise InputError(f"{path}: no rows with {', '.join(lacking)}; make it again: {remedy}")
    return rows


def read_curve(path: Path, remedy: str) -> dict[str, np.ndarray]:
    """A learning curve: column -> (steps,) float64, NaN where a step has none; raises as `read_json`."""
    rows = read_rows(path, ("step", "loss"), remedy)
    try:
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
    except ValueError as error:
        raise InputError(f"{path}: {error}; make it again: {remedy}") from None
