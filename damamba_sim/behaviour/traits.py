"""The looks of a simulated person, as far as more than one module depends on them."""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SKIN_TONES = (
    (240, 208, 188),
    (229, 190, 162),
    (236, 196, 172),
    (210, 164, 128),
    (196, 148, 112),
    (168, 118, 84),
    (134, 90, 62),
    (102, 68, 48),
)
DARK_HAIR = ((30, 24, 22), (52, 36, 26), (24, 22, 24))
ANY_HAIR = (*DARK_HAIR, (84, 56, 36), (122, 84, 50), (178, 140, 88), (120, 52, 30))
GREY = 128.0
FEMININE_STYLES = ("long", "bob", "bun", "scarf", "wavy", "fringe")
STYLES = ("crop", "long", "buzz", "bob", "afro", "bald", "side", "bun", "scarf", "fringe", "quiff", "wavy")


def stream(seed: int, aspect: str) -> np.random.Generator:
    """Random numbers for one aspect of a person: an extra draw for one aspect does not change the others."""
    return np.random.default_rng([seed, zlib.crc32(aspect.encode())])


def colour_of(hue: int, saturation: int, value: int) -> NDArray[np.float32]:
    """RGB (3,), 0 to 255, from OpenCV's HSV (hue below 180)."""
    pixel = np.array([[[hue, saturation, value]]], np.uint8)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cell_y: float, cell_x: float | None = None
) -> NDArray[np.float32]:
    """(height, width) noise in [-1.5, 1.5], mostly in [-1, 1], smooth over cells of `cell_y` by `cell_x` pixels."""
    shape = (max(2, int(height / cell_y)) + 1, max(2, int(width / (cell_x or cell_y))) + 1)
    coarse = rng.standard_normal(shape, dtype=np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), -2.5, 2.5) * np.float32(0.6)


@dataclass(frozen=True)
class Traits:
    """Looks of one person. Colours are RGB, 0 to 255.

    Attributes:
        skin: Base colour of the skin.
        darkness: Darkness of the skin, 0 white to 1 black.
        hair: Base colour of hair, beard and brows.
        hair_style: One of `STYLES`.
        feminine: Narrower neck and shoulders, fuller lips, no beard, sometimes make-up.
        age: 0 young to 1 old: lines, bags under the eyes, grey hair.
        beard: 0 none, 0.35 stubble, to 1 full.
        glasses: Whether worn.
        cloth: Base colour of the clothes.
    """

    skin: NDArray[np.float32]
    darkness: float
    hair: NDArray[np.float32]
    hair_style: str
    feminine: bool
    age: float
    beard: float
    glasses: bool
    cloth: NDArray[np.float32]

    @classmethod
    def draw(cls, seed: int) -> "Traits":
        """The traits of the person `seed`; consecutive seeds differ in skin and hair style."""
        rng = stream(seed, "traits")
        tone = np.asarray(SKIN_TONES[(seed * 3 + seed // 8) % len(SKIN_TONES)], np.float32)
        skin = np.clip(tone + rng.normal(0, 6, 3), 40, 250).astype(np.float32)
        darkness = float(1 - skin.mean() / 255)
        style = STYLES[seed % len(STYLES)]
        feminine = style in FEMININE_STYLES or rng.random() < 0.2
        age = float(rng.random())
        beard = 0.0 if feminine else float(rng.choice([0, 0, 0.35, 0.7, 1]))
        palette = ANY_HAIR if darkness < 0.45 else DARK_HAIR
        hair = np.asarray(palette[rng.integers(len(palette))], np.float32) * np.float32(rng.uniform(0.85, 1.15))
        if age > 0.8:
            hair = hair * np.float32(0.3) + np.float32(GREY * rng.uniform(0.7, 1.1))
        cloth = colour_of(*rng.integers([0, 30, 50], [180, 190, 220]).tolist())
        return cls(skin, darkness, hair, style, feminine, age, beard, bool(rng.random() < 0.3), cloth)
