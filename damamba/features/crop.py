"""Upright, square pictures of a face: one geometry for every cue that looks at faces.

frame, px                      square, px
the face anywhere, tilted  ->  eyes level, always in the same place; each side is `crop` face sizes long
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from damamba.media.picture import AnyPicture, grey

OUTER_EYE_CORNERS = (33, 263)
EYE_CORNERS = (33, 133, 362, 263)
CENTRE_BELOW_EYES = 0.12
"""From the middle between the eyes down to the middle of the face, in face sizes. Measured from the eyes, because the
chin moves with speech."""


def upright_square(
    landmarks_px: np.ndarray, size_px: float | np.floating, crop: float, side_px: int
) -> NDArray[np.float64]:
    """Similarity from the frame to a square in which the face is upright.

    Args:
        landmarks_px: (478, 2) landmarks of the face.
        size_px: Size of the face, forehead to chin.
        crop: Side of the square in face sizes.
        side_px: Side of the square in px.

    Returns:
        (2, 3) affine matrix from frame px to square px.
    """
    left, right = landmarks_px[list(OUTER_EYE_CORNERS)].astype(np.float64)
    along = (right - left) / max(float(np.linalg.norm(right - left)), 1e-6)
    down = np.array([-along[1], along[0]])
    centre = landmarks_px[list(EYE_CORNERS)].mean(0, dtype=np.float64) + CENTRE_BELOW_EYES * size_px * down
    linear = np.stack([along, down]) * side_px / (crop * size_px)
    return np.column_stack([linear, (side_px - 1) / 2 - linear @ centre])


def warp(picture: AnyPicture, matrix: np.ndarray, side_px: int, is_grey: bool = False) -> np.ndarray:
    """Warp a picture by a `matrix` of `upright_square`; outside the frame, its border pixels are repeated.

    Args:
        picture: (height, width, 3) RGB.
        matrix: (2, 3) from frame px to square px.
        side_px: Side of the square.
        is_grey: Whether the result has no colours.

    Returns:
        (side_px, side_px) or (side_px, side_px, 3) uint8.
    """
    part, corner = part_of(picture, cv2.invertAffineTransform(matrix), side_px)
    if is_grey:
        part = grey(part)
    matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ corner])
    # against aliasing, a large face is warped at its own scale, then averaged; a very large one is averaged before, too
    before = max(1, min(round(_shrinks(matrix)) // 2, *part.shape[:2]))
    if before > 1:
        width, height = part.shape[1] // before, part.shape[0] // before
        part = cv2.resize(part[: height * before, : width * before], (width, height), interpolation=cv2.INTER_AREA)
        linear = matrix[:, :2] * before
        matrix = np.column_stack([linear, matrix[:, 2] + matrix[:, :2] @ np.full(2, (before - 1) / 2)])
    factor = max(1, round(_shrinks(matrix)))
    fine = matrix * factor
    fine[:, 2] += (factor - 1) / 2
    fine_px = side_px * factor
    square = cv2.warpAffine(part, fine, (fine_px, fine_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return square if factor == 1 else cv2.resize(square, (side_px, side_px), interpolation=cv2.INTER_AREA)


def _shrinks(matrix: np.ndarray) -> float:
    """By what factor a similarity makes things smaller."""
    return float(1 / np.hypot(matrix[0, 0], matrix[1, 0]))


def part_of(picture: AnyPicture, matrix: np.ndarray, side_px: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The part of a picture that is needed for a square, and (2,) x, y where it begins.

    Args:
        picture: (height, width, 3) RGB.
        matrix: (2, 3) from square px to frame px.
        side_px: Side of the square.
    """
    corners = np.array([(x, y) for x in (0, side_px) for y in (0, side_px)]) @ matrix[:, :2].T + matrix[:, 2]
    size = np.array(picture.shape[1::-1])
    # interpolation reads one pixel further
    low = np.clip(np.floor(corners.min(axis=0)) - 2, 0, size - 1).astype(np.int64)
    high = np.clip(np.ceil(corners.max(axis=0)) + 2, low + 1, size).astype(np.int64)
    return picture[low[1] : high[1], low[0] : high[0]], low


def to_square(points_px: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map (…, 2) points of the frame to the square, px."""
    return points_px @ matrix[:, :2].T + matrix[:, 2]
