"""How many faces a video shows, and where: for a video that shows several people, a region for each."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.features.faces import _quiet
from damamba.features.landmarker import check_model
from damamba.media.glance import sample_frames

MOST_FACES = 6
SAMPLES = 5
ROOM = 1.0
"""Of the face's own size, around it on each side."""


@dataclass(frozen=True)
class Region:
    """A rectangle of the picture, px; even numbers, as encoders want them."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Faces:
    """What a few frames of a video showed."""

    counts: tuple[int, ...]
    """Faces in each of them."""
    regions: tuple[Region, ...]
    """One a person, from left to right; empty unless most frames show the same number of people, two or more."""


def find_faces(video: Path, model: Path) -> Faces:
    """Look for faces in a few frames, spread over the video.

    Args:
        video: Any video that decodes.
        model: MediaPipe FaceLandmarker file.

    Raises:
        InputError: The model's file is missing or another one.
    """
    check_model(model)
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=vision.RunningMode.IMAGE,
        num_faces=MOST_FACES,
    )
    frames: list[list[np.ndarray]] = []
    size = np.ones(2)
    with ExitStack() as stack:
        with _quiet():
            landmarker = stack.enter_context(vision.FaceLandmarker.create_from_options(options))
        for image in sample_frames(video, SAMPLES):
            size = np.array(image.shape[1::-1])
            found = landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image))
            marks = [np.array([(m.x, m.y) for m in face]) * size for face in found.face_landmarks]
            boxes = [np.concatenate([xy.min(0), xy.max(0)]) for xy in marks]
            frames.append(sorted(boxes, key=lambda box: box[0] + box[2]))
    counts = tuple(len(boxes) for boxes in frames)
    usual, times = Counter(counts).most_common(1)[0] if counts else (0, 0)
    regions = ()
    if usual > 1 and times * 2 > len(counts):
        regions = separate(np.array([boxes for boxes in frames if len(boxes) == usual]), (int(size[0]), int(size[1])))
    return Faces(counts, regions)


def separate(boxes_px: np.ndarray, size_px: tuple[int, int]) -> tuple[Region, ...]:
    """Regions that hold one person each and never overlap.

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
