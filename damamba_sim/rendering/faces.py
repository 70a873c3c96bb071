"""Linear readers of the face: true channels from landmarks.

There is one reader for the eyes, one for the mouth and one for the head. Each uses only the landmarks of that part and
is tested on other people than those on whom it is fitted. So what it predicts of a channel is visible in the picture,
and does not come from correlations between channels in behaviour.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from damamba.streams.face_track import FaceTrack
from damamba_sim.faces import landmarks as face

EYES = (face.UPPER_LIDS, face.LOWER_LIDS, face.EYE_CORNERS, face.BROWS, np.arange(468, 478))
MOUTH = (face.UPPER_LIP, face.LOWER_LIP, face.MOUTH_CORNERS, face.SMILE_LINES, face.NOSE_WINGS, face.LOWER_LIDS)
HEAD = (face.FACE_OVAL, face.EYE_CORNERS, face.NOSE_WINGS, np.array([1, 2, 4, 5, 6, 9, 168, 195, 197]))
REGIONS = {
    "eyes": (EYES, ("eye", "gaze_x", "gaze_y", "brow")),
    "mouth": (MOUTH, ("mouth", "smile")),
    "head": (HEAD, ("yaw", "pitch", "roll")),
}
"""Part of the face: its landmarks, and the channels that are read from them."""
FACE_SPREAD = {
    **{"eye": 0.05, "gaze_x": 0.1, "gaze_y": 0.1, "brow": 0.05, "mouth": 0.05, "smile": 0.05},
    **{"yaw": 1.5, "pitch": 1.0, "roll": 0.75},
}
"""Least standard deviation of a person's channel, in its unit, for a meaningful correlation."""
FOLDS = 10
RIDGE = 3e-4
"""Relative to the mean variance of a landmark."""


@dataclass(frozen=True)
class SecondMoments:
    """Second moments of centred landmark features and channels over the frames of one person."""

    features: NDArray[np.float64]
    """(F, F)."""
    both: NDArray[np.float64]
    """(F, C) features with channels."""
    channels: NDArray[np.float64]
    """(C,) variances."""

    @classmethod
    def of(cls, features: NDArray, channels: NDArray) -> "SecondMoments":
        """From (N, F) features and (N, C) channels."""
        x, y = features - features.mean(0), channels - channels.mean(0)
        n = len(x)
        return cls(x.T @ x / n, x.T @ y / n, (y * y).mean(0))


def face_moments(track: FaceTrack, frames: NDArray[np.bool_], truth: Mapping[str, NDArray]) -> dict[str, SecondMoments]:
    """Moments of one person by region; empty with fewer than two frames.

    Args:
        track: The person's face track.
        frames: (N,) which of its frames to use.
        truth: True channels and ``t_s``, each (T,).
    """
    if np.count_nonzero(frames) < 2:
        return {}
    return {
        region: SecondMoments.of(
            _features(track, frames, landmarks),
            np.stack([np.interp(track.t_s[frames], truth["t_s"], truth[name]) for name in channels], axis=1),
        )
        for region, (landmarks, channels) in REGIONS.items()
    }


def face_correlations(people: Sequence[Mapping[str, SecondMoments]]) -> list[dict[str, float]]:
    """Correlation by channel for each person, from readers fitted on the people of the other folds.

    Channels that hardly vary are left out, and so are all channels if there is no other fold.
    """
    correlations: list[dict[str, float]] = [{} for _ in people]
    for region, (_, channels) in REGIONS.items():
        for fold in range(FOLDS):
            others = [moments[region] for k, moments in enumerate(people) if k % FOLDS != fold and moments]
            if not others:
                continue
            reader = _fit(others)
            for k in range(fold, len(people), FOLDS):
                if people[k]:
                    own = people[k][region]
                    spread = np.sqrt(own.channels).tolist()
                    by_channel = zip(channels, _correlate(reader, own).tolist(), spread, strict=True)
                    correlations[k] |= {name: r for name, r, sd in by_channel if sd >= FACE_SPREAD[name]}
    return correlations


def _fit(people: Sequence[SecondMoments]) -> NDArray[np.float64]:
    """(F, C) ridge regression in which all people have the same weight."""
    features = np.sum([person.features for person in people], axis=0)
    both = np.sum([person.both for person in people], axis=0)
    return np.linalg.solve(features + RIDGE * np.trace(features) / len(features) * np.eye(len(features)), both)


def _correlate(reader: NDArray, person: SecondMoments) -> NDArray[np.float64]:
    """(C,) correlation of the reader's predictions for a person with the truth."""
    covariance = (reader * person.both).sum(0)
    variance = (reader * (person.features @ reader)).sum(0)
    return covariance / np.sqrt(np.maximum(variance * person.channels, 1e-30))


def _features(track: FaceTrack, frames: NDArray, landmarks: Iterable[NDArray]) -> NDArray[np.float64]:
    """(N, F): landmarks relative to the line between the eyes, in units of its length, and the angles of the head."""
    marks = track.landmarks_px[frames].astype(np.float64)
    left, right = (marks[:, corners].mean(1) for corners in face.EYE_CORNERS)
    along = right - left
    unit_px = np.linalg.norm(along, axis=1)
    along /= unit_px[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    chosen = marks[:, np.concatenate([ring.ravel() for ring in landmarks])] - ((left + right) / 2)[:, None]
    own = np.concatenate([(chosen * axis[:, None]).sum(2) for axis in (along, across)], axis=1) / unit_px[:, None]
    turn = track.head[frames, :3, :3].astype(np.float64)
    tilt = np.arctan2(along[:, 1], along[:, 0])
    angles = np.arctan2(turn[:, 0, 2], turn[:, 2, 2]), np.arcsin(np.clip(-turn[:, 1, 2], -1, 1)), tilt
    return np.column_stack([own, *angles])
