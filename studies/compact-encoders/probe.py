"""A linear probe of an encoder on people on whom it was not trained, and the table in the encoder's card."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

RIDGE = 1e-3
CARD = "<!-- figures -->"


def held_out_correlation(
    train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """Pearson correlation of ridge predictions with each column of `test_y`; rows with NaN are left out.

    Args:
        train_x: (n, D) embeddings.
        train_y: (n, K) targets.
        test_x: (m, D) embeddings of other people.
        test_y: (m, K).
        names: Names of the K columns.
    """
    mean, spread = train_x.mean(0), train_x.std(0) + 1e-6
    design, held_out = (np.column_stack([(x - mean) / spread, np.ones(len(x))]) for x in (train_x, test_x))
    correlations = {}
    for k, name in enumerate(names):
        train_rows, test_rows = np.isfinite(train_y[:, k]), np.isfinite(test_y[:, k])
        a = design[train_rows]
        weights = np.linalg.solve(
            a.T @ a + RIDGE * len(a) * np.eye(a.shape[1]), a.T @ train_y[train_rows, k].astype(np.float64)
        )
        correlations[name] = round(float(np.corrcoef(held_out[test_rows] @ weights, test_y[test_rows, k])[0, 1]), 3)
    return correlations


def write_figures(folder: Path, what: str, correlations: Mapping[str, float]) -> None:
    """Replace the text after `CARD` in the folder's card with a table of the correlations; `what` introduces it."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf8").split(CARD)[0]
    rows = "".join(f"| {name} | {value:.2f} |\n" for name, value in correlations.items())
    card.write_text(f"{text}{CARD}\n\n{what}\n\n| target | correlation |\n|---|---|\n{rows}", encoding="utf8")
