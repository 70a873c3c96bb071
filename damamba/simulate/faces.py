"""A person in front of a camera: `Actor` draws one frame for one `Pose`.

The face is MediaPipe's own canonical mesh, so that its landmarker finds what was posed. Everything about an actor
follows from a seed, with one stream of random numbers an aspect, and a frame follows from the pose and its index.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from damamba.console import InputError
from damamba.simulate import anatomy, clothes
from damamba.simulate.hair import hair, shade_under_hair
from damamba.simulate.mesh import read_canonical, rotation, smoothstep
from damamba.simulate.parts import Part, assemble
from damamba.simulate.raster import fill_triangles, pose_and_light, vertex_normals
from damamba.simulate.room import Hand, paint_room, room_light
from damamba.simulate.shape import EYEBALL_RADIUS_CM, JAW_HINGE_CM, JAW_SWING_DEG, FaceShape, Pose, face_topology
from damamba.simulate.skin import paint_face
from damamba.simulate.traits import Traits, stream

__all__ = ["Actor", "Pose"]

SUPERSAMPLING = 1.5
ALIGNMENT_PX = 4  # multiples of it are whole pixels at 1, 1.25 and 1.5 times the size
FIELD_OF_VIEW_DEG = 42.0
NECK_JOINT_CM = np.array([0, -8, -5.0])
HIP_JOINT_CM = np.array([0, -45, -5.0])
N_GRAINS = 4
GRAIN_LEVELS = 1.6


class Actor:
    """A synthetic person, with clothes, a room and a light.

    Args:
        seed: Of everything.
        task_path: MediaPipe's face landmarker, which holds the canonical mesh.
        width: Of the image, px; even.
        height: px; even.

    Raises:
        InputError: The model file is missing or wrong, or the size is odd or tiny.
    """

    def __init__(self, seed: int, task_path: Path, width: int = 640, height: int = 480) -> None:
        if width % ALIGNMENT_PX or height % ALIGNMENT_PX or min(width, height) < 64:
            raise InputError(
                f"simulate.width, simulate.height: {width} x {height}: expected multiples of {ALIGNMENT_PX} from 64 on"
            )
        self.seed, self.width, self.height = seed, width, height
        self.traits = traits = Traits.draw(seed)
        topology = face_topology(task_path)
        self._shape = FaceShape(traits, stream(seed, "shape"), topology)
        self._face_triangles = topology.subdivision.triangles.astype(np.int32)
        self._body = assemble(self._parts(task_path))
        self._face, *self._eyes = self._body.slices[:3]
        self._face_shade = self._body.shade[self._face].copy()
        self._eye_cap = anatomy.eyeball_cap()[0]
        self._light = room_light(stream(seed, "light"))
        self._distance_cm = stream(seed, "camera").uniform(50, 57)
        self._hand = Hand(traits.skin, height)
        self._room = paint_room(stream(seed, "room"), width, height)
        self._prepare_buffers()

    def _parts(self, task_path: Path) -> list[Part]:
        """All parts, front to back; the face and the eyes come first."""
        traits, shape, seed = self.traits, self._shape, self.seed
        rest = shape.deform(Pose())
        shade = shape.topology.occlusion * shade_under_hair(traits, rest)
        texture = paint_face(traits, stream(seed, "skin"), read_canonical(task_path).uv)
        parts = [
            Part(rest, self._face_triangles, shape.topology.uv, texture, shade=shade, moving=True),
            *anatomy.eyes(traits, stream(seed, "eyes")),
            *hair(traits, shape, stream(seed, "hair")),
            clothes.torso(traits, stream(seed, "clothes")),
            clothes.neck(traits),
            *anatomy.mouth(shape),
            anatomy.skull(traits, shape),
        ]
        if traits.hair_style != "scarf":
            parts += anatomy.ears(traits, shape)
        if traits.glasses:
            parts += anatomy.glasses(shape, stream(seed, "glasses"))
        return parts

    def _prepare_buffers(self) -> None:
        rows, columns = round(self.height * SUPERSAMPLING), round(self.width * SUPERSAMPLING)
        self._large_room = cv2.resize(self._room, (columns, rows), interpolation=cv2.INTER_LINEAR)
        self._canvas = self._large_room.copy()
        self._depth = np.zeros((rows, columns), np.float32)
        n = len(self._body.vertices)
        self._screen, self._colour = np.zeros((2, n, 3), np.float32)
        rng = stream(self.seed, "grain")
        grain = np.rint(rng.normal(0, GRAIN_LEVELS, (N_GRAINS, self.height, self.width, 1))).astype(np.int8)
        self._brighter = np.repeat(np.maximum(grain, 0).astype(np.uint8), 3, axis=3)
        self._darker = np.repeat(np.maximum(-grain, 0).astype(np.uint8), 3, axis=3)
        focal_px = rows / (2 * np.tan(np.radians(FIELD_OF_VIEW_DEG / 2)))
        self._camera = np.array([focal_px, self._distance_cm, columns / 2, rows * 0.47], np.float32)

    def render(self, pose: Pose, frame_index: int = 0) -> NDArray[np.uint8]:
        """One frame, (height, width, 3) RGB.

        Args:
            pose: What it shows.
            frame_index: Picks the sensor's grain.
        """
        frame = self._room.copy()
        if not pose.present:
            return frame
        self._move(pose)
        rows, columns = self._draw()
        part, n = frame[rows, columns], frame_index % N_GRAINS
        cv2.add(self._drawn(rows, columns), self._brighter[n, rows, columns], dst=part)
        cv2.subtract(part, self._darker[n, rows, columns], dst=part)
        if pose.hand > 0:
            self._raise_hand(frame, pose.hand)
        return frame

    def _move(self, pose: Pose) -> None:
        """Pose, light and project all vertices."""
        body, face = self._body, self._face
        body.vertices[face] = self._shape.deform(pose)
        vertex_normals(body.vertices[face], self._face_triangles, body.normals[face])
        body.shade[face] = self._face_shade * (1 - 0.3 * pose.smile * self._shape.folds)
        turn = rotation(pose.gaze_x_deg, -pose.gaze_y_deg)
        cap = self._eye_cap @ turn.T
        # the upper lid and the corners shade the eyeball
        eye_shade = 1 - 0.38 * smoothstep(0.06, 0.34, cap[:, 1]) - 0.15 * np.abs(cap[:, 0])
        for eye, centre in zip(self._eyes, self._shape.eyeballs, strict=True):
            body.vertices[eye] = centre + cap * EYEBALL_RADIUS_CM
            body.shade[eye] = eye_shade

        torso = _affine(rotation(0.12 * pose.yaw_deg, pose.lean_deg), HIP_JOINT_CM, [pose.shift_x_cm, 0, 0])
        neck_shift = torso @ [*NECK_JOINT_CM, 1] - NECK_JOINT_CM
        head = _affine(rotation(pose.yaw_deg, pose.pitch_deg, pose.roll_deg), NECK_JOINT_CM, neck_shift)
        jaw = _affine(rotation(0, JAW_SWING_DEG * pose.mouth), JAW_HINGE_CM, [0, 0, 0])
        motions = np.stack([head, torso, jaw]).astype(np.float32)
        pose_and_light(
            body.vertices,
            body.normals,
            body.weights,
            body.shade,
            motions,
            self._light,
            self._camera,
            self._screen,
            self._colour,
        )

    def _draw(self) -> tuple[slice, slice]:
        """Draw the person on the large canvas; returns rows and columns of the frame that were touched."""
        body = self._body
        box = fill_triangles(
            body.triangles,
            body.two_sided,
            self._screen,
            self._colour,
            body.texel,
            body.atlas,
            self._canvas,
            self._depth,
        )
        step = SUPERSAMPLING * ALIGNMENT_PX
        top, left = (int(edge // step) * ALIGNMENT_PX for edge in (box[0], box[2]))
        bottom, right = (int(-(-edge // step)) * ALIGNMENT_PX for edge in (box[1], box[3]))
        return slice(top, max(bottom, top)), slice(left, max(right, left))

    def _drawn(self, rows: slice, columns: slice) -> NDArray:
        """The touched part of the canvas at the size of the frame; leaves the canvas clean."""
        large = tuple(slice(int(s.start * SUPERSAMPLING), int(s.stop * SUPERSAMPLING)) for s in (rows, columns))
        size = (columns.stop - columns.start, rows.stop - rows.start)
        small = cv2.resize(self._canvas[large], size, interpolation=cv2.INTER_LINEAR)
        self._canvas[large] = self._large_room[large]
        self._depth[large] = 0
        return small

    def _raise_hand(self, frame: NDArray[np.uint8], hand: float) -> None:
        """0 below the picture, 0.5 over the mouth, 1 over the whole face, moving with the head."""
        lip, brow = (self._screen[self._face.start + landmark, :2] / SUPERSAMPLING for landmark in (13, 9))
        height = np.interp(hand, [0, 0.5, 1], [1.25 * self.height, lip[1] + 0.04 * self.height, brow[1]])
        self._hand.draw(frame, int(lip[0]), int(height))


def _affine(turn: NDArray, joint: NDArray, shift: ArrayLike) -> NDArray[np.float64]:
    """(3, 4) motion that turns about `joint` (3,) and then shifts by `shift` (3,)."""
    return np.c_[turn, joint + np.asarray(shift) - turn @ joint]
