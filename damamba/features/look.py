"""How a person looks in one recording: colours of head and shoulders, to tell people of one video apart.

A look is a grid of mean colours of an upright square around the head, and of one below the chin. Within a recording,
with one light and one camera, it tells drawn people apart in 99 of 100 pairs of poses, and needs no weights. It is no
recognition of faces: in other light, other clothes or another camera, the same person looks different.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from damamba.features.crop import upright_square, warp
from damamba.media.picture import AnyPicture

HEAD, HEAD_CELLS = 1.5, 6
"""Side of the square around the head in face sizes, and cells along it."""
CHEST, CHEST_CELLS, CHEST_BELOW = 1.5, 4, 0.9
"""The same of the square below; its middle is so many face sizes below that of the head."""
CELL_PX = 8
MOST = 25.0
"""Difference of a cell at most, in steps of CIELAB: a hand before the face is no other person."""
FEWEST = 8
"""Cells that two looks must have in common."""
OFF_MIDDLE = np.arange(HEAD_CELLS) - (HEAD_CELLS - 1) / 2
CORNERS: NDArray[np.bool_] = (OFF_MIDDLE[:, None] ** 2 + OFF_MIDDLE**2).ravel() > (HEAD_CELLS / 2) ** 2
"""Cells of the head's square that show what is behind it."""
NEW = 5.0
"""A look that differs from all others of the person by this is kept."""
KEPT = 12
"""Looks of a person, so that a head that turns stays known."""


def look_of(image: AnyPicture, landmarks_px: NDArray[np.float64]) -> NDArray[np.float32]:
    """(cells, 3) mean CIELAB of each cell; NaN where it lies outside the picture.

    Args:
        image: (height, width, 3) RGB.
        landmarks_px: (478, 2) of the face.
    """
    size = max(float(np.linalg.norm(landmarks_px[10] - landmarks_px[152])), 1.0)
    side = HEAD_CELLS * CELL_PX
    head = upright_square(landmarks_px, size, HEAD, side)
    cells = [_cells(image, head, side, HEAD_CELLS)]
    cells[0][CORNERS] = np.nan
    side = CHEST_CELLS * CELL_PX
    chest = upright_square(landmarks_px, size, CHEST, side)
    chest[1, 2] -= CHEST_BELOW * side / CHEST
    return np.concatenate([*cells, _cells(image, chest, side, CHEST_CELLS)]).astype(np.float32)


def _cells(image: AnyPicture, matrix: NDArray[np.float64], side: int, n: int) -> NDArray[np.float32]:
    lab = cv2.cvtColor(warp(image, matrix, side).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    means = cv2.resize(lab, (n, n), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    inverse = cv2.invertAffineTransform(matrix)
    at = (np.arange(n) + 0.5) * side / n - 0.5
    places = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2) @ inverse[:, :2].T + inverse[:, 2]
    inside = np.all((places >= 0) & (places <= np.array(image.shape[1::-1]) - 1), axis=1, keepdims=True)
    return np.where(inside, means, np.nan).astype(np.float32)


def difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean difference of the cells that two looks have in common, in steps of CIELAB; inf where these are too few."""
    apart = np.linalg.norm(a - b, axis=1)
    known = np.isfinite(apart)
    return float(np.minimum(apart[known], MOST).mean()) if known.sum() >= FEWEST else float("inf")


class Looks:
    """Looks of one person, the first of them for good."""

    def __init__(self) -> None:
        self._kept: list[NDArray[np.float32]] = []

    def __bool__(self) -> bool:
        return bool(self._kept)

    def distance(self, look: NDArray[np.float32]) -> float:
        """Difference from the most similar one; inf without any."""
        return min((difference(look, one) for one in self._kept), default=float("inf"))

    def learn(self, look: NDArray[np.float32]) -> None:
        """Keep a look, unless a similar one is there."""
        if self.distance(look) >= NEW:
            self._kept.append(look)
            if len(self._kept) > KEPT:
                del self._kept[1]
