"""Parts of the head besides face and hair: skull, ears, eyes, mouth, glasses."""

import numpy as np
from numpy.typing import NDArray

from damamba_sim.behaviour.traits import Traits
from damamba_sim.faces.mesh import grid_triangles, rotation, smoothstep, sphere, tube
from damamba_sim.faces.parts import Part, painted, plain
from damamba_sim.faces.shape import EYEBALL_RADIUS_CM, FaceShape

SKULL_CENTRE_CM = np.array([0, 3.2, -3.8])
SKULL_RADII_CM = np.array([7.55, 9.5, 9.2])
IRISES = ((80, 50, 28), (105, 75, 42), (90, 112, 125), (85, 105, 75), (56, 36, 24))
DARK_IRISES = (IRISES[0], IRISES[4])
FRAMES = ((20, 20, 22), (90, 55, 30), (120, 120, 125))
ROUND = np.linspace(0, 2 * np.pi, 48, endpoint=False)


def skull(traits: Traits, shape: FaceShape) -> Part:
    """An ellipsoid behind the face, open in front, because eyes and mouth are holes in the face."""
    ball, triangles = sphere(48, 24)
    vertices = SKULL_CENTRE_CM + ball * SKULL_RADII_CM
    aside = np.abs(vertices[:, 0])
    in_front = (vertices[:, 2] > 1.5) & (vertices[:, 1] + 0.3 * aside < 6.4) & (aside < 6.3)
    shade = 1.0 if traits.hair_style == "bald" else 0.85
    tone = traits.skin * [0.98, 0.97, 0.97]
    return Part(vertices * shape.scale, triangles[~in_front[triangles].any(1)], 0.5, plain(tone), shade=shade)


def ears(traits: Traits, shape: FaceShape) -> list[Part]:
    """Two flat ellipsoids, darker in the middle."""
    ball, triangles = sphere(24, 12)
    ear = ball * [0.65, 2.7, 1.6]
    to_rim = np.hypot(ear[:, 1] / 2.7, ear[:, 2] / 1.6)
    tone = plain(traits.skin * [0.98, 0.94, 0.93])
    parts = []
    for side in (-1, 1):
        turned = ear @ rotation(side * 14, 0, -side * 8).T + [side * 7.9, 0.5, -3.3]
        parts.append(Part(turned * shape.scale, triangles, 0.5, tone, shade=0.62 + 0.4 * to_rim**2))
    return parts


def eyeball_cap() -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """The front of an eyeball of radius 1 that looks along z: vertices, triangles and uv."""
    polar, azimuth = np.meshgrid(np.linspace(0, 1.25, 9), ROUND[::2], indexing="ij")
    cap = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], -1).reshape(-1, 3)
    return cap, grid_triangles(24, 9), np.c_[cap[:, 0] / 2 + 0.5, 0.5 - cap[:, 1] / 2]


def eyes(traits: Traits, rng: np.random.Generator) -> list[Part]:
    """Two eyeballs, which are turned for every frame."""
    cap, triangles, uv = eyeball_cap()
    texture = _paint_iris(traits, rng)
    cap = cap * EYEBALL_RADIUS_CM
    # `moving` parts are not oriented again: these triangles are counter-clockwise already, seen from outside
    return [Part(cap, triangles, uv, texture, directed=False, moving=True) for _ in range(2)]


def _paint_iris(traits: Traits, rng: np.random.Generator) -> NDArray[np.uint8]:
    n = 128
    y, x = (np.mgrid[:n, :n] + 0.5 - n / 2) / (n / 2)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    palette = IRISES if traits.darkness < 0.4 else DARK_IRISES
    colour = np.array(palette[rng.integers(len(palette))], float)
    edge = rng.uniform(0.37, 0.395)
    image = np.ones((n, n, 3)) * [238, 233, 229]
    image[..., 1:] -= (18 * smoothstep(0.5, 0.9, radius))[..., None]
    fibres = 1 + 0.25 * np.sin(angle * 23) * np.sin(angle * 37 + 1) - 0.55 * smoothstep(edge * 0.75, edge, radius)
    glint = np.exp(-(((x - 0.12) / 0.06) ** 2) - ((y + 0.14) / 0.06) ** 2)
    layers = (
        (smoothstep(edge + 0.025, edge - 0.025, radius), colour * fibres[..., None]),
        (smoothstep(edge * 0.42, edge * 0.36, radius), np.full(3, 8.0)),
        (glint, np.full(3, 255.0)),
    )
    for opacity, paint in layers:
        image += opacity[..., None] * (paint - image)
    return painted(image)


