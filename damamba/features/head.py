"""Where the head is: the canonical face fitted to landmarks, seen by a camera that looks at the face.

Source:
    MediaPipe's face geometry module: weighted orthogonal Procrustes analysis, with the scale of depth found in two
    rounds.
"""

import numpy as np
from numpy.typing import NDArray

from damamba.streams.face_mesh import N_VERTICES, CanonicalMesh

VIEW = 2.4
"""Side of the picture of the camera that looks at the face, in sizes of the face. The pose of a head is thus that to
the line of sight, wherever in the picture it is."""
HALF_TANGENT = np.tan(np.radians(63) / 2)
"""Of the camera's angle of view, from top to bottom."""


class HeadFit:
    """Fits the canonical face."""

    def __init__(self, mesh: CanonicalMesh) -> None:
        self._points = np.flatnonzero(mesh.weights)
        vertices, weights = mesh.vertices[self._points], mesh.weights[self._points]
        self._weights = weights / weights.sum()
        self._middle = self._weights @ vertices
        self._weighted = (vertices - self._middle) * self._weights[:, None]
        self._spread = float(((vertices - self._middle) * self._weighted).sum())

    def transform(self, points_px: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """(4, 4) from the canonical face to the camera of the whole picture, cm; negative z is in front of it.

        Args:
            points_px: (478, 3) landmarks: x to the right, y down, and depth away from the camera.
            shape: (height, width, …) of the picture.
        """
        low, high = points_px[:, :2].min(axis=0), points_px[:, :2].max(axis=0)
        middle, side = (low + high) / 2, VIEW * float((high - low).max())
        # on a plane at distance 1
        flat = (points_px - [*middle, points_px[:N_VERTICES, 2].mean()])[self._points] * (2 * HALF_TANGENT / side)
        flat[:, 1:] *= -1
        _, _, rough = self._fit(flat)
        _, _, finer = self._fit(_in_space(flat, rough))
        turn, moved, scale = self._fit(_in_space(flat, rough * finer))
        head = np.eye(4)
        head[:3, :3], head[:3, 3] = turn * scale, moved
        head[:3, 3] = _seen_from_whole(moved, middle, side, shape)
        return head

    def _fit(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """(3, 3) rotation, (3,) translation and scale of the canonical face onto (n, 3) points."""
        middle = self._weights @ points
        u, stretch, v = np.linalg.svd((points - middle).T @ self._weighted)
        sign = np.array([1, 1, np.sign(np.linalg.det(u @ v))])
        turn, scale = (u * sign) @ v, float(stretch @ sign) / self._spread
        return turn, middle - scale * turn @ self._middle, scale


def _in_space(flat: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Points of the plane at distance 1 in their places in space, if the face were `scale` times as large on it."""
    distance = (1 - flat[:, 2]) / scale
    return np.column_stack([flat[:, :2] * distance[:, None], -distance])


def _seen_from_whole(
    place: NDArray[np.float64], middle: NDArray[np.float64], side: float, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """(3,) place of a head seen by the camera of the whole picture, from that seen by one of a square part."""
    focal_px = side / 2 / HALF_TANGENT
    x, y, z = place
    off_px = middle[0] - shape[1] / 2 - focal_px * x / z, middle[1] - shape[0] / 2 + focal_px * y / z
    return np.array([-off_px[0] * z / focal_px, off_px[1] * z / focal_px, z * shape[0] / side])
