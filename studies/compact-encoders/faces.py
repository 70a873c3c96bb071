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
from damamba.streams.face_track import SHAPES, FaceTrack
from damamba_sim.corpora.persons import ENCODER_SEEDS
from damamba_sim.faces.actor import Actor
from damamba_sim.faces.render import poses, render_participant, write_video

FIRST_SEED = ENCODER_SEEDS.start
"""First of the seeds whose persons are in no corpus."""
TARGETS = ("mouth", "mouth_round", "eye", "gaze_x", "gaze_y", "smile", "brow", "yaw", "pitch", "hand")
"""Channels of the simulator that a crop shows; the crop removes roll."""
TEACHER = (*SHAPES[1:], "mouth_apart", "eye_apart_left", "eye_apart_right", "head_yaw", "head_pitch")
"""What the landmarker reads in a rendered picture: its blendshapes but the neutral one, and measures of its mesh."""
SIDE_PX, MARGIN_PX = 96, 16
"""Of the picture that the encoder takes, and what is kept around it, on each side, to shift and turn it."""
CROP = 1.15
FPS = 25
SMEARED = 28
"""First actors, who move from one pose to the next while a picture is taken; the others hold still."""


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
        actor = Actor(task.seed, Path(task.landmarker))
        if task.seed - FIRST_SEED < SMEARED:
            render_participant(video, actor, channels, FPS)
        else:
            pts_s = np.arange(task.frames) / FPS
            write_video(video, map(actor.render, poses(channels, pts_s), range(task.frames)), pts_s, FPS)
        faces = _track(video, task.landmarker)
        side_px = SIDE_PX + 2 * MARGIN_PX
        crop = CROP * side_px / SIDE_PX
        crops = [
            warp(frame.image, upright_square(faces.landmarks_px[k], faces.size_px[k], crop, side_px), side_px)
            for k, frame in enumerate(read_frames(video))
            if faces.valid[k]
        ]
    targets = np.stack([*(channels[name] for name in TARGETS), *teacher(faces).T], axis=1)[faces.valid]
    np.savez(path, crops=np.stack(crops), targets=targets.astype(np.float32))
    return len(crops)


def teacher(track: FaceTrack) -> np.ndarray:
    """(N, len(TEACHER)) of a track; NaN where there is no face."""
    at = track.landmarks_px

    def apart(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(at[:, a] - at[:, b], axis=1)

    turn = track.head[:, :3, :3] / np.linalg.norm(track.head[:, :3, :3], axis=1, keepdims=True)
    measures = (
        apart(13, 14) / track.size_px,
        apart(386, 374) / apart(263, 362),
        apart(159, 145) / apart(33, 133),
        np.arctan2(turn[:, 0, 2], turn[:, 2, 2]),
        np.arcsin(np.clip(turn[:, 1, 2], -1, 1)),
    )
    return np.column_stack([track.shapes[:, 1:], *measures])


def _track(video: Path, landmarker: str) -> FaceTrack:
    tracker = FaceTracker(FacesParams(model=landmarker, min_confidence=0.5, min_found=0.02))
    tracker.load()
    unnamed = Participant("", "", "", "", "train", "en", "", str(video), str(video), "", rate_hz=FPS)
    return FaceTrack.of(tracker.extract(ExtractorInput(unnamed)))


def load(out: Path, seeds: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crops (n, 128, 128, 3) uint8, their margin included; `TARGETS` and `TEACHER` in (n, K); seed of each (n,)."""
    parts = [(np.load(out / f"{seed}.npz"), seed) for seed in seeds]
    crops = np.concatenate([part["crops"] for part, _ in parts])
    targets = np.concatenate([part["targets"] for part, _ in parts])
    return crops, targets, np.concatenate([np.full(len(part["targets"]), seed) for part, seed in parts])
