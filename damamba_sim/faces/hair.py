"""Hair as a cap: one sheet from the crown down to the hairline, shaped by a style."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from damamba_sim.behaviour.traits import Traits, smooth_noise
from damamba_sim.faces.anatomy import SKULL_CENTRE_CM, SKULL_RADII_CM
from damamba_sim.faces.clothes import scarf_colour
from damamba_sim.faces.mesh import grid_triangles, smoothstep, sphere
from damamba_sim.faces.parts import Part, painted
from damamba_sim.faces.shape import FaceShape

N_AZIMUTHS, N_RINGS = 73, 30
TEXTURE_WIDTH_PX, TEXTURE_HEIGHT_PX = 512, 256
RING_SPACING = 1.7  # rings lie closer at the crown


@dataclass(frozen=True)
class Style:
    """A hair style; lengths in cm.

    Attributes:
        thickness: Thickness of the hair on top of the head.
        sides: Thickness on the sides, as a share of that on top.
        length: Height of the ends at the sides; None: the ears are free.
        fringe: How far the hair falls into the forehead.
        parting: Azimuth of the parting, radians; None: no parting.
        sweep: How much higher the hairline is on one side.
        front: How much the hair stands up in front.
        wave: Waviness of long hair.
        tips: How unevenly the ends are cut.
        curl: Size of the curls as a share of the texture; 0: straight strands.
    """

    thickness: float
    sides: float = 1.0
    length: float | None = None
    fringe: float = 0.0
    parting: float | None = None
    sweep: float = 0.0
    front: float = 0.0
    wave: float = 0.0
    tips: float = 0.5
    curl: float = 0.0


STYLES = {
    "crop": Style(1.1, sides=0.4, fringe=0.0, sweep=0.3, front=0.9, tips=0.5),
    "buzz": Style(0.3, sides=0.6, tips=0.25, curl=0.01),
    "side": Style(1.4, sides=0.4, sweep=0.8, parting=-0.5, front=0.7, tips=0.4),
    "quiff": Style(1.2, sides=0.25, front=2.2, tips=0.3),
    "afro": Style(3.2, length=-1.5, tips=0.5, curl=0.02),
    "bob": Style(1.3, length=-8, fringe=1.3, tips=0.9),
    "fringe": Style(1.2, length=-20, fringe=1.2, tips=1.0),
    "long": Style(1.1, length=-21, parting=0.12, tips=1.0),
    "wavy": Style(1.7, length=-19, parting=-0.3, wave=0.4, tips=1.2),
    "bun": Style(0.7, sides=0.6, tips=0.3),
    "scarf": Style(0.9, length=-17, tips=0.0),
}


def hair(traits: Traits, shape: FaceShape, rng: np.random.Generator) -> list[Part]:
    """The hair or headscarf; nothing for a bald head."""
    if traits.hair_style == "bald":
        return []
    style = STYLES[traits.hair_style]
    azimuth = np.linspace(-np.pi, np.pi, N_AZIMUTHS)  # 0 in front
    down, around = np.meshgrid(np.linspace(0, 1, N_RINGS), azimuth, indexing="ij")  # 0 crown, 1 ends
    hairline = _hairline(traits, style, azimuth, rng)
    vertices = _sheet(style, down, around, hairline, rng) * shape.scale
    uv = np.stack([(around + np.pi) / (2 * np.pi), down], -1).reshape(-1, 2)
    texture = _paint_strands(traits, style, azimuth, hairline, rng)
    shade = (0.8 + 0.2 * smoothstep(1, 0.6, down)).ravel()
    triangles = grid_triangles(N_AZIMUTHS, N_RINGS, closed=False)
    vertices = vertices.reshape(-1, 3)
    # the inside is seen only at the bottom, and further up where the hair is thick; head and face hide the rest
    inside_seen = vertices[triangles, 1].max(1) < 3 + 4 * style.thickness
    parts = [Part(vertices, triangles, uv, texture, shade=shade, two_sided=inside_seen)]
    if traits.hair_style == "bun":
        ball, triangles = sphere(32, 16)
        uv = np.stack([np.arctan2(ball[:, 0], ball[:, 2]) / 6.3 + 0.5, (1 - ball[:, 1]) / 2.2], -1)
        parts.append(Part((ball * 3.2 + [0, 14.2, -5]) * shape.scale, triangles, uv, texture))
    return parts


def shade_under_hair(traits: Traits, smooth_face: NDArray) -> NDArray[np.float64]:
    """(n,) share of the light that reaches the vertices (n, 3) of a face under hair: less near the rim."""
    if traits.hair_style == "bald":
        return np.ones(len(smooth_face))
    forehead = smoothstep(5.6, 7.6, smooth_face[:, 1])
    temples = smoothstep(5.4, 7.2, np.abs(smooth_face[:, 0]))
    return 1 - 0.25 * forehead - 0.2 * temples


def _hairline(traits: Traits, style: Style, azimuth: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N_AZIMUTHS,) height of the ends of the hair around the head, cm."""
    forehead = rng.uniform(7.3, 8.1)
    aside = np.abs(azimuth)
    if traits.hair_style == "scarf":
        return np.interp(aside, [0, 0.6, 1.0, 1.2, 1.6, np.pi], [7.4, 7.0, 4.5, -16, -17, -18])
    recess = 0.9 * rng.random() * (style.length is None) * (not traits.feminine)
    front = [
        (0.0, forehead - style.fringe),
        (0.45, forehead + 0.1 - 1.1 * style.fringe),
        (0.75, forehead + 0.2 + recess - 1.2 * style.fringe),
        (1.0, forehead - 1.3 + 0.4 * recess - 0.8 * style.fringe),
    ]
    if style.length is None:  # sideburns before the ears, an arc over them, the nape behind
        behind = [(1.12, 3.6), (1.2, 0.8), (1.3, 0.6), (1.38, 3.2), (1.68, 3.2), (1.85, -1), (2.4, -5), (np.pi, -6)]
    elif style.parting is not None:  # curtains that frame the face
        front = [(0.0, forehead + 1.6), (0.2, forehead + 0.9), (0.5, forehead - 0.6), (0.75, forehead - 2.6)]
        behind = [(0.95, 2.0), (1.1, -4), (1.25, style.length + 2), (1.6, style.length), (np.pi, style.length)]
    else:
        behind = [(1.2, 1.0), (1.35, style.length + 2), (1.6, style.length), (np.pi, style.length)]
    if style.parting is not None and style.length is not None:
        aside = np.abs(azimuth - style.parting * np.exp(-((azimuth / 0.8) ** 2)))
    line = np.interp(aside, *np.transpose(front + behind))
    line += style.sweep * np.sin(1.6 * azimuth + 0.6) * (aside < 1.0)
    return line


