"""Domain randomisation for compact-clip: pictures of drawn faces, changed until they are no longer those of one drawer.

crop with margin -> shift, turn, size -> light, texture, colour -> something in front -> blur, noise, compression
                                                             |
                                     the gradients to learn are those of this picture
"""

from collections.abc import Sequence

import cv2
import numpy as np
from faces import MARGIN_PX, SIDE_PX, TARGETS, TEACHER
from sklearn.datasets import load_sample_images

HOG_CELL_PX, HOG_BINS = 16, 9
MIRRORED = tuple(name in ("gaze_x", "yaw", "head_yaw") for name in (*TARGETS, *TEACHER))
"""Which targets change their sign in a mirror."""


def mirror_order(names: Sequence[str]) -> list[int]:
    """Index, for each target, of its counterpart in a mirror: left and right change places."""
    places = {name: k for k, name in enumerate(names)}
    swap = {"left": "right", "right": "left"}
    return [places["_".join(swap.get(part, part) for part in name.split("_"))] for name in names]


def histograms_of_gradients(pictures: np.ndarray) -> np.ndarray:
    """(n, 900) block-normalised histograms of (n, side, side, 3) uint8 pictures, in grey."""
    cell, block = (HOG_CELL_PX, HOG_CELL_PX), (2 * HOG_CELL_PX, 2 * HOG_CELL_PX)
    hog = cv2.HOGDescriptor((SIDE_PX, SIDE_PX), block, cell, cell, HOG_BINS)
    return np.stack([np.ravel(hog.compute(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))) for picture in pictures])


def dead_leaves(rng: np.random.Generator, side_px: int, leaves: int = 200) -> np.ndarray:
    """(side, side, 3) uint8: random ellipses that hide each other, with the statistics of natural pictures.

    Source: Lee, Mumford & Huang 2001, Int. J. Computer Vision 41.
    """
    picture = np.full((side_px, side_px, 3), 128, np.uint8)
    for _ in range(leaves):
        radius = 3 + side_px / 3 * rng.random() ** 3
        axes = (int(radius) + 1, int(radius * rng.uniform(0.2, 1)) + 1)
        centre = tuple(map(int, rng.integers(0, side_px, 2)))
        colour = rng.integers(0, 256) + rng.integers(-40, 41, 3)
        cv2.ellipse(picture, centre, axes, rng.uniform(0, 180), 0, 360, tuple(map(int, colour.clip(0, 255))), -1)
    return picture


def textures(rng: np.random.Generator) -> list[np.ndarray]:
    """Pictures without drawn faces: two photographs of scikit-learn (CC BY), and dead leaves."""
    return [*load_sample_images().images, *(dead_leaves(rng, 256) for _ in range(24))]


class Randomiser:
    """Makes one random picture of a crop; all that is random comes from `seed`."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._textures = textures(self._rng)

    def texture(self, side_px: int = SIDE_PX + 2 * MARGIN_PX) -> np.ndarray:
        """(side, side, 3) uint8 piece of a texture, in a random size."""
        picture = self._textures[self._rng.integers(len(self._textures))]
        piece = int(min(picture.shape[:2]) * self._rng.uniform(0.2, 1))
        top, left = (self._rng.integers(0, length - piece + 1) for length in picture.shape[:2])
        found = picture[top : top + piece, left : left + piece]
        return cv2.resize(found, (side_px, side_px), interpolation=cv2.INTER_AREA)

    def picture(self, crop: np.ndarray, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
        """(side, side, 3) uint8 twice: what the encoder sees, and the picture whose gradients it has to find.

        Args:
            crop: (128, 128, 3) uint8, with margin.
            mirror: Whether left and right change places.
        """
        clear = self._in_front(self._lit(self._moved(crop[:, ::-1] if mirror else crop)))
        return self._filmed(clear), clear

    def _moved(self, crop: np.ndarray) -> np.ndarray:
        rng = self._rng
        middle = (len(crop) - 1) / 2
        matrix = cv2.getRotationMatrix2D((middle, middle), rng.normal(0, 4), rng.uniform(0.9, 1.12))
        matrix[:, 2] += rng.normal(0, 2.5, 2) - MARGIN_PX
        matrix[0] *= 1 + rng.normal(0, 0.04)
        return cv2.warpAffine(crop, matrix, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REFLECT_101)

    def _lit(self, picture: np.ndarray) -> np.ndarray:
        """Texture, uneven light, colours, contrast; a few negatives."""
        rng = self._rng
        x = picture.astype(np.float32) / 255
        if rng.random() < 0.35:
            x += rng.uniform(0.1, 0.45) * (self.texture(SIDE_PX).astype(np.float32) / 255 - 0.5)
        if rng.random() < 0.35:
            grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
            x = grey + (x - grey) * np.float32(rng.choice([0.0, 0.4, 1.6]))
        x = x @ (np.eye(3) + rng.normal(0, 0.12, (3, 3))).astype(np.float32)
        if rng.random() < 0.6:
            light = cv2.resize(rng.normal(0, 0.35, (3, 3)).astype(np.float32), (SIDE_PX, SIDE_PX), None, 0, 0, 2)
            x *= np.exp(light)[..., None]
        x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.35)))
        x = (x - 0.5) * np.float32(np.exp(rng.normal(0, 0.35))) + np.float32(0.5 + rng.normal(0, 0.12))
        if rng.random() < 0.05:
            x = 1 - x
        return (x.clip(0, 1) * 255).astype(np.uint8)

    def _in_front(self, picture: np.ndarray) -> np.ndarray:
        """A piece of texture over a part, now and then; another background, at the edge."""
        rng = self._rng
        if rng.random() < 0.25:
            height, width = rng.integers(8, 40, 2)
            top, left = rng.integers(0, SIDE_PX - height), rng.integers(0, SIDE_PX - width)
            picture[top : top + height, left : left + width] = self.texture(SIDE_PX)[:height, :width]
        if rng.random() < 0.5:
            ellipse = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
            middle = SIDE_PX // 2
            axes = tuple(map(int, rng.integers(39, 56, 2)))
            cv2.ellipse(ellipse, (middle, middle), axes, 0, 0, 360, 255, -1)
            picture = np.where(ellipse[..., None] > 0, picture, self.texture(SIDE_PX))
        return picture

    def _filmed(self, picture: np.ndarray) -> np.ndarray:
        """Low resolution, blur, noise, compression."""
        rng = self._rng
        if rng.random() < 0.35:
            small = int(SIDE_PX * rng.uniform(0.35, 0.9))
            picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
            picture = cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.25:
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.4))
        if rng.random() < 0.4:
            noise = rng.normal(0, rng.uniform(1, 12), picture.shape).astype(np.float32)
            picture = (picture + noise).clip(0, 255).astype(np.uint8)
        if rng.random() < 0.35:
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))])
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
        return picture
