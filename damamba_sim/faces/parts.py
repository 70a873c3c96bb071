"""The textured pieces of a person, and how they are packed for the renderer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass
class Part:
    """A textured piece of geometry.

    Attributes:
        vertices: (n, 3) in the head frame, cm.
        triangles: (m, 3) vertex indices.
        uv: (n, 2) texture coordinates in [0, 1], v down; or one number for all.
        texture: (h, w, 3) or, with alpha, (h, w, 4), uint8.
        on_head: How much the vertices move with the head, from 0 to 1; the rest of the motion is the torso's. One
            number for all, or one for each vertex.
        on_jaw: How much they swing with the jaw, likewise.
        shade: Light that reaches the vertices, 0 to 1.
        directed: False for pieces that are lit evenly from all sides, like the inside of the mouth.
        two_sided: Whether the back is drawn, too (open surfaces), for all triangles or for each.
        moving: Whether vertices and normals are computed for every frame; then the triangles are not oriented here.
    """

    vertices: NDArray
    triangles: NDArray
    uv: ArrayLike
    texture: NDArray[np.uint8]
    on_head: ArrayLike = 1.0
    on_jaw: ArrayLike = 0.0
    shade: ArrayLike = 1.0
    directed: bool = True
    two_sided: ArrayLike = False
    moving: bool = False


@dataclass
class Body:
    """All parts in one set of arrays, described in `raster`. ``slices[i]`` are the vertices of part i."""

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    weights: NDArray[np.float32]
    shade: NDArray[np.float32]
    texel: NDArray[np.float32]
    triangles: NDArray[np.int32]
    two_sided: NDArray[np.bool_]
    atlas: NDArray[np.uint8]
    slices: list[slice]


def plain(colour: ArrayLike) -> NDArray[np.uint8]:
    """A texture of one colour."""
    return painted(np.broadcast_to(np.asarray(colour, float), (2, 2, 3)))


def painted(image: ArrayLike) -> NDArray[np.uint8]:
    """A texture from a float image (h, w, 3)."""
    return np.clip(np.asarray(image), 0, 255).astype(np.uint8)


def assemble(parts: Sequence[Part]) -> Body:
    """Pack `parts` into one body. Parts in front should come first: then hidden ones need not be filled."""
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts)])
    columns = max(part.texture.shape[1] for part in parts)
    rows = np.cumsum([0, *(part.texture.shape[0] for part in parts)])
    n_vertices = int(offsets[-1])
    body = Body(
        vertices=np.concatenate([part.vertices for part in parts]).astype(np.float32),
        normals=np.zeros((n_vertices, 3), np.float32),
        weights=np.zeros((n_vertices, 3), np.float32),
        shade=np.zeros(n_vertices, np.float32),
        texel=np.zeros((n_vertices, 2), np.float32),
        triangles=np.zeros((0, 3), np.int32),
        two_sided=np.concatenate([np.broadcast_to(part.two_sided, len(part.triangles)) for part in parts]),
        atlas=np.zeros((rows[-1], columns, 4), np.uint8),
        slices=[slice(int(a), int(b)) for a, b in pairwise(offsets)],
    )
    triangles = []
    for part, own, row in zip(parts, body.slices, rows[:-1], strict=True):
        facing_out = part.triangles if part.moving else oriented_outward(part.vertices, part.triangles)
        triangles.append(facing_out + own.start)
        if not part.moving:
            body.normals[own] = _smooth_normals(part.vertices, facing_out)
        body.weights[own, 0] = part.on_head
        body.weights[own, 1] = part.on_jaw
        body.weights[own, 2] = part.directed
        body.shade[own] = part.shade
        height, width, channels = part.texture.shape
        body.atlas[row : row + height, :width, :channels] = part.texture
        if channels == 3:
            body.atlas[row : row + height, :width, 3] = 255
        # half a texel inside, so rounding never reads a neighbour in the atlas
        body.texel[own] = np.clip(part.uv, 0, 1) * np.array([width - 1, height - 1]) + [0.5, 0.5 + row]
    body.triangles = np.concatenate(triangles).astype(np.int32)
    return body


def oriented_outward(vertices: NDArray, triangles: NDArray) -> NDArray:
    """`triangles`, reversed if most of their area faces the middle of `vertices`."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    from_middle = (a + b + c) / 3 - vertices.mean(0)
    return triangles[:, ::-1] if (np.cross(b - a, c - a) * from_middle).sum() < 0 else triangles


def _smooth_normals(vertices: NDArray, triangles: NDArray) -> NDArray:
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices, dtype=float)
    for k in range(3):
        np.add.at(normals, triangles[:, k], faces)
    return normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9)
