"""A small results tree, as the stages before `report` leave it: real shards, predictions, scores, curves, timings."""

import csv
import json
import re

import numpy as np
import pytest

from damamba.config import LABEL_RATE_HZ, EvaluateParams
from damamba.corpus.manifest import Manifest, Participant
from damamba.data.shard_writer import write_shard
from damamba.data.shards import Aligned, AlignedSeat, AlignedSession, Cue, write_labels
from damamba.metrics import find_metrics
from damamba.report.benchmark import memory_figure, memory_table, speed_table
from damamba.scoring.evaluate import score_participant, write_scores
from damamba.scoring.predictions import prediction_path, write_prediction
from tests.conftest import FROZEN_PARAMS

CORPORA = {"noxi": (4, ("expert", "novice")), "noxi_add": (2, ("expert", "novice")), "mpiigi": (2, ("p1", "p2", "p3"))}
CUES = {
    "wav2vec2": Cue("audio", 2, "", "", ""),
    "emotion": Cue("audio", 2, "", "", ""),
    "clip": Cue("visual", 2, "", "", ""),
    "flow": Cue("visual", 2, "", "", ""),
    "landmark_flow": Cue("visual", 2, "", "", ""),
}
NOISE = {
    "da_mamba": 0.06,
    "no_fusion": 0.14,
    "no_modality_fusion": 0.09,
    "no_partner_fusion": 0.10,
    "transformer": 0.08,
    "dat": 0.11,
}
RUNS = (
    "da_mamba-0",
    "da_mamba-1",
    "no_fusion-0",
    "no_fusion-1",
    "no_modality_fusion-0",
    "no_partner_fusion-0",
    "transformer-0",
    "dat-0",
)
PARAMS_TEXT = re.sub(r"(?ms)^runs: .*?\]$", f"runs: [{', '.join(RUNS)}]", FROZEN_PARAMS.read_text())
"""The default parameters with these runs."""
EVALUATE = EvaluateParams(split="test", metrics=("ccc", "ccc_within"), bootstrap=200, confidence=0.95)
METRICS = find_metrics(EVALUATE)
N_LABELS = 500


def slow(rng, n, smooth=60):
    """A slow series in (0, 1), as engagement is."""
    steps = np.convolve(rng.standard_normal(n + 3 * smooth), np.hanning(smooth) / smooth**0.5, "same")
    return (1 / (1 + np.exp(-0.35 * steps[smooth : smooth + n] - 0.3))).astype(np.float32)


def make_aligned(root, n_labels=N_LABELS, seed=0):
    """Eight test sessions of three corpora and one of training, with masks and labels that are not all valid."""
    rng = np.random.default_rng(seed)
    sessions = []
    for corpus, (count, roles) in CORPORA.items():
        for number in range(count + (corpus == "noxi")):
            split = "train" if number == count else "test"
            seats = tuple(AlignedSeat(role, role, f"{corpus}{number}{role}", True) for role in roles)
            session = AlignedSession(corpus, f"{number + 1:03d}", split, "de", n_labels, seats)
            sessions.append(session)
            for seat in seats:
                _write_seat(root / corpus / session.session / seat.participant, rng, n_labels)
    aligned = Aligned(root, 100, CUES, tuple(sessions), {})
    aligned.write()
    return aligned


def _write_seat(base, rng, n_labels):
    base.parent.mkdir(parents=True, exist_ok=True)
    n = n_labels * 100 // LABEL_RATE_HZ
    seen = np.ones(n, bool)
    for start in rng.integers(0, n, 2):
        seen[start : start + rng.integers(20, 150)] = False
    columns = {}
    for cue, source in CUES.items():
        valid = seen if source.group == "visual" else np.arange(n) < n - 30
        x = rng.standard_normal((n, source.width)).astype(np.float32)
        columns[cue] = (np.where(valid[:, None], x, np.nan).astype(np.float32), valid)
    write_shard(base, columns, "key")
    label, valid = slow(rng, n_labels), np.ones(n_labels, bool)
    gap = rng.integers(0, n_labels)
    valid[gap : gap + 25] = False
    write_labels(base.with_suffix(".label.arrow"), np.where(valid, label, np.nan).astype(np.float32), valid)


