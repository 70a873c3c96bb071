"""Neck, torso and clothes."""

import numpy as np
from numpy.typing import NDArray

from damamba_sim.behaviour.traits import Traits, smooth_noise
from damamba_sim.faces.anatomy import ROUND, power
from damamba_sim.faces.mesh import grid_triangles, smoothstep
from damamba_sim.faces.parts import Part, painted, plain

TORSO_PROFILE_CM = np.array(  # height, half width, half depth
    [
        [-12.6, 4.2, 4.2],
        [-14.4, 6.8, 5.8],
        [-16, 10, 7],
        [-17.4, 14, 8],
        [-19.2, 17.4, 8.6],
        [-22, 19.6, 9.2],
        [-28, 20.6, 10.5],
        [-60, 20, 12],
    ]
)


def scarf_colour(traits: Traits) -> NDArray[np.float32]:
    """Colour of a headscarf, which matches the clothes."""
    return traits.cloth * np.float32(0.4) + np.float32(40 + 90 * traits.age)


def neck(traits: Traits) -> Part:
    """A tube that bends between head and torso, shaded under the chin."""
    heights = np.linspace(-2, -19, 9)
    width = 5.1 - 0.6 * traits.feminine
    rings = []
    for y in heights:
        flare = 0.35 * max(0, -y - 12.5)
        x, z = np.sin(ROUND) * (width + flare), np.cos(ROUND) * (width + 0.2) - 4.6 + 0.1 * (y + 10)
        rings.append(np.c_[x, np.full_like(x, y), z])
    vertices = np.concatenate(rings)
    tone = scarf_colour(traits) if traits.hair_style == "scarf" else traits.skin * [0.98, 0.97, 0.97]
    shade = np.repeat(np.interp(-heights, [6, 9, 12, 15], [0.5, 0.6, 0.85, 0.97]), len(ROUND))
    triangles = grid_triangles(len(ROUND), len(heights))
    return Part(vertices, triangles, 0.5, plain(tone), on_head=smoothstep(-15, -5, vertices[:, 1]), shade=shade)


def torso(traits: Traits, rng: np.random.Generator) -> Part:
    """Shoulders and chest under a garment."""
    build = (1 - 0.1 * traits.feminine) * rng.uniform(0.95, 1.05)
    rings = []
    for y, half_width, half_depth in TORSO_PROFILE_CM:
        x = power(np.sin(ROUND), 0.85) * half_width * build
        rings.append(np.c_[x, np.full_like(x, y), power(np.cos(ROUND), 0.85) * half_depth - 4.8])
    n_rings = len(TORSO_PROFILE_CM)
    to_back = np.abs((ROUND / np.pi + 1) % 2 - 1)  # 0 in front, 1 behind, both sides alike
    uv = np.c_[np.tile(to_back, n_rings), np.repeat(np.linspace(0, 1, n_rings), len(ROUND))]
    shade = np.repeat(np.interp(np.arange(n_rings), [0, 1, 2], [0.74, 0.88, 1]), len(ROUND))
    triangles = grid_triangles(len(ROUND), n_rings)
    return Part(np.concatenate(rings), triangles, uv, _paint_garment(traits, rng), on_head=0.0, shade=shade)


def _paint_garment(traits: Traits, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Columns run from the front to the back, rows from the neck down."""
    n = 256
    folds, weave = smooth_noise(rng, n, n, 60, 12), smooth_noise(rng, n, n, 2)
    image = (1 + 0.08 * folds + 0.05 * weave)[..., None] * traits.cloth
    v, u = np.mgrid[:n, :n] / n
    kind = rng.choice(["v-neck", "stripes", "collar", "jacket"])
    opening = 0.28 * np.clip(1 - u / 0.16, 0, 1) if kind in ("v-neck", "collar") else 0.05
    skin = v < 0.15 + opening
    if kind == "stripes":
        image *= np.where((v * 64).astype(int) % 4 < 2, 1, 0.78)[..., None]
    elif kind == "collar":
        image[(v < 0.22 + 0.28 * np.clip(1 - u / 0.2, 0, 1)) & ~skin] = traits.cloth * 0.5 + 100
    elif kind == "jacket":
        image *= np.where((u > 0.3) | (v < 0.24), 0.6, 1)[..., None]
    if traits.hair_style != "scarf":
        image[skin] = traits.skin * 0.93
    return painted(image)
