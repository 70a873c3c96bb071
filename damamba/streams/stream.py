"""One cue of one participant at its own rate."""

from dataclasses import dataclass, field

import numpy as np

from damamba.streams.spool import RowsOnDisk

ROWS_AT_ONCE = 3000


@dataclass(frozen=True)
class FeatureStream:
    """Rows of a cue, each at its own time.

    A row that could not be computed (no face, no sound) is not valid, and its values are NaN.
    """

    t_s: np.ndarray
    """(N,) float64: time of each row on the session's clock, s, strictly increasing."""
    x: np.ndarray | RowsOnDisk
    """(N, D) float32."""
    valid: np.ndarray
    """(N,) bool."""
    score: np.ndarray
    """(N,) float32 in [0, 1]: confidence of the extractor; 0 where not valid."""
    rate_hz: float
    """Nominal rate of the rows, Hz."""
    channels: tuple[str, ...]
    """Name of each of the D channels."""
    extractor: str
    """Name of the extractor."""
    checkpoint: str = ""
    """Hub id or folder of the weights; "" where there are none."""
    revision: str = ""
    """Version of the weights."""
    key: str = field(default="", compare=False)
    """Hash of all that the rows depend on: input, parameters, code, weights."""
    lookahead_s: float | None = None
    """How far past its own time a row may depend on the media, s; None: as far as the recording goes."""
    note: str = ""
    """What was lost or repaired on the way; "" if nothing was."""

    def __post_init__(self) -> None:
        n = len(self.t_s)
        shapes = {"x": (n, len(self.channels)), "valid": (n,), "score": (n,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{self.extractor}: {name} has shape {getattr(self, name).shape}, expected {shape}")
        if n > 1 and not (np.diff(self.t_s) > 0).all():
            raise ValueError(f"{self.extractor}: times do not increase at row {int(np.argmin(np.diff(self.t_s) > 0))}")
        for first in range(0, n, ROWS_AT_ONCE):
            block, valid = self.x[first : first + ROWS_AT_ONCE], self.valid[first : first + ROWS_AT_ONCE]
            wrong = valid & ~np.isfinite(block).all(1)
            if wrong.any():
                raise ValueError(f"{self.extractor}: row {first + int(wrong.argmax())} is valid and not finite")

    @property
    def width(self) -> int:
        """D."""
        return len(self.channels)
