"""A person's face as a surface: the canonical mesh, deformed by identity and expression.

Identity deforms the 468 canonical vertices once. An expression adds a few displacement fields (smile, rounding,
brows), swings the jaw, closes the lids over the eyeballs and finally subdivides the mesh.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from damamba.streams.face_mesh import N_VERTICES, read_canonical
from damamba_sim.behaviour.traits import Traits
from damamba_sim.faces.landmarks import (
    BROWS,
    EYE_CORNERS,
    EYE_OPENINGS,
    FACE_OVAL,
    LOWER_LIDS,
    LOWER_LIP,
    MOUTH_CORNERS,
    MOUTH_OPENING,
    SMILE_LINES,
    UPPER_LIDS,
    UPPER_LIP,
)
from damamba_sim.faces.mesh import Subdivision, bump, loop_subdivide, smoothstep

JAW_HINGE_CM = np.array([0.0, -0.2, -1.8])
JAW_SWING_DEG = 19.0  # where the mouth is fully open
EYEBALL_RADIUS_CM = 1.72
X, Y, Z = np.eye(3)


@dataclass
class Pose:
    """What one frame shows; the defaults are a neutral face that looks into the camera.

    Attributes:
        mouth: Opening, 0 closed to 1.
        mouth_round: Rounding of the lips, 0 to 1.
        smile: 0 to 1.
        eye: Opening of the lids, 0 shut, 1 open, up to 1.25 wide.
        brow: -1 lowered to 1 raised.
        gaze_x_deg: Direction of the eyes in the head, positive to the viewer's right.
        gaze_y_deg: Positive up.
        yaw_deg: Turn of the head on the torso, positive to the viewer's right.
        pitch_deg: Positive down.
        roll_deg: Positive counter-clockwise.
        lean_deg: Turn of the torso about the hip, positive towards the camera.
        shift_x_cm: Shift of the whole body, positive to the viewer's right.
        present: False for an empty room.
        hand: 0 out of sight, 0.5 over the mouth, 1 over the whole face.
        exit: Way out of the picture: -1 gone to the viewer's left, 0 in place, 1 gone to the right.
    """

    mouth: float = 0.0
    mouth_round: float = 0.0
    smile: float = 0.0
    eye: float = 1.0
    brow: float = 0.0
    gaze_x_deg: float = 0.0
    gaze_y_deg: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    lean_deg: float = 0.0
    shift_x_cm: float = 0.0
    present: bool = True
    hand: float = 0.0
    exit: float = 0.0


@dataclass(frozen=True)
class FaceTopology:
    """The canonical mesh prepared for motion: mouth and eyes opened, a skirt behind the rim, subdivided.

    Attributes:
        neutral: (468, 3) canonical vertices, cm.
        uv: (n, 2) texture coordinates of the subdivided vertices.
        subdivision: Subdivision of 468 + 2 * 36 vertices (face and two rings of skirt) into n.
        occlusion: (n,) light that reaches the vertices; the skirt is in the shade of the face.
    """

    neutral: NDArray[np.float64]
    uv: NDArray[np.float64]
    subdivision: Subdivision
    occlusion: NDArray[np.float64]


@lru_cache(maxsize=2)
def face_topology(task_path: Path) -> FaceTopology:
    """The topology that every person shares; raises `InputError` as `read_canonical` does."""
    mesh = read_canonical(task_path)
    holes = [set(ring.tolist()) for ring in (MOUTH_OPENING, *EYE_OPENINGS)]
    skin = np.array([triangle for triangle in mesh.triangles if not any(set(triangle) <= hole for hole in holes)])
    n_rim = len(FACE_OVAL)
    rings = [FACE_OVAL, N_VERTICES + np.arange(n_rim), N_VERTICES + n_rim + np.arange(n_rim)]
    skirt = []
    for inner, outer in pairwise(rings):
        skirt.append(np.c_[inner, np.roll(inner, -1), outer])
        skirt.append(np.c_[np.roll(inner, -1), np.roll(outer, -1), outer])
    subdivision = loop_subdivide(N_VERTICES + 2 * n_rim, np.concatenate([skin, *skirt]))
    rim_uv = mesh.uv[FACE_OVAL] - 0.5
    uv = subdivision.linear @ np.concatenate([mesh.uv, 0.5 + 0.97 * rim_uv, 0.5 + 0.94 * rim_uv])
    forehead = mesh.vertices[FACE_OVAL, 1] > 3
    shade = np.concatenate([np.ones(N_VERTICES), np.where(forehead, 1, 0.8), np.where(forehead, 1, 0.45)])
    return FaceTopology(mesh.vertices, np.clip(uv, 0, 1), subdivision, subdivision.linear @ shade)


class FaceShape:
    """One person's face.

    Attributes:
        topology: Mesh that all faces share.
        neutral: (468, 3) vertices at rest, cm.
        scale: (3,) factors by which head, hair and ears grow with the face.
        mouth_y: Height of the closed lips, cm.
        mouth_half_width: Half the width of the mouth, cm.
        eyeballs: (2, 3) centres of the eyeballs.
        folds: (n,) depth of the smile lines at the subdivided vertices, 0 to 1.
    """

    def __init__(self, traits: Traits, rng: np.random.Generator, topology: FaceTopology) -> None:
        self.topology = topology
        self.neutral, self.scale = _individual(traits, rng, topology.neutral)
        rest = self.neutral
        self.mouth_y = float(rest[[13, 14], 1].mean())
        self.mouth_half_width = float(np.abs(rest[[78, 308], 0]).mean())
        self.eyeballs = np.array([_eyeball(rest, side) for side in (0, 1)])
        self._jaw_weight = self._weigh_jaw()
        self._fields = self._displacements(topology.neutral)
        smooth = self.subdivide(self._with_skirt(rest))
        lines = [np.linspace(rest[a], rest[b], 9) for a, b in SMILE_LINES[:, [0, 3]]]
        self.folds = np.max([bump(smooth, point, 0.35)[:, 0] for line in lines for point in line], axis=0)

    def subdivide(self, coarse: NDArray) -> NDArray:
        """(n, 3) smooth surface of the (540, 3) coarse one."""
        return self.topology.subdivision.smooth @ coarse

    def deform(self, pose: Pose) -> NDArray[np.float64]:
        """(n, 3) surface under the expression of `pose`, in the head frame, cm."""
        amounts = np.array([pose.smile, pose.mouth_round, pose.brow, pose.mouth])
        vertices = self.neutral + np.tensordot(amounts, self._fields, 1)
        self._swing_jaw(vertices, pose.mouth)
        self._close_lids(vertices, pose)
        return self.subdivide(self._with_skirt(vertices))

    def _weigh_jaw(self) -> NDArray[np.float64]:
        """(468,) share of the jaw's motion; it jumps from 0 to 1 between the lips."""
        rest = self.neutral
        weight = smoothstep(self.mouth_y + 1.3, self.mouth_y - 1.8, rest[:, 1])
        at_corner = 0.42
        for upper, lower in zip(UPPER_LIP, LOWER_LIP, strict=True):
            aside = np.minimum(np.abs(rest[upper, 0]) / self.mouth_half_width, 1)
            weight[upper] = at_corner * aside**5
            aside = np.minimum(np.abs(rest[lower, 0]) / self.mouth_half_width, 1)
            weight[lower] = 1 - (1 - at_corner) * aside**3
        weight[MOUTH_CORNERS] = at_corner
        return weight

    def _displacements(self, canonical: NDArray) -> NDArray[np.float64]:
        """(4, 468, 3) fields of full smile, rounding, raised brows and the upper lip of an open mouth, cm."""
        rest = self.neutral
        fields = np.zeros((4, *rest.shape))
        smile, rounding, brows, upper_lip = (fields[k] for k in range(4))
        for side, corner in zip((-1, 1), MOUTH_CORNERS, strict=True):
            near = bump(rest, rest[corner].mean(0), (1.5, 1.4, 2.5))
            smile += near * [1.1 * side, 1.4, -0.6]
            rounding += near * [-0.75 * side, 0, 0.35]
            smile += bump(rest, (4.2 * side, -0.6, 4.5), (2, 1.8, 3)) * [0.2 * side, 0.65, 0.4]
        near = np.zeros((len(rest), 1))
        for landmark in BROWS.ravel():
            near = np.maximum(near, bump(rest, rest[landmark], (1.3, 1.1, 3)))
        near[UPPER_LIDS[:, 0]] = near[LOWER_LIDS] = 0
        near[UPPER_LIDS[:, 1]] *= 0.15
        brows += near * [0, 1.15, 0.05]
        middle = np.clip(1 - (rest[UPPER_LIP, 0] / self.mouth_half_width) ** 2, 0, None)
        upper_lip[UPPER_LIP, 1] = 0.28 * middle
        return fields

    def _swing_jaw(self, vertices: NDArray, mouth: float) -> None:
        angle = np.radians(JAW_SWING_DEG * mouth) * self._jaw_weight
        cos, sin = np.cos(angle), np.sin(angle)
        y, z = vertices[:, 1] - JAW_HINGE_CM[1], vertices[:, 2] - JAW_HINGE_CM[2]
        vertices[:, 1] = JAW_HINGE_CM[1] + y * cos - z * sin
        vertices[:, 2] = JAW_HINGE_CM[2] + y * sin + z * cos

    def _close_lids(self, vertices: NDArray, pose: Pose) -> None:
        """Move the upper lids down to the lower ones and a little with the gaze, and keep lids on the eyeballs."""
        follow = -0.011 * pose.gaze_y_deg * smoothstep(0.1, 0.5, pose.eye)
        closing = np.clip(1 - pose.eye, -0.25, 1) + follow
        drop = vertices[LOWER_LIDS[:, 0], 1] + 0.1 - vertices[UPPER_LIDS[:, 0], 1]
        for ring, share in enumerate((1.0, 0.55, 0.12)):
            vertices[UPPER_LIDS[:, ring], 1] += share * closing * drop
        vertices[LOWER_LIDS[:, 0], 1] += 0.1 * max(closing, 0) + 0.16 * pose.smile
        vertices[LOWER_LIDS[:, 1], 1] += 0.14 * pose.smile
        for lids, thickness in ((UPPER_LIDS[:, 0], 0.12), (LOWER_LIDS[:, 0], 0.1), (UPPER_LIDS[:, 1], 0.16)):
            centre = self.eyeballs[:, None]
            aside = vertices[lids] - centre
            squared = (EYEBALL_RADIUS_CM + thickness) ** 2 - aside[..., 0] ** 2 - aside[..., 1] ** 2
            surface = centre[..., 2] + np.sqrt(np.maximum(squared, 0.05))
            vertices[lids, 2] = np.maximum(vertices[lids, 2], surface)

    def _with_skirt(self, vertices: NDArray) -> NDArray:
        """Append two rings behind the rim, which close the gap to skull and neck."""
        rim = vertices[FACE_OVAL]
        below = smoothstep(2, -5, rim[:, 1])
        near, far = rim * [0.96, 1, 1], rim * [0.72, 1, 1]
        near[:, 1] += 0.3 * below
        near[:, 2] -= 1.6
        far[:, 1] += np.where(rim[:, 1] > 0, 0, 1.2 * below)
        far[:, 2] -= 5.0
        return np.concatenate([vertices, near, far])


