"""How many faces a video shows; where it shows several people, a region for each of them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.features.follow import MOST_FACES, everyone
from damamba.features.landmarker import check_model, open_landmarker
from damamba.media.glance import sample_frames
from damamba.media.guarded import guarded
from damamba.media.track import MediaTrack

SAMPLES = 5
"""Frames of a video that are looked at."""
ROOM = 1.0
"""Margin around a face on each side, in sizes of the face."""


@dataclass(frozen=True)
class Region:
    """A rectangle of the picture, px; all numbers are even, as video encoders need them."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Faces:
    """Faces in a few frames of a video."""

    counts: tuple[int, ...]
    """Faces in each of the frames."""
    regions: tuple[Region, ...]
    """One per person, from left to right; empty unless most frames show the same number of people, two or more."""


def find_faces(video: Path | MediaTrack, model: Path) -> Faces:
    """Look for faces in a few frames, spread over the video.

    Args:
        video: Any video that decodes.
        model: MediaPipe FaceLandmarker file.

    Raises:
        InputError: The model file is missing or not the pinned one, or the video cannot be read.
    """
    check_model(model)
    frames: list[list[np.ndarray]] = []
    size = np.ones(2)
    with open_landmarker(model, MOST_FACES) as landmarker:
        for image in guarded(_sampled, video):
            size = np.array(image.shape[1::-1])
            boxes = [face.box for face in everyone(landmarker, image)]
            frames.append(sorted(boxes, key=lambda box: box[0] + box[2]))
    counts = tuple(len(boxes) for boxes in frames)
    usual, times = Counter(counts).most_common(1)[0] if counts else (0, 0)
    regions = ()
    if usual > 1 and times * 2 > len(counts):
        regions = separate(np.array([boxes for boxes in frames if len(boxes) == usual]), (int(size[0]), int(size[1])))
    return Faces(counts, regions)


def _sampled(video: Path | MediaTrack) -> list[np.ndarray]:
    return list(sample_frames(video, SAMPLES))


def separate(boxes_px: np.ndarray, size_px: tuple[int, int]) -> tuple[Region, ...]:
    """Regions that contain one person each and never overlap.

    Args:
        boxes_px: (frames, people, 4) left, top, right, bottom of the faces, people from left to right.
        size_px: Width and height of the picture.
    """
    low, high = boxes_px[..., :2].min(0), boxes_px[..., 2:].max(0)
    room = ROOM * np.median(boxes_px[..., 2:] - boxes_px[..., :2], axis=0)
    between = (high[:-1, 0] + low[1:, 0]) / 2
    left = np.maximum(low[:, 0] - room[:, 0], [0, *between])
    right = np.minimum(high[:, 0] + room[:, 0], [*between, size_px[0]])
    top, bottom = np.maximum(low[:, 1] - room[:, 1], 0), np.minimum(high[:, 1] + room[:, 1], size_px[1])
    edges = np.stack([np.ceil(left / 2), np.ceil(top / 2), np.floor(right / 2), np.floor(bottom / 2)], axis=1)
    return tuple(Region(x, y, x2 - x, y2 - y) for x, y, x2, y2 in (2 * edges).astype(int).tolist())
