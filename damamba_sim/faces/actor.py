"""A person in front of a camera: `Actor` draws one frame for one `Pose`.

The face is MediaPipe's own canonical mesh, so its landmarker recovers the pose. Everything about an actor follows from
a seed, with one stream of random numbers per aspect, and a frame follows from the pose and its index.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from damamba.console import InputError
from damamba.streams.face_mesh import read_canonical
from damamba_sim.behaviour.traits import Traits, stream
from damamba_sim.faces import anatomy, clothes
from damamba_sim.faces.filming import PLAIN, Filming
from damamba_sim.faces.hair import hair, shade_under_hair
from damamba_sim.faces.mesh import rotation, smoothstep
from damamba_sim.faces.parts import Part, assemble
from damamba_sim.faces.raster import fill_triangles, pose_and_light, vertex_normals
from damamba_sim.faces.room import Hand, Microphone, paint_room, room_light
from damamba_sim.faces.shape import EYEBALL_RADIUS_CM, JAW_HINGE_CM, JAW_SWING_DEG, FaceShape, Pose, face_topology
from damamba_sim.faces.skin import paint_face

__all__ = ["Actor", "Pose"]

SUPERSAMPLING = 1.5
ALIGNMENT_PX = 4  # its multiples are whole pixels at 1, 1.25 and 1.5 times the size
SMALLEST_PX = 64
FIELD_OF_VIEW_DEG = 42.0
NECK_JOINT_CM = np.array([0, -8, -5.0])
HIP_JOINT_CM = np.array([0, -45, -5.0])
SHOULDERS_CM = 45.0
"""How far beside the picture the middle of a person must be to be out of it."""
N_GRAINS = 4
NOSE_CM = np.array([0, 0, 6.0])
LEAST_SMEAR_PX = 0.7


class Actor:
    """A synthetic person, with clothes, a room and a light.

    Args:
        seed: Seed of everything about the person and the room.
        task_path: MediaPipe's face landmarker, which contains the canonical mesh.
        width: Width of the image, px.
        height: Height of the image, px.
        filming: The camera and its flaws.

    Raises:
        InputError: The model file is missing or wrong, or `check_size` refuses the size.
    """

    def __init__(
        self, seed: int, task_path: Path, width: int = 640, height: int = 480, filming: Filming = PLAIN
    ) -> None:
        check_size(width, height)
        self.seed, self.width, self.height = seed, width, height
        self.traits = traits = Traits.draw(seed)
        topology = face_topology(task_path)
        self._shape = FaceShape(traits, stream(seed, "shape"), topology)
        self._face_triangles = topology.subdivision.triangles.astype(np.int32)
        self._body = assemble(self._parts(task_path))
        self._face, *self._eyes = self._body.slices[:3]
        self._face_shade = self._body.shade[self._face].copy()
        self._eye_cap = anatomy.eyeball_cap()[0]
        tint = (filming.exposure * np.array([1 + filming.warmth, 1, 1 - filming.warmth])).astype(np.float32)
        self._light = room_light(stream(seed, "light"))
        self._light[1:] *= tint
        self._view = rotation(filming.aside_deg, filming.elevation_deg)
        self._distance_cm = stream(seed, "camera").uniform(50, 57)
        self._hand = Hand(traits.skin * (self._light[2] + 0.7 * self._light[1]), height)
        self._room = np.clip(paint_room(stream(seed, "room"), width, height) * tint, 0, 255).astype(np.uint8)
        self._microphone = Microphone(filming.object_side, width, height, filming.exposure)
        self._microphone.draw(self._room)
        self._prepare_buffers(filming.grain)

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

    def _prepare_buffers(self, grain_levels: float) -> None:
        rows, columns = round(self.height * SUPERSAMPLING), round(self.width * SUPERSAMPLING)
        self._large_room = cv2.resize(self._room, (columns, rows), interpolation=cv2.INTER_LINEAR)
        self._canvas = self._large_room.copy()
        self._depth = np.zeros((rows, columns), np.float32)
        n = len(self._body.vertices)
        self._screen, self._colour = np.zeros((2, n, 3), np.float32)
        rng = stream(self.seed, "grain")
        grain = np.rint(rng.normal(0, grain_levels, (N_GRAINS, self.height, self.width, 1))).astype(np.int8)
        self._brighter = np.repeat(np.maximum(grain, 0).astype(np.uint8), 3, axis=3)
        self._darker = np.repeat(np.maximum(-grain, 0).astype(np.uint8), 3, axis=3)
        # around the person the noise is the same in every picture: only the person matters
        noisy = cv2.subtract(cv2.add(self._room, self._brighter[0]), self._darker[0])
        self._room = np.asarray(noisy, np.uint8)
        focal_px = rows / (2 * np.tan(np.radians(FIELD_OF_VIEW_DEG / 2)))
        self._camera = np.array([focal_px, self._distance_cm, columns / 2, rows * 0.47], np.float32)
        self._way_out_cm = columns / 2 / focal_px * self._distance_cm + SHOULDERS_CM

    def render(self, pose: Pose, frame_index: int = 0, before: Pose | None = None) -> NDArray[np.uint8]:
        """One frame, (height, width, 3) RGB.

        Args:
            pose: What the frame shows.
            frame_index: Selects the sensor's grain.
            before: The pose when the shutter opened; the motion since then smears the picture. None: no smear.
        """
        frame = self._room.copy()
        if not pose.present:
            return frame
        self._move(pose)
        rows, columns = self._draw()
        part, n = frame[rows, columns], frame_index % N_GRAINS
        if not part.size:  # already past the edge of the picture
            return frame
        drawn = self._take_from_canvas(rows, columns)
        if before is not None:
            drawn = smear(drawn, self._nose_px(pose) - self._nose_px(before))
        cv2.add(drawn, self._brighter[n, rows, columns], dst=part)
        cv2.subtract(part, self._darker[n, rows, columns], dst=part)
        if pose.hand > 0:
            self._raise_hand(frame, pose.hand)
        self._microphone.draw(frame)
        return frame

    def _bones(self, pose: Pose) -> tuple[NDArray, NDArray]:
        """(3, 4) motions of head and torso relative to the camera."""
        shift_cm = pose.shift_x_cm + pose.exit * self._way_out_cm
        torso = _affine(rotation(0.12 * pose.yaw_deg, pose.lean_deg), HIP_JOINT_CM, [shift_cm, 0, 0])
        neck_shift = torso @ [*NECK_JOINT_CM, 1] - NECK_JOINT_CM
        head = _affine(rotation(pose.yaw_deg, pose.pitch_deg, pose.roll_deg), NECK_JOINT_CM, neck_shift)
        return self._view @ head, self._view @ torso

    def _nose_px(self, pose: Pose) -> NDArray[np.float64]:
        """(2,) position of the tip of the nose in the frame, px."""
        x, y, z = self._bones(pose)[0] @ [*NOSE_CM, 1]
        return np.array([x, -y]) * self._camera[0] / (self._distance_cm - z) / SUPERSAMPLING

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

        jaw = _affine(rotation(0, JAW_SWING_DEG * pose.mouth), JAW_HINGE_CM, [0, 0, 0])
        motions = np.stack([*self._bones(pose), jaw]).astype(np.float32)
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
        """Draw the person on the large canvas; returns the rows and columns of the frame that changed."""
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

    def _take_from_canvas(self, rows: slice, columns: slice) -> NDArray:
        """The changed part of the canvas at the size of the frame; afterwards the canvas is clean again."""
        large = tuple(slice(int(s.start * SUPERSAMPLING), int(s.stop * SUPERSAMPLING)) for s in (rows, columns))
        size = (columns.stop - columns.start, rows.stop - rows.start)
        small = cv2.resize(self._canvas[large], size, interpolation=cv2.INTER_LINEAR)
        self._canvas[large] = self._large_room[large]
        self._depth[large] = 0
        return small

    def _raise_hand(self, frame: NDArray[np.uint8], hand: float) -> None:
        """Draw the hand, which moves with the head: 0 below the picture, 0.5 over the mouth, 1 over the whole face."""
        lip, brow = (self._screen[self._face.start + landmark, :2] / SUPERSAMPLING for landmark in (13, 9))
        height = np.interp(hand, [0, 0.5, 1], [1.25 * self.height, lip[1] + 0.04 * self.height, brow[1]])
        self._hand.draw(frame, int(lip[0]), int(height))


def check_size(width: int, height: int) -> None:
    """Fail fast where a picture of this size (px) cannot be drawn.

    Raises:
        InputError: A side is too small, or not a multiple of `ALIGNMENT_PX`.
    """
    if width % ALIGNMENT_PX or height % ALIGNMENT_PX or min(width, height) < SMALLEST_PX:
        raise InputError(
            f"params.yaml: simulate.resolution: {width} x {height}; "
            f"use multiples of {ALIGNMENT_PX}, at least {SMALLEST_PX}"
        )


def smear(image: NDArray[np.uint8], motion_px: NDArray) -> NDArray[np.uint8]:
    """Motion blur: `image` (H, W, 3) averaged along `motion_px` (2,), x and y."""
    length_px = float(np.hypot(*motion_px))
    if length_px < LEAST_SMEAR_PX:
        return image
    reach = int(np.ceil(length_px / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for along in np.linspace(-0.5, 0.5, 2 * reach + 1):
        x, y = reach + along * motion_px
        column, row = int(x), int(y)
        kernel[row : row + 2, column : column + 2] += np.outer([row + 1 - y, y - row], [column + 1 - x, x - column])
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def _affine(turn: NDArray, joint: NDArray, shift: ArrayLike) -> NDArray[np.float64]:
    """(3, 4) motion that turns about `joint` (3,) and then shifts by `shift` (3,)."""
    return np.c_[turn, joint + np.asarray(shift) - turn @ joint]
