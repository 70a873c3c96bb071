"""MediaPipe's canonical face, to which its landmark numbers refer, read from the face landmarker's model file."""

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from damamba.console import InputError

MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
N_VERTICES = 468


class CanonicalMesh(NamedTuple):
    """The face to which MediaPipe's landmark numbers refer.

    Attributes:
        vertices: (468, 3), cm.
        uv: (468, 2) texture coordinates in [0, 1], v down.
        triangles: (898, 3) vertex indices; mouth and eyes are closed.
        weights: (468,) of each vertex in a fit of the whole face; 0 for those that move with expressions.
    """

    vertices: NDArray[np.float64]
    uv: NDArray[np.float64]
    triangles: NDArray[np.int64]
    weights: NDArray[np.float64]


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
        mediapipe/modules/face_geometry/protos: GeometryPipelineMetadata (field 1 the mesh, field 2 number and weight
        of a landmark), Mesh3d (field 3 the vertex buffer of x, y, z, u, v; field 4 the index buffer).
    """
    remedy = "expected MediaPipe's face landmarker; get it: dvc repro landmarker"
    try:
        with zipfile.ZipFile(task_path) as archive:
            metadata = list(_fields(archive.read(MEMBER)))
        mesh = next(value for field, value in metadata if field == 1)
        assert isinstance(mesh, bytes)
        buffers = list(_fields(mesh))
        floats = b"".join(value for field, value in buffers if field == 3 and isinstance(value, bytes))
        vertex_buffer = np.frombuffer(floats, "<f4").astype(float)
        index_buffer = np.array([value for field, value in buffers if field == 4], np.int64)
        vertices = vertex_buffer.reshape(N_VERTICES, 5)
        triangles = index_buffer.reshape(-1, 3)
        weights = np.zeros(N_VERTICES)
        for field, value in metadata:
            if field == 2 and isinstance(value, bytes):
                of = dict(_fields(value))
                weights[int(of[1])] = np.frombuffer(bytes(of[2]), "<f4")[0]
        if not weights.any():
            raise ValueError("no weights")
    except FileNotFoundError:
        raise InputError(f"{task_path}: not found; {remedy}") from None
    except (zipfile.BadZipFile, KeyError, StopIteration, AssertionError, ValueError, IndexError):
        raise InputError(f"{task_path}: no canonical face mesh inside; {remedy}") from None
    return CanonicalMesh(vertices[:, :3], vertices[:, 3:], triangles, weights)
