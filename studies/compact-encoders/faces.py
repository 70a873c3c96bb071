"""Training data for faces: rendered actors in random poses, after the same codec, tracker and crop as a recording."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.config import FacesParams
from damamba.corpus.manifest import Participant
from damamba.features.crop import upright_square, warp
from damamba.features.extractor import ExtractorInput
from damamba.features.faces import FaceTracker
from damamba.media.decode import read_frames
from damamba.streams.face_track import FaceTrack
from damamba_sim.corpora.persons import ENCODER_SEEDS
from damamba_sim.faces.actor import Actor
from damamba_sim.faces.render import render_participant

FIRST_SEED = ENCODER_SEEDS.start
"""First of the seeds whose persons are in no corpus."""
TARGETS = ("mouth", "mouth_round", "eye", "gaze_x", "gaze_y", "smile", "brow", "yaw", "pitch", "hand")
"""Channels of the simulator that a crop shows; the crop removes roll."""
SIDE_PX = 96
CROP = 1.15
FPS = 25


@dataclass(frozen=True)
class Shoot:
    """Pictures to make of one actor."""

    seed: int
    frames: int
    landmarker: str
    out: Path


def random_channels(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Poses that are independent from frame to frame, with independent channels."""

    def sometimes(share: float, values: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
        return np.where(rng.random(n) < share, values, otherwise)

    return {
        "mouth": sometimes(0.6, rng.random(n), 0.0),
        "mouth_round": sometimes(0.5, rng.random(n), 0.0),
        "eye": np.clip(sometimes(0.35, rng.random(n), rng.normal(1, 0.08, n)), 0, 1.2),
        "gaze_x": rng.uniform(-1.1, 1.1, n),
        "gaze_y": rng.uniform(-1.1, 1.1, n),
        "smile": sometimes(0.75, rng.random(n) ** 1.3, 0.0),
        "brow": rng.uniform(-1, 1, n),
        "yaw": np.clip(rng.normal(0, 15, n), -38, 38),
        "pitch": np.clip(rng.normal(0, 9, n), -22, 22),
        "roll": np.clip(rng.normal(0, 8, n), -20, 20),
        "lean": rng.uniform(-2.5, 2.5, n),
        "shift_x": rng.normal(0, 3, n),
        "hand": sometimes(0.12, rng.uniform(0.4, 1.1, n), 0.0),
    }


def shoot(task: Shoot) -> int:
    """Write crops and targets of one actor as ``<out>/<seed>.npz`` unless they exist; returns the number of crops."""
    path = task.out / f"{task.seed}.npz"
    if path.exists():
        with np.load(path) as arrays:
            return len(arrays["targets"])
    channels = random_channels(np.random.default_rng(task.seed), task.frames)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "actor.mp4"
        render_participant(video, Actor(task.seed, Path(task.landmarker)), channels, FPS)
        faces = _track(video, task.landmarker)
        crops = [
            warp(frame.image, upright_square(faces.landmarks_px[k], faces.size_px[k], CROP, SIDE_PX), SIDE_PX)
            for k, frame in enumerate(read_frames(video))
            if faces.valid[k]
        ]
    targets = np.stack([channels[name][faces.valid] for name in TARGETS], axis=1)
    np.savez(path, crops=np.stack(crops), targets=targets.astype(np.float32))
    return len(crops)


def _track(video: Path, landmarker: str) -> FaceTrack:
    tracker = FaceTracker(FacesParams(model=landmarker, min_confidence=0.5, min_found=0.02))
    tracker.load()
    unnamed = Participant("", "", "", "", "train", "en", "", str(video), str(video), "", rate_hz=FPS)
    return FaceTrack.of(tracker.extract(ExtractorInput(unnamed)))


def load(out: Path, seeds: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crops (n, side, side, 3) uint8, targets (n, len(TARGETS)), seed of each (n,)."""
    parts = [(np.load(out / f"{seed}.npz"), seed) for seed in seeds]
    crops = np.concatenate([part["crops"] for part, _ in parts])
    targets = np.concatenate([part["targets"] for part, _ in parts])
    return crops, targets, np.concatenate([np.full(len(part["targets"]), seed) for part, seed in parts])
