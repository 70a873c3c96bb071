"""Baseline: ridge regression on running means of the cues, of the target alone or also of the partners.

    python ridge.py ridge-0            # or ridge_partners-0; writes the same files as `evaluate`

It uses levels and restlessness over 4, 16 and 64 s linearly: no events, and nothing about the timing between people.
"""

import argparse
from pathlib import Path

import numpy as np

from damamba.config import LABEL_RATE_HZ, Params
from damamba.console import run_stage
from damamba.data.pooling import pool
from damamba.data.shards import Aligned, AlignedSession
from damamba.metrics import find_metrics
from damamba.scoring.evaluate import score_sessions, write_scores
from damamba_sim.oracle.readers import Examples, linear

WINDOWS_S = (4, 16, 64)


def seconds(aligned: Aligned, session: AlignedSession, participant: str) -> np.ndarray:
    """(seconds, 2 x channels): mean of every channel in each second, and of its changes from row to row."""
    shard = aligned.shard(session, participant)
    n = session.n_labels // LABEL_RATE_HZ
    columns = []
    for cue in aligned.cues:
        x, valid = shard.read(cue, 0, n * aligned.rate_hz)
        moving = np.abs(np.diff(x.astype(np.float32), axis=0, prepend=x[:1]))
        columns += [pool(part, valid, aligned.rate_hz)[0] for part in (x, moving)]
    return np.concatenate(columns, axis=1)


def running_means(x: np.ndarray) -> np.ndarray:
    """(seconds, windows x channels): means over windows, which are cut off at the ends."""
    n = len(x)
    total = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)])
    means = []
    for window_s in WINDOWS_S:
        first = np.clip(np.arange(n) - window_s // 2, 0, n)
        stop = np.clip(np.arange(n) + window_s // 2 + 1, 0, n)
        means.append((total[stop] - total[first]) / (stop - first)[:, None])
    return np.concatenate(means, axis=1)


def describe(aligned: Aligned, session: AlignedSession, partners: bool) -> np.ndarray:
    """(P, seconds, features): those of each participant and, with `partners`, the mean of the others'."""
    each = np.stack([running_means(seconds(aligned, session, seat.participant)) for seat in session.seats])
    if not partners:
        return each
    return np.concatenate([each, (each.sum(0) - each) / (len(each) - 1)], axis=2)


def labels(aligned: Aligned, session: AlignedSession) -> np.ndarray:
    """(P, seconds): the label in the middle of each second, NaN where there is none."""
    middle = np.arange(session.n_labels // LABEL_RATE_HZ) * LABEL_RATE_HZ + LABEL_RATE_HZ // 2
    rows = []
    for seat in session.seats:
        value, valid = aligned.labels(session, seat.participant)
        rows.append(np.where(valid, value, np.nan)[middle])
    return np.stack(rows)


def main(name: str) -> str:
    """Fit, predict, score; returns the summary line."""
    params, aligned = Params.load(), Aligned.read(Path("data/aligned"))
    partners = name.startswith("ridge_partners")
    split = params.evaluate.split
    train = Examples.join([(describe(aligned, s, partners), labels(aligned, s)) for s in aligned.split("train")])
    test = {s.name: describe(aligned, s, partners) for s in aligned.split(split)}
    rows = np.concatenate([x.reshape(-1, x.shape[-1]) for x in test.values()])
    sizes = [x[..., 0].size for x in test.values()]
    parts = np.split(linear(train, Examples(rows, np.zeros(len(rows)), np.zeros(len(rows)))), np.cumsum(sizes)[:-1])
    by_second = {session: part.reshape(x.shape[:2]) for (session, x), part in zip(test.items(), parts, strict=True)}

    def predict(session: AlignedSession, number: int) -> np.ndarray:
        second = (np.arange(session.n_labels) - LABEL_RATE_HZ // 2) / LABEL_RATE_HZ
        series = by_second[session.name][number]
        return np.interp(second, np.arange(len(series)), series).astype(np.float32)

    metrics = find_metrics(params.evaluate)
    scored = score_sessions(predict, aligned, split, metrics, Path("data/predictions") / name)
    return write_scores(scored, params.evaluate, metrics, name, Path("results"), params.simulated, aligned.protocol)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="ridge-SEED or ridge_partners-SEED")
    options = parser.parse_args()
    run_stage(options.name, lambda: main(options.name))