def _sheet(
    style: Style, down: NDArray, around: NDArray, hairline: NDArray, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(N_RINGS, N_AZIMUTHS, 3) vertices before scaling to the head, cm."""
    centre, radii = SKULL_CENTRE_CM, SKULL_RADII_CM
    aside = np.abs(around)
    falls = style.length is not None and style.length < -5
    crown = centre[1] + radii[1] + style.thickness
    y = crown + (hairline - crown) * down**RING_SPACING
    height = np.clip((y - centre[1]) / (radii[1] + style.thickness), -1, 1)
    bulge = np.where(height > 0, height, height * (0.55 if style.length is not None else 1))
    radius = np.sqrt(np.maximum(1 - bulge**2, 0.02))
    radius = np.where(y < centre[1] - 0.6 * radii[1], np.maximum(radius, 0.86), radius)

    lumps = smooth_noise(rng, N_RINGS, N_AZIMUTHS, 12, 6) * (0.5 if style.thickness > 0.5 else 0.05)
    lumps[:, -1] = lumps[:, 0]
    on_top = smoothstep(3.5, 10, y)
    taper = style.sides + (1 - style.sides) * on_top
    at_root = min(0.35, 0.4 / style.thickness)  # close to the skin where it grows
    root = np.where(aside < 1.25, at_root + (1 - at_root) * smoothstep(1.0, 0.8, down), 1.0)
    thickness = style.thickness * (taper * root + 0.5 * lumps * smoothstep(0, 0.3, down))
    thickness += style.front * np.exp(-((around / 0.8) ** 2)) * np.exp(-(((down - 0.72) / 0.2) ** 2))
    x = np.sin(around) * radius * (radii[0] + thickness)
    z = np.cos(around) * radius * (radii[2] + 0.9 * thickness)
    lift = style.front * np.exp(-((around / 0.9) ** 2)) * np.exp(-(((down - 0.62) / 0.25) ** 2))
    sheet = np.stack([x, y - centre[1] + 0.6 * lift, z], -1) + centre
    waving = style.wave * (y < 3)
    sheet[..., 0] += waving * np.sin(1.1 * y + 3 * around)
    sheet[..., 2] += waving * np.cos(1.3 * y)
    if falls:
        behind = smoothstep(0, -10, y) * (aside > 1.2)
        sheet[..., 0] *= 1 + 0.12 * behind
        sheet[..., 2] -= 1.2 * behind * (np.cos(around) > -0.3)
    return sheet


def _paint_strands(
    traits: Traits, style: Style, azimuth: NDArray, hairline: NDArray, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """RGBA texture: columns run around the head, rows from the crown to the ends; alpha makes the ends uneven."""
    h, w = TEXTURE_HEIGHT_PX, TEXTURE_WIDTH_PX
    row = ((np.arange(h) + 0.5) / h)[:, None]
    if traits.hair_style == "scarf":
        image = scarf_colour(traits) * (1 + 0.06 * smooth_noise(rng, h, w, 100, 20))[..., None]
        return painted(np.dstack([image, np.full((h, w), 255.0)]))
    if style.curl:
        cell = max(2.0, style.curl * h)
        strands = 0.3 * smooth_noise(rng, h, w, cell, cell)
    else:
        strands = 0.2 * smooth_noise(rng, h, w, 130, 2) + 0.1 * smooth_noise(rng, h, w, 160, 9)
        gloss_row = 0.42 + 0.03 * smooth_noise(rng, 1, w, 1, 12)
        strands += 0.3 * np.exp(-(((row - gloss_row) / 0.07) ** 2))
    image = traits.hair * (1 + strands + 0.1 * smooth_noise(rng, h, w, 40, 40))[..., None]
    if style.parting is not None:
        column = (style.parting + np.pi) / (2 * np.pi) * w
        scalp = np.exp(-(((np.arange(w) - column) / 1.6) ** 2)) * (row < 0.9)
        image += 0.7 * scalp[..., None] * (traits.skin * 0.7 - image)
    raggedness_cm = style.tips * (np.abs(smooth_noise(rng, 1, w, 1, 2)) + 0.6 * np.abs(smooth_noise(rng, 1, w, 1, 9)))
    around = np.linspace(-np.pi, np.pi, w)
    raggedness_cm *= 1 - 0.8 * np.exp(-(((np.abs(around) - 1.0) / 0.25) ** 2))  # no gaps at the temples
    length_cm = SKULL_CENTRE_CM[1] + SKULL_RADII_CM[1] - np.interp(around, azimuth, hairline)
    ends = 0.99 - raggedness_cm / (RING_SPACING * length_cm)
    alpha = np.where(row > ends, 0.0, 255.0)
    return painted(np.dstack([image, alpha]))
