"""The painted skin of a face: one texture in the coordinates of the canonical mesh."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from damamba_sim.behaviour.traits import Traits, smooth_noise
from damamba_sim.faces.landmarks import (
    BROWS,
    CHEEKS,
    EYE_CORNERS,
    LIP_SEAM,
    LIPS_OUTLINE,
    LOWER_LIDS,
    LOWER_LIP_MIDDLE,
    NOSE_TIP,
    NOSE_WINGS,
    NOSTRILS,
    SMILE_LINES,
    UNDER_LIP,
    UNDER_NOSE,
    UPPER_LIDS,
    UPPER_LIP_OUTLINE,
)
from damamba_sim.faces.mesh import smoothstep

CANVAS_PX = 1024
TEXTURE_PX = 512  # about as many texels as pixels of a face, so the texture needs no filter
SUBPIXEL_BITS = 4
DOWN = np.array([0.0, 1.0])


class Canvas:
    """A square float RGB image; every stroke changes only its own rectangle.

    Points are (x, y) in canvas pixels; amounts are opacities, 0 to 1.
    """

    def __init__(self, image: NDArray) -> None:
        self.image = image

    def mix(self, opacity: NDArray, colour: ArrayLike, left: int, top: int) -> None:
        """Blend `colour` over the rectangle of `opacity` (h, w) whose corner is at (`left`, `top`)."""
        height, width = opacity.shape
        part = self.image[top : top + height, left : left + width]
        part += opacity[..., None].astype(np.float32) * (np.asarray(colour, np.float32) - part)

    def _rectangle(self, points: NDArray, margin: float) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of `points` (n, 2) with a margin, clipped to the canvas."""
        limit = self.image.shape[0]
        left, top = np.clip(np.floor(points.min(0) - margin), 0, limit - 2).astype(int)
        right, bottom = np.clip(np.ceil(points.max(0) + margin), 2, limit).astype(int)
        return left, top, right, bottom

    def spot(self, centre: NDArray, radii: tuple[float, float], amount: float, colour: ArrayLike) -> None:
        """A soft ellipse."""
        reach = 2.7 * np.asarray(radii)
        left, top, right, bottom = self._rectangle(np.stack([centre - reach, centre + reach]), 0)
        across = np.exp(-(((np.arange(left, right) - centre[0]) / radii[0]) ** 2))
        down = np.exp(-(((np.arange(top, bottom) - centre[1]) / radii[1]) ** 2))
        self.mix(np.clip(amount * down[:, None] * across, 0, 1), colour, left, top)

    def shape_mask(self, points: NDArray, blur_px: float, line_px: int | None = None) -> tuple[NDArray, int, int]:
        """Opacity (h, w) of a filled polygon, or of a line if `line_px` is given, and its left and top."""
        left, top, right, bottom = self._rectangle(points, 3 * blur_px + (line_px or 0) + 2)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        fixed = ((points - [left, top]) * 2**SUBPIXEL_BITS).astype(np.int32)
        if line_px is None:
            cv2.fillPoly(mask, [fixed], (255,), cv2.LINE_AA, SUBPIXEL_BITS)
        else:
            cv2.polylines(mask, [fixed], False, (255,), line_px, cv2.LINE_AA, SUBPIXEL_BITS)
        return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur_px), left, top

    def polygon(self, points: NDArray, blur_px: float, amount: float, colour: ArrayLike) -> None:
        """A filled polygon with soft edges."""
        mask, left, top = self.shape_mask(points, blur_px)
        self.mix(amount * mask, colour, left, top)

    def line(self, points: NDArray, width_px: int, blur_px: float, amount: float, colour: ArrayLike) -> None:
        """A soft line."""
        mask, left, top = self.shape_mask(points, blur_px, width_px)
        self.mix(amount * mask, colour, left, top)

    def hairs(
        self,
        rng: np.random.Generator,
        density: NDArray,
        corner: tuple[int, int],
        count: float,
        length_px: float,
        angle_rad: ArrayLike,
        colour: ArrayLike,
    ) -> None:
        """About `count` short strokes, distributed by `density` (h, w); `angle_rad` is (h, w) or one for all."""
        chance = density * (count / max(float(density.sum()), 1.0))
        rows, columns = np.nonzero(rng.random(density.shape, dtype=np.float32) < chance)
        angles = np.broadcast_to(angle_rad, density.shape)[rows, columns] + rng.normal(0, 0.25, len(rows))
        lengths = length_px * rng.uniform(0.6, 1.3, len(rows))
        ends = np.stack([columns + lengths * np.cos(angles), rows + lengths * np.sin(angles)], -1).astype(int)
        strengths = rng.integers(140, 255, len(rows))
        mask = np.zeros(density.shape, np.uint8)
        for row, column, end, strength in zip(
            rows.tolist(), columns.tolist(), ends.tolist(), strengths.tolist(), strict=True
        ):
            cv2.line(mask, (column, row), end, (strength,), 1, cv2.LINE_AA)
        self.mix(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 0.8), colour, *corner)


