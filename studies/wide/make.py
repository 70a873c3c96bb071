"""Streams at the widths of the MultiMediate release, without media: a corpus on which few people meet wide cues.

    python make.py 24            # or 76, 300: training tracks; writes data/24/aligned

Each person has two latent series, one that can be heard and one that can be seen, both as lively as real engagement
(autocorrelation .84 at 1 s, .36 at 5 s). The label follows the person's own series and, 0.8 s later, those of the
partners. A stream's channels are linear in the series of its modality, drowned in things that have nothing to do with
engagement: what is particular to the person and lasts, slow drifts, tension that both people share, a few lively
factors of the stream's own, and noise.
"""

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from damamba.config import LABEL_RATE_HZ
from damamba.console import item_argument, progress, run_stage
from damamba.data.align import training_statistics
from damamba.data.shard_writer import write_shard
from damamba.data.shards import Aligned, AlignedSeat, AlignedSession, Cue, write_labels, write_statistics

SEED = 0
WIDTHS = {
    "egemaps": ("audio", 88),
    "w2vbert2": ("audio", 1024),
    "clip": ("visual", 512),
    "openface": ("visual", 711),
    "openpose": ("visual", 139),
}
ROLES = {"noxi": ("expert", "novice"), "mpiigi": ("subjectPos1", "subjectPos2", "subjectPos3", "subjectPos4")}
VALIDATION = {"noxi": 12, "mpiigi": 6}
SHORTEST_S, LONGEST_S = 15.0, 60.0
DELAY_S = 0.8
"""From a partner's series to the label."""
PACES_S = (0.8, 3.0, 12.0)
"""Time constants of what moves, and their shares."""
PACE_SHARES = (0.2, 0.6, 0.2)
LIVELY, LASTING = 12, 24
"""Factors of a stream that have nothing to do with engagement: those that move, and those that tell people apart."""
NOISE = 1.5
"""Of a channel, beside a latent series of 1."""


@dataclass(frozen=True)
class Stream:
    """How a stream's channels are made of factors."""

    group: str
    scale: np.ndarray
    """(D,) of each channel, over three orders of magnitude."""
    offset: np.ndarray
    latent: np.ndarray
    """(D,) loadings of the series of its modality; most channels have none."""
    lively: np.ndarray
    """(LIVELY, D)."""
    lasting: np.ndarray
    """(LASTING, D)."""
    tension: np.ndarray
    drift: np.ndarray


def make_streams(rng: np.random.Generator) -> dict[str, Stream]:
    """The release's streams, drawn once: all people share them."""
    return {
        name: Stream(
            group,
            10 ** rng.uniform(-2, 1, width),
            rng.standard_normal(width),
            rng.standard_normal(width) * (rng.random(width) < 0.3),
            rng.standard_normal((LIVELY, width)) / np.sqrt(LIVELY) * 1.5,
            rng.standard_normal((LASTING, width)) / np.sqrt(LASTING) * 1.5,
            rng.standard_normal(width) * 0.5,
            rng.standard_normal(width) * 0.5,
        )
        for name, (group, width) in WIDTHS.items()
    }


def lively(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    """(n, count) of variance 1, each a sum of processes that forget in `PACES_S`."""
    total = np.zeros((n, count))
    for pace_s, share in zip(PACES_S, PACE_SHARES, strict=True):
        keep = np.exp(-1 / (pace_s * LABEL_RATE_HZ))
        steps = rng.standard_normal((n, count)) * np.sqrt(1 - keep**2)
        steps[0] = rng.standard_normal(count)
        total += np.sqrt(share) * lfilter([1], [1, -keep], steps, axis=0)
    return total


def write_session(
    root: Path, corpus: str, session: str, split: str, streams: dict[str, Stream], rng: np.random.Generator
) -> AlignedSession:
    """Shards and labels of everyone."""
    n = int(rng.uniform(SHORTEST_S, LONGEST_S) * LABEL_RATE_HZ)
    roles = ROLES[corpus]
    delay = round(DELAY_S * LABEL_RATE_HZ)
    series = {role: lively(rng, n + delay, 2) for role in roles}  # heard, seen
    tension = lively(rng, n, 1)[:, 0]
    own = {role: x.sum(1) / np.sqrt(2) for role, x in series.items()}
    for role in roles:
        others = np.mean([own[other][:n] for other in roles if other != role], axis=0) * np.sqrt(len(roles) - 1)
        level = 0.35 * rng.standard_normal() + 0.3 * np.linspace(-1, 1, n) * rng.standard_normal()
        label = 1 / (1 + np.exp(-(0.6 * own[role][delay:] + 0.5 * others + 0.4 * level)))
        lasting = rng.standard_normal(LASTING)
        slope = np.linspace(-1, 1, n) * rng.standard_normal()
        cues = {}
        for name, stream in streams.items():
            heard_or_seen = series[role][delay:, 0 if stream.group == "audio" else 1]
            x = (
                heard_or_seen[:, None] * stream.latent
                + lively(rng, n, LIVELY) @ stream.lively
                + lasting @ stream.lasting
                + tension[:, None] * stream.tension
                + slope[:, None] * stream.drift
                + NOISE * rng.standard_normal((n, len(stream.scale)))
            )
            valid = np.ones(n, bool)
            if name == "openpose":  # a body that is not found now and then
                start = int(rng.integers(0, n))
                valid[start : start + int(rng.integers(10, 100))] = False
            x = ((x + stream.offset) * stream.scale).astype(np.float32)
            cues[name] = (np.where(valid[:, None], x, np.nan).astype(np.float32), valid)
        base = root / corpus / session / role
        base.parent.mkdir(parents=True, exist_ok=True)
        write_shard(base, cues, "made")
        write_labels(base.with_suffix(".label.arrow"), label.astype(np.float32), np.ones(n, bool))
    seats = tuple(AlignedSeat(role, role, f"{corpus}{session}{role}", True) for role in roles)
    return AlignedSession(corpus, session, split, "en", n, seats)


def main(tracks: int) -> str:
    """Write data/TRACKS/aligned; returns the summary line. The validation sessions are the same for every size."""
    root = Path(f"data/{tracks}/aligned")
    shutil.rmtree(root, ignore_errors=True)
    streams = make_streams(np.random.default_rng(SEED))
    wanted = [("noxi", f"{i:03d}", "train") for i in range(tracks // len(ROLES["noxi"]))]
    wanted += [(corpus, f"{900 + i}", "val") for corpus, count in VALIDATION.items() for i in range(count)]
    sessions = [
        write_session(root, corpus, session, split, streams, np.random.default_rng((SEED, len(corpus), int(session))))
        for corpus, session, split in progress(wanted, "make", unit="session")
    ]
    cues = {name: Cue(group, width, "", "", "") for name, (group, width) in WIDTHS.items()}
    index = Aligned(root, LABEL_RATE_HZ, cues, tuple(sorted(sessions, key=lambda s: s.name)), {})
    write_statistics(root, training_statistics(index))
    index.write()
    return f"{tracks} training tracks, {sum(VALIDATION.values())} validation sessions"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tracks", type=int, help="training tracks: people in training sessions", **item_argument())
    options = parser.parse_args()
    run_stage(f"make-{options.tracks}", lambda: main(options.tracks))
