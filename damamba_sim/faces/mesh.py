"""General geometry: Loop subdivision and a few solids.

Lengths are centimetres in the head frame: x to the viewer's right, y up, z towards the camera.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse


class Subdivision(NamedTuple):
    """One step of Loop subdivision of a mesh with n vertices and e edges.

    Attributes:
        smooth: (n + e, n) matrix of Loop's weights, for positions.
        linear: (n + e, n) matrix of edge midpoints, for texture coordinates and painted weights.
        triangles: The finer triangles, four for each coarse one.
    """

    smooth: sparse.csr_array
    linear: sparse.csr_array
    triangles: NDArray[np.int64]


def loop_subdivide(n_vertices: int, triangles: NDArray[np.int64]) -> Subdivision:
    """One step of Loop subdivision, as matrices that apply to every shape of the mesh.

    Args:
        n_vertices: Number of vertices of the coarse mesh.
        triangles: (n, 3) vertex indices of the coarse mesh, consistently oriented; borders are allowed.

    Source:
        Loop 1987, "Smooth subdivision surfaces based on triangles", with Warren's weights inside and those of the
        cubic B-spline, 3/4 and 1/8, on borders.
    """
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    edges, edge_of_side, n_faces = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    edge_of_triangle = edge_of_side.reshape(3, -1).T
    opposite: list[list[int]] = [[] for _ in edges]
    for corners, sides_of in zip(triangles, edge_of_triangle, strict=True):
        for k in range(3):
            opposite[sides_of[k]].append(corners[(k + 2) % 3])

    shape = (n_vertices + len(edges), n_vertices)
    smooth, linear = sparse.lil_array(shape), sparse.lil_array(shape)
    neighbours: list[set[int]] = [set() for _ in range(n_vertices)]
    border: list[list[int]] = [[] for _ in range(n_vertices)]
    for k, (a, b) in enumerate(edges):
        row = n_vertices + k
        neighbours[a].add(b)
        neighbours[b].add(a)
        linear[row, a] = linear[row, b] = 1 / 2
        if n_faces[k] == 1:
            border[a].append(b)
            border[b].append(a)
            smooth[row, a] = smooth[row, b] = 1 / 2
        else:
            smooth[row, a] = smooth[row, b] = 3 / 8
            for corner in opposite[k]:
                smooth[row, corner] += 1 / 8
    for i in range(n_vertices):
        linear[i, i] = 1
        ring = border[i] or sorted(neighbours[i])
        valence = len(ring)
        if border[i]:
            weight = 1 / 4 / valence
        elif ring:
            weight = 3 / 16 if valence == 3 else 3 / (8 * valence)
        else:
            weight = 0.0
        smooth[i, i] = 1 - valence * weight
        for j in ring:
            smooth[i, j] += weight

    middle = edge_of_triangle + n_vertices
    finer = np.concatenate(
        [
            np.c_[triangles[:, 0], middle[:, 0], middle[:, 2]],
            np.c_[triangles[:, 1], middle[:, 1], middle[:, 0]],
            np.c_[triangles[:, 2], middle[:, 2], middle[:, 1]],
            middle,
        ]
    )
    return Subdivision(smooth.tocsr(), linear.tocsr(), finer)


def smoothstep(start: float, stop: float, x: ArrayLike) -> NDArray[np.float64]:
    """0 before `start`, 1 after `stop`, a smooth cubic between; `stop` may be the smaller one."""
    t = np.clip((np.asarray(x) - start) / (stop - start), 0, 1)
    return t * t * (3 - 2 * t)


def bump(vertices: NDArray[np.float64], centre: ArrayLike, radii: ArrayLike) -> NDArray[np.float64]:
    """(n, 1) Gaussian weights of `vertices` (n, 3) around `centre` (3,), with one radius (cm) per axis."""
    distance = (vertices - np.asarray(centre, float)) / np.asarray(radii, float)
    return np.exp(-(distance**2).sum(-1, keepdims=True))


def rotation(yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> NDArray[np.float64]:
    """(3, 3) rotation; yaw > 0 turns to the viewer's right, pitch > 0 nods down, roll > 0 is counter-clockwise."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    around_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return around_z @ around_y @ around_x


def grid_triangles(n_columns: int, n_rows: int, closed: bool = True) -> NDArray[np.int64]:
    """(n, 3) triangles of a row-major grid of vertices; the columns wrap around if `closed`."""
    index = np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
    a, b = index[:-1], index[1:]
    a_next, b_next = np.roll(a, -1, 1), np.roll(b, -1, 1)
    if not closed:
        a, b, a_next, b_next = a[:, :-1], b[:, :-1], a_next[:, :-1], b_next[:, :-1]
    upper = np.stack([a, b, a_next], -1).reshape(-1, 3)
    lower = np.stack([a_next, b, b_next], -1).reshape(-1, 3)
    return np.concatenate([upper, lower])


def sphere(n_columns: int, n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unit sphere: vertices (n_rows * n_columns, 3), from the pole at +y down, and triangles."""
    polar = np.repeat(np.linspace(0, np.pi, n_rows), n_columns)
    azimuth = np.tile(np.linspace(0, 2 * np.pi, n_columns, endpoint=False), n_rows)
    vertices = np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], -1)
    return vertices, grid_triangles(n_columns, n_rows)


def tube(path: NDArray[np.float64], radius: float, closed: bool) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Square tube of `radius` (cm) along `path` (n, 3): vertices and triangles."""
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead = ahead / (np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-9)
    side = np.cross(ahead, [0, 0, 1.0])
    length = np.linalg.norm(side, axis=1, keepdims=True)
    side = np.where(length > 0.2, side / (length + 1e-9), [0, 1.0, 0])
    up = np.cross(ahead, side)
    rings = np.stack([path + radius * side, path + radius * up, path - radius * side, path - radius * up], 1)
    if closed:
        rings = np.concatenate([rings, rings[:1]])
    return rings.reshape(-1, 3), grid_triangles(4, len(rings))
