"""How somebody is filmed: the cameras of the corpora, which differ, and the flaws that fall on a few participants."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 25  # of channels
FLAWS = ("clock", "object", "absence", "quality")
"""A late start and lost pictures; something before the cheek; leaving the picture; a poor, dark, noisy camera."""
MOST_DROPPED, LATEST_S = 0.12, 0.5
ABSENCES_PER_S = 1 / 60
OUT_S, WAY_S = (2.0, 5.0), 0.8  # time out of the picture, time of the way out and of the way back
SHORTEST_S = 8.0  # of a session in which somebody leaves
GONE, AT_PLACE = 0.98, 0.15  # of the way out
TOUCHING = 0.1  # of the way of a hand to the face


@dataclass(frozen=True)
class Filming:
    """A camera, its light and its flaws; the defaults are a good one that stands before the face."""

    exposure: float = 1.0
    """Factor on all light."""
    warmth: float = 0.0
    """Share by which red gains and blue loses."""
    elevation_deg: float = 0.0
    """The camera looks down on the face by this much."""
    aside_deg: float = 0.0
    """The camera stands this far to the person's left."""
    grain: float = 1.6
    """Noise of the sensor, standard deviation in levels of 255."""
    crf: int = 23
    """x264's constant rate factor: more is smaller and worse."""
    start_s: float = 0.0
    """The first picture comes this late."""
    dropped: float = 0.0
    """Share of pictures that were lost: a variable frame rate."""
    object_side: int = 0
    """A microphone on an arm hides a cheek, the viewer's left (-1) or right (1); 0: none."""
    leaves: bool = False
    """The person leaves the picture about once a minute."""


PLAIN = Filming()
CAMERAS = {
    "noxi": PLAIN,
    "noxi_add": Filming(exposure=0.92, warmth=0.07, elevation_deg=-4, grain=2.2, crf=25),
    "mpiigi": Filming(exposure=0.82, warmth=-0.05, elevation_deg=6, aside_deg=5, grain=2.8, crf=26),
}


def film_of(corpus: str, number: int, seed: int, share: float) -> Filming:
    """How one participant is filmed.

    Args:
        corpus: Whose camera.
        number: The participant's in the corpus; each flaw comes again every 1 / `share` numbers, so that a few
            sessions have some of each.
        seed: Of the amounts.
        share: Of the participants on whom each flaw falls, 0 to 1.
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
    """(frames,) at 25 Hz: how far out of the picture, -1 (to the viewer's left) to 1; once at least if at all."""
    out = np.zeros(frames)
    seconds = frames / RATE_HZ
    if not filming.leaves or seconds < SHORTEST_S:
        return out
    rng = np.random.default_rng((seed, 9))
    times_s = np.arange(frames) / RATE_HZ
    for _ in range(1 + rng.poisson(ABSENCES_PER_S * seconds)):
        length_s, side = rng.uniform(*OUT_S), rng.choice((-1, 1))
        start_s = rng.uniform(0.5, seconds - length_s - 2 * WAY_S)
        ramp = np.minimum(times_s - start_s, start_s + length_s + 2 * WAY_S - times_s) / WAY_S
        ramp = np.clip(ramp, 0, 1)
        way = ramp * ramp * (3 - 2 * ramp)
        out = np.where(way > np.abs(out), side * way, out)
    return out


def presence(out: NDArray, hand: NDArray) -> dict[str, NDArray[np.bool_]]:
    """What of the face can be found, by frame: ``present``, somebody in the picture; ``visible``, a whole, free face.

    Between the two lie faces on their way out and faces behind a hand: no one can say what is to be found there.

    Args:
        out: (T,) of `way_out`.
        hand: (T,) 0 out of sight to 1 over the face.
    """
    return {"present": np.abs(out) < GONE, "visible": (np.abs(out) < AT_PLACE) & (hand < TOUCHING)}
