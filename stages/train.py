"""Stage train: data/aligned -> data/models/<variant>-<seed>, and the learning curve.

``python stages/train.py VARIANT-SEED``; a killed run resumes where it stopped, if data, parameters and code are
the same. On several GPUs or machines: ``torchrun --nproc-per-node N stages/train.py VARIANT-SEED``.
"""

import _root

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from damamba import __version__
from damamba.config import LABEL_RATE_HZ, Params, split_run
from damamba.console import InputError, item_argument, run_stage
from damamba.data.causality import delay_of
from damamba.data.shards import Aligned
from damamba.digits import DECIMALS, rounded, write_result
from damamba.files import prune
from damamba.training import Ranks, Run, fit, run_key


def main(options: argparse.Namespace, name: str, ranks: Ranks) -> str:
    with ranks.together():
        return train(options, name, ranks)


def train(options: argparse.Namespace, name: str, ranks: Ranks) -> str:
    params = Params.load()
    try:
        variant, seed = split_run(options.run, params.variants)
    except ValueError as error:
        raise InputError(str(error)) from None
    train = params.training(variant)
    torch.set_num_threads(train.threads or torch.get_num_threads())
    aligned = Aligned.read(options.aligned)
    aligned.verify()
    if unknown := aligned.cues.keys() - params.cues.keys():
        raise InputError(f"params.yaml: cues: no {sorted(unknown)[0]}, which the shards contain; run: dvc repro align")
    what = params.variant(variant), params.losses, params.window, train, seed, options.shuffle_labels
    run = Run(aligned, *what, ranks)
    delay = delay_of(aligned, run.model.widths, params.window.rate_hz) if run.model.causal else None
    resume = options.state / f"{name}-{run_key(aligned, *what)}.pt"
    model = fit(run, resume, label=f"train {name}")
    if not ranks.first:
        return ""
    model.save(
        options.models / name,
        variant=variant,
        seed=seed,
        window=params.window.model_dump(),
        label_rate_hz=LABEL_RATE_HZ,
        step=run.best[1] if run.validation else run.step,
        validation={train.select: run.best[0]} if run.validation else None,
        weights=f"last step: {run.validation.missing}" if run.validation.missing else "best validation",
        simulated=params.simulated,
        inputs={
            "cues": {cue: params.cues[cue].model_dump() for cue in run.model.widths},
            "sources": {cue: asdict(aligned.cues[cue]) for cue in run.model.widths},
            "faces": params.faces.model_dump(),
            "align": params.align.model_dump(),
        },
        **({"delay": delay} if delay else {}),
        versions={"damamba": __version__, "torch": torch.__version__},
    )
    # norms of gradients are the least exact: their fourth digit differs by machine
    write_result(options.curves / f"{name}.csv", curve_text(run.history), relative=1e-3)
    prune(options.state, set(options.state.glob("*.pt")) - set(options.state.glob(f"{name}-{'[0-9a-f]' * 64}.pt")))
    n = sum(p.numel() for p in model.parameters())
    kept = f"best validation {train.select} {run.best[0]:.3f} at step {run.best[1]}"
    if run.validation.missing:
        kept = f"last weights, not validated: {run.validation.missing}"
    causal = f" · causal, {delay['total_s']:.2f} s behind its media" if delay else ""
    return f"{name}: {n / 1e6:.2f} M parameters, {run.step} steps of {train.batch_windows} windows, {kept}{causal}"


def curve_text(history: Sequence[Mapping[str, Any]]) -> str:
    """Learning curve as CSV, a row a step."""
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    rows.writeheader()
    for row in history:
        rows.writerow({key: rounded(value, 6 if key == "learning_rate" else DECIMALS) for key, value in row.items()})
    return text.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "run", metavar="VARIANT-SEED", help="variant: a key of `variants` in params.yaml", **item_argument()
    )
    parser.add_argument("--shuffle-labels", type=int, metavar="SEED", help="control: swap labels between sessions")
    parser.add_argument("--aligned", type=Path, default=Path("data/aligned"))
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--curves", type=Path, default=Path("results/curves"))
    parser.add_argument("--state", type=Path, default=Path("state/train"), help="resume states; outside the outputs")
    options = parser.parse_args()
    name = options.run
    if options.shuffle_labels is not None:
        name = f"{name}-shuffle-{options.shuffle_labels}"
    ranks = Ranks.launched()
    run_stage(f"train-{name}", partial(main, options, name, ranks), rank=ranks.rank)