def paint_face(traits: Traits, rng: np.random.Generator, uv: NDArray) -> NDArray[np.uint8]:
    """The texture (TEXTURE_PX, TEXTURE_PX, 3) of one person's face.

    Args:
        traits: The looks of the person.
        rng: Random numbers of the aspect "skin".
        uv: (468, 2) texture coordinates of the canonical landmarks.
    """
    place = uv * CANVAS_PX
    canvas = Canvas(_complexion(traits, rng))
    _paint_tones(canvas, traits, place)
    _paint_age(canvas, traits, rng, place)
    _paint_nose(canvas, traits, place)
    _paint_lips(canvas, traits, rng, place)
    if traits.beard:
        _paint_beard(canvas, traits, rng, place)
    _paint_brows_and_lashes(canvas, traits, rng, place)
    small = cv2.resize(canvas.image, (TEXTURE_PX, TEXTURE_PX), interpolation=cv2.INTER_AREA)
    return np.clip(small, 0, 255).astype(np.uint8)


def _complexion(traits: Traits, rng: np.random.Generator) -> NDArray:
    n = CANVAS_PX
    blotches = cv2.resize(smooth_noise(rng, n // 4, n // 4, 22), (n, n), interpolation=cv2.INTER_LINEAR)
    pores = cv2.resize(smooth_noise(rng, n // 2, n // 2, 2), (n, n), interpolation=cv2.INTER_LINEAR)
    image = (1 + 0.035 * blotches + 0.03 * pores)[..., None] * traits.skin
    if rng.random() < 0.3:
        for x, y in rng.normal([n / 2, 520], [170, 60], (140, 2)):
            radius = int(rng.integers(1, 3))
            cv2.circle(image, (int(x), int(y)), radius, (traits.skin * 0.82).tolist(), -1, cv2.LINE_AA)
    return image


def _paint_tones(canvas: Canvas, traits: Traits, place: NDArray) -> None:
    skin = traits.skin
    blush = skin * [1.02, 0.84, 0.82]
    for cheek in CHEEKS:
        canvas.spot(place[cheek], (90, 70), 0.45, blush)
    canvas.spot(place[NOSE_TIP], (45, 40), 0.4, blush)
    for side in (0, 1):
        canvas.spot(place[LOWER_LIDS[side, 1]].mean(0) + 6 * DOWN, (60, 22), 0.28, skin * [0.78, 0.68, 0.68])
        canvas.spot(place[UPPER_LIDS[side, 1]].mean(0), (62, 20), 0.3, skin * [0.76, 0.66, 0.62])
        canvas.spot(place[EYE_CORNERS[side, 1]] - 8 * DOWN, (24, 30), 0.3, skin * 0.62)
        canvas.line(place[UPPER_LIDS[side, 1]], 3, 2.5, 0.45, skin * 0.5)


def _paint_age(canvas: Canvas, traits: Traits, rng: np.random.Generator, place: NDArray) -> None:
    wrinkle = traits.skin * 0.6
    for side in (0, 1):
        canvas.line(place[LOWER_LIDS[side, 1]], 3, 5, 0.5 * traits.age, wrinkle)
        canvas.line(place[SMILE_LINES[side]], 4, 6, 0.15 + 0.4 * traits.age, wrinkle)
    for k in range(3):
        forehead = np.c_[np.linspace(330, 694, 9), 175 + 30 * k + rng.normal(0, 4, 9)]
        canvas.line(forehead, 3, 3, 0.28 * max(0, traits.age - 0.4), wrinkle)


def _paint_nose(canvas: Canvas, traits: Traits, place: NDArray) -> None:
    skin = traits.skin
    canvas.spot(place[UNDER_NOSE] + 10 * DOWN, (60, 16), 0.35, skin * 0.6)
    for nostril, wing in zip(NOSTRILS, NOSE_WINGS, strict=True):
        canvas.spot(place[nostril].mean(0), (17, 9), 1.2, skin * 0.2)
        canvas.line(place[wing], 3, 4, 0.4, skin * 0.5)


def _paint_lips(canvas: Canvas, traits: Traits, rng: np.random.Generator, place: NDArray) -> None:
    colour = traits.skin * rng.uniform(0.82, 0.95) * [1.0, 0.66, 0.68]
    if traits.feminine and rng.random() < 0.6:
        lipstick = np.array([rng.uniform(150, 200), rng.uniform(40, 95), rng.uniform(55, 105)])
        colour = lipstick * (1 - 0.35 * traits.darkness)
    canvas.spot(place[UNDER_LIP], (60, 14), 0.3, traits.skin * 0.62)
    canvas.polygon(place[LIPS_OUTLINE], 3, 0.88, colour)
    canvas.polygon(place[UPPER_LIP_OUTLINE], 3, 0.35, colour * 0.75)
    canvas.spot(place[LOWER_LIP_MIDDLE], (34, 8), 0.22, [255, 235, 235])
    canvas.line(place[LIP_SEAM], 2, 2, 0.75, colour * 0.35)


def _paint_beard(canvas: Canvas, traits: Traits, rng: np.random.Generator, place: NDArray) -> None:
    top = 500
    y, x = np.mgrid[top:CANVAS_PX, :CANVAS_PX].astype(np.float32)
    aside = np.abs(x - CANVAS_PX / 2)
    edge = 30 * smooth_noise(rng, CANVAS_PX - top, CANVAS_PX, 40)
    jaw = smoothstep(560, 720, y + 0.25 * aside + edge) * (1 - smoothstep(330, 420, aside) * smoothstep(700, 500, y))
    moustache = np.exp(-((aside / 115) ** 4) - ((y - 635) / 26) ** 4)
    density = np.maximum(jaw, moustache)
    mask, left, lips_top = canvas.shape_mask(place[LIPS_OUTLINE], 5)
    height, width = mask.shape
    density[lips_top - top : lips_top - top + height, left : left + width] *= 1 - np.clip(1.5 * mask, 0, 1)
    density *= 1 - 0.8 * np.exp(-((aside / 60) ** 2) - ((y - 775) / 18) ** 2)  # bare under the lip
    hair = traits.hair * 0.8
    canvas.mix(density * (0.25 + 0.45 * traits.beard), traits.skin * 0.35 + hair * 0.45, 0, top)
    if traits.beard > 0.5:
        down_and_out = np.pi / 2 + (x - CANVAS_PX / 2) / 900
        canvas.hairs(rng, density, (0, top), 9000 * traits.beard, 14, down_and_out, hair)


def _paint_brows_and_lashes(canvas: Canvas, traits: Traits, rng: np.random.Generator, place: NDArray) -> None:
    hair = traits.hair * 0.8
    thickness = rng.uniform(0.5, 0.8) if traits.feminine else rng.uniform(0.75, 1.15)
    eye_shadow = 0.4 * rng.random() * traits.feminine
    for side, outward in ((0, -1), (1, 1)):
        lower, upper = place[BROWS[side, 0]], place[BROWS[side, 1]]
        upper = lower + (upper - lower) * thickness
        mask, left, top = canvas.shape_mask(np.concatenate([lower, upper[::-1]]), 5)
        canvas.mix(0.55 * mask, hair * 0.7 + traits.skin * 0.12, left, top)
        columns = np.arange(left, left + mask.shape[1])
        near_nose = np.abs(columns - CANVAS_PX / 2) < 130
        angle = (0 if outward > 0 else np.pi) - outward * (0.12 + 0.5 * near_nose)
        canvas.hairs(rng, mask > 0.4, (left, top), 420 * thickness, 22, angle, hair * 0.75)
        inner, outer = EYE_CORNERS[side, 0], EYE_CORNERS[side, 1]
        lashes = np.r_[inner, UPPER_LIDS[side, 0], outer]
        canvas.spot(place[UPPER_LIDS[side, 0]].mean(0) - 10 * DOWN, (55, 14), eye_shadow, traits.cloth * 0.6)
        canvas.line(place[lashes], 6 if traits.feminine else 4, 1.6, 0.95, [24, 16, 14])
        canvas.line(place[np.r_[inner, LOWER_LIDS[side, 0], outer]], 3, 1.5, 0.5, traits.skin * [0.6, 0.4, 0.4])