def make_results(folder, runs=RUNS, n_labels=N_LABELS):
    """Everything that `ablate` and `report` read, below `folder`."""
    aligned = make_aligned(folder / "data/aligned", n_labels)
    make_manifest(folder, aligned)
    results = folder / "results"
    for name in ("curves", "timing"):
        (results / name).mkdir(parents=True)
    for number, run in enumerate(runs):
        rng = np.random.default_rng(number)
        scored = []
        for session in aligned.split("test"):
            for i, seat in enumerate(session.seats):
                label, valid = aligned.labels(session, seat.participant)
                noise = NOISE[run.rpartition("-")[0]] * (slow(rng, session.n_labels, 30) - 0.5) * 8
                pred = np.clip(0.15 + 0.7 * np.nan_to_num(label, nan=0.5) + noise, 0, 1).astype(np.float32)
                path = prediction_path(
                    folder / "data/predictions" / run, session.corpus, session.session, seat.participant
                )
                write_prediction(path, pred, label, valid)
                scored.append(score_participant(session, i, pred, label, valid, METRICS))
        write_scores(scored, EVALUATE, METRICS, run, results, simulated=True)
        make_curve(results / "curves" / f"{run}.csv", rng, NOISE[run.rpartition("-")[0]])
    for name in ("simulate", "ingest", "track_faces", "extract-clip", "align", *(f"train-{run}" for run in runs)):
        record = {"seconds": 10.0 + len(name), "peak_mib": 300, "worker_peak_mib": 500}
        (results / "timing" / f"{name}.json").write_text(json.dumps(record))
    write_benchmark(results)
    return aligned


def write_benchmark(results):
    """What stage `benchmark` leaves."""
    steps = [(model, frames) for model in ("da_mamba", "transformer") for frames in (64, 96, 128, 192)]
    memory = {
        "device": "cpu",
        "memory_limit_gib": 8,
        "parameters": {"da_mamba": 1_200_000, "transformer": 1_300_000},
        "forms": {
            model: {"variant": model, "checkpointing": False, "explicit_attention": False}
            for model in ("da_mamba", "transformer")
        },
        "memory": [
            {
                "model": model,
                "frames": frames,
                "batch": 16,
                "train_peak_mib": frames * (2 + (model == "transformer") * frames / 64),
                "infer_peak_mib": frames * (0.6 + (model == "transformer") * frames / 256),
            }
            for model, frames in steps
        ],
        "exponent": {"da_mamba": 1.01, "transformer": 1.9},
    }
    times = {
        "device": "cpu",
        "threads": 1,
        "steps": [
            {"model": model, "frames": frames, "batch": 16, "train_ms": frames * 1.5, "infer_ms": frames * 0.5}
            for model, frames in steps
        ],
        "stream_step_ms": {"da_mamba, a dyad": 5.5},
        "window_read_ms": 0.41,
        "peers": {
            "setting": {"batch": 32, "frames": 96, "d_inner": 512},
            "ms": {"scan, training": {"ours": 30.0, "theirs": 150.0}},
            "speedup": {"scan, training": {"theirs": 5.0}},
            "us_per_frame": [{"frames": 96, "ours": 40.0, "nn.TransformerEncoderLayer": 30.0}],
            "crossover_frames": 900,
        },
    }
    (results / "memory.md").write_text(memory_table(memory))
    memory_figure(memory, results / "memory.svg")
    (results / "speed.md").write_text(speed_table(times))


def make_manifest(folder, aligned):
    """`data/corpus`, whose participants have no media."""
    people = [
        Participant(
            s.corpus,
            s.session,
            seat.participant,
            seat.role,
            s.split,
            s.language,
            seat.person,
            "",
            "",
            "",
            duration_s=20.0,
        )
        for s in aligned.sessions
        for seat in s.seats
    ]
    Manifest(tuple(sorted(people, key=lambda p: p.key))).write(folder / "data/corpus/manifest.jsonl")


def make_curve(path, rng, noise, steps=200, every=25):
    """A learning curve as `train` writes it."""
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["step", "loss", "ccc", "align", "learning_rate", "grad_norm", "val_ccc"])
        for step in range(1, steps + 1):
            ccc = (0.9 - 2 * noise) * (1 - np.exp(-step / 50)) + 0.04 * rng.standard_normal()
            val = ccc - 0.1 if step % every == 0 else ""
            rows.writerow([step, 2.5 - 1.5 * ccc, ccc, 3.0, 1e-3, 1.0, val])


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder with the results of every stage before `ablate`; for reading only."""
    folder = tmp_path_factory.mktemp("finished")
    make_results(folder)
    return folder
