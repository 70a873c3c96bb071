"""Reading what the stages left in ``results``; whatever is missing is named, with the command that makes it."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from damamba.config import split_run
from damamba.console import InputError
from damamba.metrics import MOMENTS

FULL_MODEL = "da_mamba"
"""The variant that others are compared with."""
NUMBERS = ("ccc", "mean_prediction", "mean_label", "std_prediction", "std_label", "mae", *MOMENTS[1:])


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
    rows = list(csv.DictReader(read_text(path, remedy).splitlines()))
    lacking = [name for name in columns if not rows or name not in rows[0]]
    if lacking:
        raise InputError(f"{path}: no rows with {', '.join(lacking)}; make it again: {remedy}")
    return rows


def read_curve(path: Path, remedy: str) -> dict[str, np.ndarray]:
    """A learning curve: column -> (steps,) float64, NaN where a step has none; raises as `read_json`."""
    rows = read_rows(path, ("step", "loss", "ccc", "val_ccc"), remedy)
    try:
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
    except ValueError as error:
        raise InputError(f"{path}: {error}; make it again: {remedy}") from None


def main_variant(ccc: Mapping[str, Any]) -> str:
    """The full model, or the first variant where it was not run."""
    return FULL_MODEL if FULL_MODEL in ccc["variants"] else next(iter(ccc["variants"]))


def run_names(ccc: Mapping[str, Any]) -> list[str]:
    """Runs in ``ccc.json``, by variant and seed."""
    return [f"{variant}-{seed}" for variant, row in ccc["variants"].items() for seed in row["seeds"]]


@dataclass(frozen=True)
class RunResult:
    """What `evaluate` found out about one run."""

    name: str
    variant: str
    seed: int
    scores: dict[str, Any]
    """As in ``scores/<name>.json``."""
    seats: tuple[dict[str, Any], ...]
    """Rows of ``sessions/<name>.csv``: numbers as numbers, None where there is none."""

    @classmethod
    def read(cls, results: Path, name: str, variants: Mapping[str, Any]) -> "RunResult":
        """Read a run.

        Raises:
            InputError: A file is missing or damaged.
        """
        remedy = f"dvc repro evaluate@{name}"
        scores = read_json(results / "scores" / f"{name}.json", remedy)
        seats = tuple(read_seats(results / "sessions" / f"{name}.csv", remedy))
        return cls(name, *split_run(name, variants), scores, seats)

    @property
    def corpora(self) -> list[str]:
        """Corpora that were scored, in their order."""
        return list(self.scores["frames"])

    @cached_property
    def moments(self) -> dict[str, dict[str, np.ndarray]]:
        """Corpus -> session -> (6,) moments; participants of a session are summed, being resampled together."""
        found: dict[str, dict[str, np.ndarray]] = defaultdict(lambda: defaultdict(lambda: np.zeros(len(MOMENTS))))
        for seat in self.seats:
            found[seat["corpus"]][seat["session"]] += [seat[name] for name in MOMENTS]
        return {corpus: dict(sessions) for corpus, sessions in found.items()}


def read_seats(path: Path, remedy: str) -> list[dict[str, Any]]:
    """Rows of a ``sessions/<run>.csv``; raises as `read_json`."""
    rows = read_rows(path, ("corpus", "session", "participant", *MOMENTS), remedy)
    try:
        return [
            {**row, **{k: int(row[k]) for k in ("frames", "invalid")}, **{k: _number(row[k]) for k in NUMBERS}}
            for row in rows
        ]
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}: damaged ({error}); make it again: {remedy}") from None


def _number(text: str) -> float | None:
    return float(text) if text else None
