"""What an encoder shows, measured by a linear probe on people who were not trained on; and its card."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

RIDGE = 1e-3
CARD = "<!-- figures -->"


def held_out_correlation(
    train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """Pearson correlation of ridge predictions with each column of `test_y`; rows that are NaN there are left out.

    Args:
        train_x: (n, D) embeddings.
        train_y: (n, K) truth.
        test_x: (m, D) embeddings of other people.
        test_y: (m, K).
        names: Of the K columns.
    """
    mean, spread = train_x.mean(0), train_x.std(0) + 1e-6
    design, held_out = (np.column_stack([(x - mean) / spread, np.ones(len(x))]) for x in (train_x, test_x))
    found = {}
    for k, name in enumerate(names):
        known, asked = np.isfinite(train_y[:, k]), np.isfinite(test_y[:, k])
        a = design[known]
        weights = np.linalg.solve(
            a.T @ a + RIDGE * len(a) * np.eye(a.shape[1]), a.T @ train_y[known, k].astype(np.float64)
        )
        found[name] = round(float(np.corrcoef(held_out[asked] @ weights, test_y[asked, k])[0, 1]), 3)
    return found


def write_figures(folder: Path, what: str, found: Mapping[str, float]) -> None:
    """Replace what stands behind `CARD` in the folder's card with a table of `found`."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf8").split(CARD)[0]
    rows = "".join(f"| {name} | {value:.2f} |\n" for name, value in found.items())
    card.write_text(f"{text}{CARD}\n\n{what}\n\n| target | correlation |\n|---|---|\n{rows}", encoding="utf8")
