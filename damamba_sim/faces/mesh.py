"""General geometry: MediaPipe's canonical face mesh, Loop subdivision and a few solids.

The canonical mesh is read from the face landmarker's model file, so the faces drawn here have exactly the vertices
that the landmarker looks for. Lengths are centimetres in the head frame: x to the viewer's right, y up, z towards the
camera.
"""

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from damamba.console import InputError

MESH_MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
N_VERTICES = 468


class CanonicalMesh(NamedTuple):
    """The face to which MediaPipe's landmark numbers refer.

    Attributes:
        vertices: (468, 3), cm.
        uv: (468, 2) texture coordinates in [0, 1], v down.
        triangles: (898, 3) vertex indices; mouth and eyes are closed.
    """

    vertices: NDArray[np.float64]
    uv: NDArray[np.float64]
    triangles: NDArray[np.int64]


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


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(Field number, value) of a protobuf message, without its schema."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire_type = key & 7
        if wire_type == 0:
            value, at = _varint(message, at)
        elif wire_type in (2, 5):
            size, at = _varint(message, at) if wire_type == 2 else (4, at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(f"wire type {wire_type}")
        yield key >> 3, value


@lru_cache(maxsize=2)
def read_canonical(task_path: Path) -> CanonicalMesh:
    """Read the canonical face mesh from a face landmarker's ``.task`` file.

    Args:
        task_path: The model file, a zip archive.

    Raises:
        InputError: The file is missing, or contains no canonical mesh.

    Source:
        mediapipe/modules/face_geometry/protos: GeometryPipelineMetadata (field 1 the mesh), Mesh3d
        (field 3 the vertex buffer of x, y, z, u, v; field 4 the index buffer).
    """
    remedy = "expected MediaPipe's face landmarker; get it: dvc repro landmarker"
    try:
        with zipfile.ZipFile(task_path) as archive:
            metadata = archive.read(MESH_MEMBER)
        mesh = next(value for field, value in _fields(metadata) if field == 1)
        assert isinstance(mesh, bytes)
        buffers = list(_fields(mesh))
        floats = b"".join(value for field, value in buffers if field == 3 and isinstance(value, bytes))
        vertex_buffer = np.frombuffer(floats, "<f4").astype(float)
        index_buffer = np.array([value for field, value in buffers if field == 4], np.int64)
        vertices = vertex_buffer.reshape(N_VERTICES, 5)
        triangles = index_buffer.reshape(-1, 3)
    except FileNotFoundError:
        raise InputError(f"{task_path}: not found; {remedy}") from None
    except (zipfile.BadZipFile, KeyError, StopIteration, AssertionError, ValueError, IndexError):
        raise InputError(f"{task_path}: no canonical face mesh inside; {remedy}") from None
    return CanonicalMesh(vertices[:, :3], vertices[:, 3:], triangles)


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
