"""Who is meant, where a video shows several people: the one in a region, or the one who looks like a picture."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from damamba.corpus.region import Region
from damamba.features.look import Looks

CLEAR = 2.0
"""A look is somebody's if it differs from everybody else's by so much more, in steps of CIELAB."""
STRANGER = 14.0
"""Who differs by more from the picture of a person is somebody else. Of drawn people who turn their heads by up to 30
degrees, 95 of 100 differ by less from themselves, and 95 of 100 by more from each other."""


@dataclass
class Meant:
    """One of several people."""

    region: Region | None = None
    """Only a face whose middle lies within is theirs."""
    looks: Looks = field(default_factory=Looks)
    """That are known of them; grows while they are followed."""
    pictured: bool = False
    """Whether `looks` began with a picture of them, so that a stranger differs from it."""

    def is_within(self, middle_px: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
        """Whether a face at this place of a picture of (height, width, …) may be theirs."""
        return self.region is None or self.region.holds(*middle_px, width_px=shape[1], height_px=shape[0])

    def resembles(self, look: NDArray[np.float32], others: Iterable[Looks]) -> bool | None:
        """Whether a face is theirs by its look; None where that is not clear.

        Args:
            look: Of the face.
            others: Of everyone else who is known.
        """
        lead = min((one.distance(look) for one in others), default=np.inf) - self.looks.distance(look)
        if np.isnan(lead):  # neither is known
            return None
        return None if abs(lead) < CLEAR or np.isinf(lead) else bool(lead > 0)

    def is_stranger(self, look: NDArray[np.float32]) -> bool:
        """Whether a face differs from the picture, if there is one, and from everything that was learnt since."""
        return self.pictured and self.looks.distance(look) > STRANGER

    def learn(self, look: NDArray[np.float32], others: Iterable[Looks]) -> None:
        """Keep a look of a face that was followed here, unless somebody else looks alike."""
        if all(one.distance(look) - self.looks.distance(look) >= CLEAR or not self.looks for one in others):
            self.looks.learn(look)
