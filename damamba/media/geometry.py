"""Pictures as a player shows them: turned and mirrored by the display matrix, with square pixels."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer

WIDEST = 8
"""A ratio of the sides of a pixel beyond this, or its inverse, is damage and is not applied."""


def upright(frame: av.VideoFrame, aspect: Fraction | None) -> np.ndarray:
    """(height, width, 3) uint8 RGB as a player shows it.

    Args:
        frame: As it is coded.
        aspect: Width of a pixel over its height; None where the file has none.
    """
    width, height = square_size(frame.width, frame.height, aspect)
    scaled: dict[str, Any] = (
        {} if (width, height) == (frame.width, frame.height) else {"width": width, "height": height}
    )
    # one thread: more would be started anew for every picture, which costs more than they save
    return _turned(frame.to_ndarray(format="rgb24", threads=1, **scaled), frame)


def shown_size(frame: av.VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height of `upright`."""
    width, height = square_size(frame.width, frame.height, aspect)
    matrix = _matrix(frame)
    return (height, width) if matrix is not None and _is_on_its_side(matrix) else (width, height)


def is_as_coded(frame: av.VideoFrame, aspect: Fraction | None) -> bool:
    """Whether `upright` neither turns, mirrors nor stretches the picture."""
    return _matrix(frame) is None and square_size(frame.width, frame.height, aspect) == (frame.width, frame.height)


def square_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height with square pixels; the shorter side of a pixel is stretched, so nothing is lost."""
    if not aspect or not Fraction(1, WIDEST) <= aspect <= WIDEST:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def _matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """(2, 2) part of the display matrix that maps (x, y) as a row from the coded to the shown picture."""
    # not `frame.side_data`: frame and data would keep each other until Python looks for cycles, many frames later
    data = SideDataContainer(frame).get("DISPLAYMATRIX")  # pyright: ignore[reportCallIssue] (its stub lacks __init__)
    if data is None:
        return None
    matrix = np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2].astype(np.float64)
    return matrix if np.isfinite(matrix).all() and matrix.any() else None


def _is_on_its_side(matrix: np.ndarray) -> bool:
    return abs(matrix[0, 1]) + abs(matrix[1, 0]) > abs(matrix[0, 0]) + abs(matrix[1, 1])


def _turned(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """The picture after the nearest of the eight right-angled turns and mirrorings."""
    matrix = _matrix(frame)
    if matrix is None:
        return image
    if _is_on_its_side(matrix):
        image, x_sign, y_sign = image.transpose(1, 0, 2), matrix[1, 0], matrix[0, 1]
    else:
        x_sign, y_sign = matrix[0, 0], matrix[1, 1]
    return np.ascontiguousarray(image[:: -1 if y_sign < 0 else 1, :: -1 if x_sign < 0 else 1])
