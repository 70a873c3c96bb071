"""Engagement labels of one participant, and how the challenge writes them: one number a line, 25 Hz, no header.

Empty lines, ``nan``, ``-nan(ind)``, ``NA`` and the like stand for frames without annotation: they become False in the
mask, never 0.

Source: MultiMediate releases 2023-2026.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from damamba.files import replace_file

# possessive quantifiers: the time for a long line of blanks grows only with its length
INVALID = re.compile(
    r"^\s*+([+-]?(nan(\(\w*+\))?|1\.#(IND|QNAN|SNAN)\d*+)?|#?n/?a|#n/?a!?|none|null|-)\s*+$", re.IGNORECASE
)
"""Texts that stand for a missing value."""
NOT_ANNOTATED = "leave the label column empty for a participant without annotation"


@dataclass(frozen=True)
class Labels:
    """Engagement of one participant; label i covers [i / 25, (i + 1) / 25) s."""

    value: np.ndarray
    """(L,) float32 in [0, 1], or the number of a class; NaN where not valid."""
    valid: np.ndarray
    """(L,) bool."""
    coders: np.ndarray | None = field(default=None, compare=False)
    """(K, K) label frames on which of two annotators the first chose class i and the second class j; of more, summed
    over all pairs. None without a second annotator, or for continuous labels."""

    def __len__(self) -> int:
        return len(self.value)

    def resized(self, length: int) -> "Labels":
        """Cut to `length`, or extended by labels that are not valid."""
        value = np.full(length, np.nan, np.float32)
        n = min(length, len(self))
        value[:n] = self.value[:n]
        return replace(self, value=value, valid=np.isfinite(value))


def write_values(path: Path, values: np.ndarray) -> None:
    """Write labels or predictions in the release's format: six decimals, ``nan`` where not finite."""
    replace_file(path, "".join(f"{v:.6f}\n" if np.isfinite(v) else "nan\n" for v in values).encode("ascii"))
