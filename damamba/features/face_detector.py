"""Where faces are in a picture: what BlazeFace's outputs mean, by which the landmarks of a face begin.

Source:
    Bazarevsky et al. 2019, arXiv:1907.05047 (BlazeFace, short range); MediaPipe's face detector, whose numbers these
    are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 128
"""Of the picture that the network takes."""
GRIDS = ((16, 2), (8, 6))
"""Cells along each side of the network's grids, and boxes in each cell."""
OVERLAP = 0.5
"""Boxes that overlap by more (intersection over union) show one face; their mean is it, weighted by their scores."""
GROWTH = 1.5
"""Side of the square for landmarks, in sides of the box."""
MOST = 6
"""Faces in a picture, the surest."""


@dataclass(frozen=True)
class Spot:
    """A square in which a face is upright."""

    middle: NDArray[np.float64]
    """(2,) x, y; px."""
    side: float
    """px."""
    turn: float
    """Clockwise from the picture's upright, rad."""


def _cells() -> NDArray[np.float64]:
    """(896, 2) middle of the cell of each box, px."""
    middles = []
    for n, boxes in GRIDS:
        along = (np.arange(n) + 0.5) * SIDE_PX / n
        grid = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
        middles.append(np.repeat(grid, boxes, axis=0))
    return np.concatenate(middles)


CELLS = _cells()


def spots(raw: NDArray[np.float32], logits: NDArray[np.float32], confidence: float) -> list[Spot]:
    """Faces of a picture of `SIDE_PX`, in its px, the surest first.

    Args:
        raw: (896, 16) of each box: middle from that of the cell, size, and six points from that of the cell, of which
            the first two are the eyes; px.
        logits: (896,) of its score.
        confidence: Least score.
    """
    sure = np.flatnonzero(logits >= np.log(confidence / (1 - confidence)))
    sure = sure[np.argsort(-logits[sure], kind="stable")]
    scores = 1 / (1 + np.exp(-logits[sure].astype(np.float64)))
    points = raw[sure].astype(np.float64).reshape(-1, 8, 2)
    sizes = points[:, 1]
    points[:, [0, 2, 3]] += CELLS[sure, None]
    found = []
    left = np.ones(len(sure), bool)
    while left.any() and len(found) < MOST:
        first = int(np.argmax(left))
        one = left & (_overlaps(points[:, 0], sizes, first) > OVERLAP)
        one[first] = True
        middle, size, left_eye, right_eye = np.average(points[one, :4], axis=0, weights=scores[one])
        found.append(Spot(middle, GROWTH * float(size.max()), _turn(left_eye, right_eye)))
        left &= ~one
    return found


def _overlaps(middles: NDArray[np.float64], sizes: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """(n,) intersection over union of each box with box `k`."""
    low, high = middles - sizes / 2, middles + sizes / 2
    common = np.clip(np.minimum(high, high[k]) - np.maximum(low, low[k]), 0, None).prod(axis=1)
    areas = sizes.prod(axis=1)
    return common / (areas + areas[k] - common)


def spot_of(landmarks_px: NDArray[np.float64]) -> Spot:
    """The square around a face whose (478, 2) landmarks are known, in which it is looked for in the next frame."""
    low, high = landmarks_px.min(axis=0), landmarks_px.max(axis=0)
    return Spot((low + high) / 2, GROWTH * float((high - low).max()), _turn(landmarks_px[33], landmarks_px[263]))


def _turn(left_eye: NDArray[np.float64], right_eye: NDArray[np.float64]) -> float:
    x, y = right_eye - left_eye
    return float(np.arctan2(y, x))
