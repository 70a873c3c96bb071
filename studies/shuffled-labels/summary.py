"""What models that were trained on swapped labels reach: mean CCC, its interval over sessions, and their spread."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from damamba.config import Params
from damamba.console import run_stage
from damamba.metrics import MOMENTS, global_ccc, percentile_interval, resampled_ccc

RESULTS = Path(__file__).parent / "results"


def read(path: Path) -> tuple[list[np.ndarray], float]:
    """Moments of every session by corpus, and the mean standard deviation of predictions within a participant."""
    sessions: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    spread = []
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            moments = np.array([float(row[name]) for name in MOMENTS])
            sessions[row["corpus"]][row["session"]] = sessions[row["corpus"]].get(row["session"], 0) + moments
            spread.append(float(row["std_prediction"]))
    return [np.stack(list(held.values())) for held in sessions.values()], float(np.mean(spread))


def main() -> str:
    """Write ``results/control.json``; the summary line."""
    evaluate = Params.load().evaluate
    runs = {path.stem: read(path) for path in sorted((RESULTS / "sessions").glob("*.csv"))}
    scores = {name: global_ccc(corpora) for name, (corpora, _) in runs.items()}
    # both are samples: the sessions that score, the same for every run, and the permutations that were trained on
    by_run = np.stack([resampled_ccc(corpora, evaluate.bootstrap, 0) for corpora, _ in runs.values()])
    drawn = np.random.default_rng(0).integers(len(runs), size=by_run.shape)
    resampled = np.take_along_axis(by_run, drawn, axis=0).mean(0)
    low, high = percentile_interval(resampled, evaluate.confidence, next(iter(runs.values()))[0])
    summary = {
        "simulated": True,
        "global": {name: round(score, 4) for name, score in scores.items()},
        "mean": round(float(np.mean(list(scores.values()))), 4),
        "interval": [round(low, 4), round(high, 4)],
        "covers_zero": low <= 0 <= high,
        "std_prediction": {name: round(spread, 4) for name, (_, spread) in runs.items()},
    }
    (RESULTS / "control.json").write_text(json.dumps(summary, indent=1) + "\n")
    return f"mean CCC {summary['mean']:.3f}, interval {low:.3f} to {high:.3f} over {len(runs)} runs"


if __name__ == "__main__":
    run_stage("shuffled-labels", main, timed=False)