def mouth(shape: FaceShape) -> list[Part]:
    """Teeth, tongue and the dark behind them."""
    seam, half = shape.mouth_y, shape.mouth_half_width
    lips_z = shape.neutral[[13, 14], 2].mean()
    corners = np.array([[-1.3, 2], [1.3, 2], [1.3, -2.2], [-1.3, -2.2]]) * [half, 1]
    back, front = (
        np.c_[corners[:, 0], seam + height * corners[:, 1], np.full(4, lips_z - depth)]
        for height, depth in ((1.0, 2.8), (0.3, 2.0))
    )
    walls = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 7], [0, 7, 4], [1, 2, 6], [1, 6, 5]])
    on_jaw = np.tile([0, 0, 1, 1], 2)
    dark = Part(np.concatenate([back, front]), walls, 0.5, plain([46, 16, 18]), on_jaw=on_jaw)
    ball, triangles = sphere(16, 8)
    tongue_at = ball * [1.35, 0.5, 1.5] + [0, seam - 1.0, lips_z - 2.2]
    tongue = Part(tongue_at, triangles, 0.5, plain([150, 72, 72]), on_jaw=1.0, shade=0.62)
    gaps = np.exp(-(((np.arange(256) % 21 - 10.5) / 1.25) ** 2))
    enamel = painted(np.ones((16, 1, 1)) * (1 - 0.35 * gaps)[:, None] * [232, 224, 208])
    parts = []
    n_columns = 24
    angle = np.linspace(-1.15, 1.15, n_columns)
    for on_jaw, top, bottom in ((0.0, seam + 1.0, seam - 0.08), (1.0, seam - 1.15, seam - 0.28)):
        rows = [np.c_[2 * np.sin(angle), 0 * angle + y, 1.9 * np.cos(angle) + lips_z - 2.6] for y in (top, bottom)]
        uv = np.c_[np.tile(np.linspace(0, 1, n_columns), 2), np.repeat([0, 1.0], n_columns)]
        triangles = grid_triangles(n_columns, 2, closed=False)
        shade = np.tile(0.05 + 0.8 * np.cos(angle) ** 1.5, 2)
        parts.append(Part(np.concatenate(rows), triangles, uv, enamel, on_jaw=on_jaw, shade=shade))
    parts += [tongue, dark]
    for part in parts:
        part.directed, part.two_sided = False, part is not tongue
    return parts


def glasses(shape: FaceShape, rng: np.random.Generator) -> list[Part]:
    """Rims, a bridge and two arms."""
    colour = plain(FRAMES[rng.integers(len(FRAMES))])
    roundness = rng.choice([1.0, 0.6])
    radius = rng.uniform(0.08, 0.13)
    front = shape.neutral[[6, 105, 334], 2].max() + 0.5
    x, y = shape.eyeballs[1, :2]
    across = power(np.cos(ROUND), roundness) * 2.45
    rim = np.c_[
        x + 0.1 + across,
        y - 0.45 + power(np.sin(ROUND), roundness) * 1.75,
        front - 0.1 - 0.045 * (across + 1) ** 2,
    ]
    inner = rim[:, 0].min()
    bridge = np.array([[-inner, y, front - 0.1], [0, y + 0.25, front + 0.15], [inner, y, front - 0.1]])
    wide = shape.scale[0]
    arm = np.array([[x + 2.5, y, front - 0.8], [7.9 * wide, y, 0], [8.1 * wide, y, -4]])
    mirror = np.array([-1, 1, 1])
    parts = []
    for path, closed in ((rim, True), (rim * mirror, True), (bridge, False), (arm, False), (arm * mirror, False)):
        vertices, triangles = tube(path, radius, closed)
        parts.append(Part(vertices, triangles, 0.5, colour, two_sided=True))
    return parts


def power(x: NDArray, exponent: float) -> NDArray:
    """|x| to the power of `exponent`, with the sign of x; turns circles into superellipses."""
    return np.sign(x) * np.abs(x) ** exponent