def _eyeball(rest: NDArray, side: int) -> NDArray[np.float64]:
    """Centre of the eyeball, behind the middle of the opening, where it touches the lids."""
    ring = rest[np.r_[UPPER_LIDS[side, 0], LOWER_LIDS[side, 0]]]
    front = np.sort(ring[:, 2])[-6:].mean() - 0.16
    return np.array([rest[EYE_CORNERS[side], 0].mean(), ring[:, 1].mean(), front - EYEBALL_RADIUS_CM])


def _individual(traits: Traits, rng: np.random.Generator, canonical: NDArray) -> tuple[NDArray, NDArray]:
    """(468, 3) vertices of one person and the (3,) scale of the whole head."""

    def draw(deviation: float) -> float:
        return float(np.clip(rng.normal(0, deviation), -2 * deviation, 2 * deviation))

    v = _close_lips(canonical)
    x, y = v[:, :1], v[:, 1:2]
    outward = np.abs(x) * np.sign(x) * X
    broad = float(traits.darkness > 0.4)
    change = outward * smoothstep(-2, -8, y) * draw(0.07)  # width of the jaw
    change += outward * bump(v, (0, 8, 3), (20, 4, 9)) * draw(0.04)  # of the forehead
    change += (Y * draw(0.35) + Z * draw(0.35)) * bump(v, (0, -8.8, 4), (3.5, 2.2, 4))  # chin
    nose = bump(v, (0, -0.8, 6), (2.4, 1.8, 2.6))
    change += outward * nose * (draw(0.13) + 0.15 * broad) + (Y * draw(0.25) + Z * draw(0.3)) * nose
    change += Z * draw(0.25) * bump(v, (0, 2, 5.5), (1.2, 2.2, 2))  # bridge of the nose

    # the canonical eyes are too narrow for a blink to be seen: 1.6 times as high
    eye_scale = np.array([1 + draw(0.06), 1.6 + draw(0.09), 1])
    apart, tilt, cheekbone, brow_height = draw(0.12), draw(0.03), draw(0.3), draw(0.22)
    for side, corners in zip((-1, 1), EYE_CORNERS, strict=True):
        centre = v[corners].mean(0)
        aside = v - centre
        lids = aside * (eye_scale - 1) + X * side * apart + Y * side * aside[:, :1] * tilt
        change += bump(v, centre, (2.0, 1.3, 3)) * lids
        change += bump(v, (5.6 * side, -0.2, 2.5), (2.2, 2.4, 3)) * X * side * cheekbone
        change += bump(v, (3.4 * side, 4.8, 4.4), (3, 1.1, 2)) * Y * (brow_height - 0.35)

    lips = np.exp(-((x / 2.8) ** 2 + ((y + 4.3) / 1.5) ** 2))
    fullness = draw(0.12) - 0.2 + 0.12 * broad + 0.05 * traits.feminine
    change += lips * (X * x * draw(0.07) + Y * (y + 4.27) * fullness + Z * abs(fullness) * 0.6)
    for _ in range(14):  # unnamed variation, nearly the same on both sides
        centre, amount = v[rng.integers(N_VERTICES)], rng.normal(0, 0.11, 3)
        for side in (1, -1):
            mirror = np.array([side, 1, 1])
            change += bump(v, centre * mirror, 3.5) * amount * mirror * rng.uniform(0.8, 1.2)
    scale = np.array([1 + draw(0.035) - 0.02 * traits.feminine, 1 + draw(0.035), 1 + draw(0.02)])
    return (v + change) * scale, scale


def _close_lips(canonical: NDArray) -> NDArray[np.float64]:
    """Bring the canonical lips, which are parted, together without an overlap."""
    v = canonical.copy()
    for upper, lower in zip(UPPER_LIP.T, LOWER_LIP.T, strict=True):
        seam = (v[upper[0], 1] + v[lower[0], 1]) / 2
        for ring, share in ((1, 0.75), (2, 0.4), (3, 0.1)):
            v[upper[ring], 1] += share * (seam - v[upper[0], 1])
            v[lower[ring], 1] += share * (seam - v[lower[0], 1])
        v[upper[0], 1], v[lower[0], 1] = seam, seam + 0.02
        v[upper[0], 2] = v[lower[0], 2] - 0.05
        v[lower[0], 2] -= 0.12
    return v
