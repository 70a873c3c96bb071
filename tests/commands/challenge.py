"""Labels and predictions in the challenge's layout, for tests of `damamba score`."""

import json
from argparse import Namespace

import numpy as np

from damamba.commands.score import run

NAMES_2026 = ("noxi-base/{0}/{1}.engagement.prediction.csv", "mpiigroupinteraction/{0}/{1}.engagement.prediction.csv")


NAMES_2024 = ("{0}/{1}.engagement.annotation.csv", "{0}/{1}.engagement.annotation.csv")


DYADS = (("noxi/test-base", "002", "expert"), ("noxi/test-base", "002", "novice"), ("noxi/test-base", "006", "expert"))


GROUP = (("mpiigroupinteraction/test", "001", "subjectPos1"), ("mpiigroupinteraction/test", "001", "subjectPos2"))


def by_definition(pairs):
    """Lin's CCC from population moments over all frames that have both values; NaN for 0 / 0."""
    both = [(p, t) for pred, target in pairs for p, t in zip(pred, target, strict=True)]
    both = np.array([(p, t) for p, t in both if np.isfinite(p) and np.isfinite(t)])
    if not len(both) or (both == both[0, 0]).all():
        return float("nan")
    p, t = both.T
    return 2 * np.mean((p - p.mean()) * (t - t.mean())) / (np.var(p) + np.var(t) + (p.mean() - t.mean()) ** 2)


def lines(values, invalid="nan"):
    return "".join(f"{v:.6f}\n" if np.isfinite(v) else f"{invalid}\n" for v in values)


def write(path, values, invalid="nan"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines(values, invalid))


def score(folder, predictions, **changed):
    options = {"truth": folder / "labels", "predictions": folder / predictions, "split": "test", "official": False}
    options |= {"partial": False, "label": "", "resamples": 200, "confidence": 0.95, "by": []}
    options |= {"json": folder / "out.json"}
    run(Namespace(**(options | changed)))
    return json.loads((folder / "out.json").read_text())


EXPERT = NAMES_2026[0].format("006", "expert")
