"""How a participant is filmed: the camera of each corpus, and the flaws of a few recordings."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from damamba.config import LABEL_RATE_HZ

FLAWS = ("clock", "object", "absence", "quality")
"""A late start and lost pictures; an object before the cheek; leaving the picture; a poor, dark, noisy camera."""
MOST_DROPPED, LATEST_S = 0.12, 0.5
ABSENCES_PER_S = 1 / 60
OUT_S, WAY_S = (2.0, 5.0), 0.8  # time out of the picture, time of the way out and of the way back
SHORTEST_S = 8.0  # shortest session in which a person leaves the picture
GONE, IN_PLACE = 0.98, 0.15  # |exit| from which on a person is gone, and up to which the face is whole
TOUCHING = 0.1  # `hand` from which on it may cover the face


@dataclass(frozen=True)
class Filming:
    """A camera, its light and its flaws; the defaults are a good camera straight in front of the face."""

    exposure: float = 1.0
    """Factor on all light."""
    warmth: float = 0.0
    """Share by which red is raised and blue lowered."""
    elevation_deg: float = 0.0
    """How far the camera looks down on the face."""
    aside_deg: float = 0.0
    """How far the camera stands to the person's left."""
    grain: float = 1.6
    """Standard deviation of the sensor's noise, levels of 255."""
    crf: int = 23
    """x264's constant rate factor; higher is smaller and worse."""
    start_s: float = 0.0
    """Time of the first picture."""
    dropped: float = 0.0
    """Share of lost pictures, which make the frame rate variable."""
    object_side: int = 0
    """Side on which a microphone on an arm hides a cheek: -1 the viewer's left, 1 the right, 0 none."""
    leaves: bool = False
    """Whether the person leaves the picture about once a minute."""


PLAIN = Filming()
CAMERAS = {
    "noxi": PLAIN,
    "noxi_add": Filming(exposure=0.92, warmth=0.07, elevation_deg=-4, grain=2.2, crf=25),
    "mpiigi": Filming(exposure=0.82, warmth=-0.05, elevation_deg=6, aside_deg=5, grain=2.8, crf=26),
}


def filming_of(corpus: str, number: int, seed: int, share: float) -> Filming:
    """How one participant is filmed.

    Args:
        corpus: Selects the camera.
        number: Number of the participant in the corpus; each flaw recurs every 1 / `share` numbers, so even a few
            sessions contain some of each.
        seed: Seed of the size of the flaws.
        share: Share of participants on whom each flaw falls, 0 to 1.
    """
    filming, rng = CAMERAS[corpus], np.random.default_rng((seed, 6))
    start_s, dropped, side = rng.uniform(0.1, LATEST_S), rng.uniform(0.03, MOST_DROPPED), rng.choice((-1, 1))
    for kind, name in enumerate(FLAWS):
        if (number * share + kind / len(FLAWS)) % 1 >= share:
            continue
        match name:
            case "clock":
                filming = replace(filming, start_s=round(start_s, 3), dropped=dropped)
            case "object":
                filming = replace(filming, object_side=int(side))
            case "absence":
                filming = replace(filming, leaves=True)
            case "quality":
                exposure, grain = 0.7 * filming.exposure, 2 * filming.grain
                filming = replace(filming, exposure=exposure, grain=grain, crf=filming.crf + 6)
    return filming


def way_out(filming: Filming, frames: int, seed: int) -> NDArray[np.float64]:
    """Channel ``exit`` (frames,) at 25 Hz: -1 gone to the viewer's left, 0 in place, 1 gone to the right.

    A person who leaves does so at least once.
    """
    out = np.zeros(frames)
    seconds = frames / LABEL_RATE_HZ
    if not filming.leaves or seconds < SHORTEST_S:
        return out
    rng = np.random.default_rng((seed, 9))
    times_s = np.arange(frames) / LABEL_RATE_HZ
    for _ in range(1 + rng.poisson(ABSENCES_PER_S * seconds)):
        length_s, side = rng.uniform(*OUT_S), rng.choice((-1, 1))
        start_s = rng.uniform(0.5, seconds - length_s - 2 * WAY_S)
        ramp = np.minimum(times_s - start_s, start_s + length_s + 2 * WAY_S - times_s) / WAY_S
        ramp = np.clip(ramp, 0, 1)
        way = ramp * ramp * (3 - 2 * ramp)
        out = np.where(way > np.abs(out), side * way, out)
    return out


def presence(out: NDArray, hand: NDArray) -> dict[str, NDArray[np.bool_]]:
    """Channels ``present`` (a person is in the picture) and ``visible`` (a whole, uncovered face).

    Frames that are present but not visible show a face on its way out or behind a hand: whether a tracker should find
    it is undefined.

    Args:
        out: (T,) from `way_out`.
        hand: (T,) 0 out of sight to 1 over the face.
    """
    return {"present": np.abs(out) < GONE, "visible": (np.abs(out) < IN_PLACE) & (hand < TOUCHING)}
