"""What a reader finds in a feature file, before it has a clock."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class FeatureFile:
    """Rows of a file, in its order."""

    path: Path
    format: str
    """Such as ``OpenFace 2``."""
    name: str
    """Name of the stream where the file's own name has none; "" where the format does not have any."""
    group: str
    """Modality group of the cue."""
    channels: tuple[str, ...]
    x: np.ndarray = field(repr=False)
    """(N, D) float32; any value where not valid."""
    valid: np.ndarray = field(repr=False)
    """(N,) bool: detected, and confident enough."""
    score: np.ndarray | None = field(default=None, repr=False)
    """(N,) float32 confidence in [0, 1]; None where the format has none."""
    t_s: np.ndarray | None = field(default=None, repr=False)
    """(N,) float64 s; None where the file has no times."""
    frame: np.ndarray | None = field(default=None, repr=False)
    """(N,) number of the video frame, from 0; None where rows are not numbered."""
    face: np.ndarray | None = field(default=None, repr=False)
    """(N,) texts: who in the picture a row shows; None for one person."""
    rate_hz: float | None = None
    """Rate that the file states, Hz."""
    first_line: int = 0
    """Line of the first row in a text file; 0 for binary files."""
    notes: tuple[str, ...] = ()

    def where(self, row: int) -> str:
        """Place of a row in messages."""
        return f"{self.path}, line {self.first_line + row}" if self.first_line else f"{self.path}, row {row}"


@dataclass(frozen=True)
class ReadOptions:
    """Choices that a file itself does not answer."""

    min_confidence: float = 0.5
    """Rows with less are not valid."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    time: str | None = None
    """Name of the column with times; None: by the usual names."""
    unit_s: float | None = None
    """Unit of the times, s; None: by the name of the column, else 1."""


def complete(x: np.ndarray) -> np.ndarray:
    """(N,) bool: which rows have a value of every channel."""
    return np.logical_and.reduce(np.isfinite(x), axis=1)
