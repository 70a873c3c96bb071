"""What models that were trained on swapped labels reach: mean CCC, its interval over sessions, and their spread."""

import json
from pathlib import Path
from statistics import fmean

import numpy as np

from damamba.config import Params
from damamba.console import run_stage
from damamba.metrics.ccc import CCC
from damamba.scoring.participants import read_participants
from damamba.scoring.pooling import global_score, moments_by_session, percentile_interval, resampled_scores, stacked

RESULTS = Path(__file__).parent / "results"


def main() -> str:
    """Write ``results/control.json``; the summary line."""
    evaluate = Params.load().evaluate
    metric = CCC(CCC.Params())
    runs: dict[str, list[np.ndarray]] = {}
    spreads: dict[str, float] = {}
    for path in sorted((RESULTS / "sessions").glob("*.csv")):
        participants = read_participants(path, {"ccc": metric}, path.stem)
        sessions = moments_by_session((p.corpus, p.session, p.moments["ccc"]) for p in participants)
        runs[path.stem] = [stacked(moments) for moments in sessions.values()]
        spreads[path.stem] = fmean(p.std_prediction for p in participants if p.std_prediction is not None)
    scores = {name: global_score(metric, corpora) for name, corpora in runs.items()}
    # both are samples: the sessions that are scored, the same for every run, and the permutations trained on
    by_run = np.stack([resampled_scores(metric, corpora, evaluate.bootstrap) for corpora in runs.values()])
    drawn = np.random.default_rng(0).integers(len(runs), size=by_run.shape)
    resampled = np.take_along_axis(by_run, drawn, axis=0).mean(0)
    low, high = percentile_interval(resampled, evaluate.confidence, next(iter(runs.values())))
    summary = {
        "simulated": True,
        "global": {name: round(score, 4) for name, score in scores.items()},
        "mean": round(float(np.mean(list(scores.values()))), 4),
        "interval": [round(low, 4), round(high, 4)],
        "covers_zero": low <= 0 <= high,
        "std_prediction": {name: round(spread, 4) for name, spread in spreads.items()},
    }
    (RESULTS / "control.json").write_text(json.dumps(summary, indent=1) + "\n")
    return f"mean CCC {summary['mean']:.3f}, interval {low:.3f} to {high:.3f} over {len(runs)} runs"


if __name__ == "__main__":
    run_stage("shuffled-labels", main, timed=False)
