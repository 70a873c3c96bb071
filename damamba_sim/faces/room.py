"""The room behind a person, its light, and a hand or microphone before the face."""

import cv2
import numpy as np
from numpy.typing import NDArray

from damamba_sim.behaviour.traits import colour_of, smooth_noise


def paint_room(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A wall with blurred furniture, (height, width, 3) RGB."""
    scale = height / 480
    wall = colour_of(*rng.integers([0, 5, 120], [180, 60, 225]).tolist())
    y, x = np.mgrid[:height, :width].astype(np.float32)
    fall_off = 1.05 - 0.3 * y / height + 0.15 * rng.uniform(-1, 1) * (x / width - 0.5)
    room = fall_off[..., None] * wall
    for _ in range(rng.integers(2, 7)):
        left, top = rng.uniform(-60 * scale, width), rng.uniform(-60 * scale, height - 100 * scale)
        wide, high = rng.uniform(40, 220) * scale, rng.uniform(40, 260) * scale
        colour = rng.uniform(30, 235) * (0.6 + rng.uniform(-0.12, 0.12, 3)) + wall * 0.4
        corner, opposite = (int(left), int(top)), (int(left + wide), int(top + high))
        cv2.rectangle(room, corner, opposite, colour.tolist(), -1)
        inset = int(5 * scale)
        for shelf in range(rng.integers(0, 5)):
            corner = (int(left) + inset, int(top + shelf * high / 5) + inset)
            opposite = (int(left + wide) - inset, int(top + (shelf + 0.85) * high / 5))
            cv2.rectangle(room, corner, opposite, (colour * rng.uniform(0.6, 1.2)).tolist(), -1)
    room = cv2.GaussianBlur(room, (0, 0), rng.uniform(3, 9) * scale)
    room += 1.5 * smooth_noise(rng, height, width, 2)[..., None]
    return np.clip(room, 0, 255).astype(np.uint8)


def room_light(rng: np.random.Generator) -> NDArray[np.float32]:
    """(3, 3): direction to the key light, its colour (warm or cool), colour of the ambient light."""
    direction = np.array([rng.uniform(-1, 1), rng.uniform(0.2, 0.9), 1.0])
    tint = [1, 0.97, 0.93] if rng.random() < 0.6 else [0.97, 0.98, 1.01]
    key = np.array(tint) * rng.uniform(0.5, 0.62)
    ambient = np.array([0.97, 0.97, 0.99]) * rng.uniform(0.42, 0.52)
    return np.stack([direction / np.linalg.norm(direction), key, ambient]).astype(np.float32)


class Hand:
    """A flat, softly shaded hand that rises in front of the face."""

    def __init__(self, skin: NDArray, height: int) -> None:
        scale = height / 480
        wide, high = int(190 * scale), int(520 * scale)
        mask = np.zeros((high, wide), np.uint8)

        def at(x: float, y: float) -> tuple[int, int]:
            return int(wide / 2 + x * scale), int((105 + y) * scale)

        palm = (int(50 * scale), int(48 * scale))
        cv2.ellipse(mask, at(0, 25), palm, 0, 0, 360, (255,), -1, cv2.LINE_AA)
        for base, tip, length in ((-36, -44, 70), (-13, -16, 92), (11, 14, 90), (33, 42, 72)):
            cv2.line(mask, at(base, 10), at(tip, 10 - length), (255,), int(23 * scale), cv2.LINE_AA)
        cv2.line(mask, at(-42, 40), at(-78, -5), (255,), int(24 * scale), cv2.LINE_AA)
        cv2.line(mask, at(0, 60), at(26, 460), (255,), int(70 * scale), cv2.LINE_AA)
        inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
        shade = np.clip(0.62 + inside / (26 * scale), 0, 1)[..., None]
        self._opacity = (mask / 255.0)[..., None].astype(np.float32)
        self._painted = (self._opacity * shade * skin).astype(np.float32)
        self._palm_y = int(105 * scale)

    def draw(self, image: NDArray[np.uint8], x: int, y: int) -> None:
        """Draw the hand over `image` (H, W, 3), with the palm at column `x` and row `y`."""
        high, wide = self._opacity.shape[:2]
        left, top = x - wide // 2, y - self._palm_y
        rows = slice(max(top, 0), min(top + high, image.shape[0]))
        columns = slice(max(left, 0), min(left + wide, image.shape[1]))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        own = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        under = image[rows, columns]
        image[rows, columns] = (under * (1 - self._opacity[own]) + self._painted[own]).astype(np.uint8)


class Microphone:
    """A microphone on an arm in front of one cheek; nothing where `side` is 0.

    Args:
        side: -1 on the viewer's left, 1 on the right, 0 none.
        width: Width of the image, px.
        height: Height of the image, px.
        exposure: Factor on its light.
    """

    def __init__(self, side: int, width: int, height: int, exposure: float) -> None:
        self._rows = self._columns = slice(0, 0)
        if not side:
            return
        scale = height / 480
        mask, shade = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)

        def at(x: float, y: float) -> tuple[int, int]:
            return int(width / 2 + side * x * scale), int(height / 2 + y * scale)

        for image, colour in ((mask, 255), (shade, 70)):
            cv2.line(image, at(108, 78), at(250, 270), (colour,), max(int(9 * scale), 1), cv2.LINE_AA)
            cv2.ellipse(image, at(97, 60), (int(21 * scale), int(32 * scale)), -34 * side, 0, 360, (colour,), -1)
        cv2.ellipse(shade, at(92, 54), (int(11 * scale), int(19 * scale)), -34 * side, 0, 360, (105,), -1)
        mask = cv2.GaussianBlur(mask, (0, 0), 0.8 * scale + 0.2)
        shade = cv2.GaussianBlur(shade, (0, 0), 4 * scale + 0.2)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        self._rows, self._columns = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        opacity = mask[self._rows, self._columns, None] / np.float32(255)
        self._through = 1 - opacity
        self._painted = opacity * shade[self._rows, self._columns, None] * np.float32(exposure)

    def draw(self, image: NDArray[np.uint8]) -> None:
        """Draw the microphone over `image` (H, W, 3)."""
        if self._rows.stop:
            under = image[self._rows, self._columns]
            image[self._rows, self._columns] = (under * self._through + self._painted).astype(np.uint8)
