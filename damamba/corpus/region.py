"""A part of a picture, in which one of several people is."""

import re
from dataclasses import astuple, dataclass

DECIMALS = 4
"""Of a share; finer than a pixel up to 10 000 px."""
NUMBER = re.compile(r"[0-9]{0,2}(\.[0-9]{0,8})?", re.ASCII)
EDGE = 1e-6
"""A region may lie outside the picture by so much, which is rounding."""


@dataclass(frozen=True)
class Region:
    """A rectangle, in shares of the picture's width and height; left and top count from the picture's corner."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Read ``left,top,width,height``; blanks may stand in place of the commas.

        Raises:
            ValueError: With what is wrong and what was expected.
        """
        parts = [part for part in re.split(r"[,\s]+", text.strip()) if part]
        if len(parts) != 4 or not all(NUMBER.fullmatch(part) and part != "." for part in parts):
            raise ValueError("write left,top,width,height as shares of the picture, such as 0.5,0,0.5,1")
        region = cls(*map(float, parts))
        if not (region.width > 0 and region.height > 0):
            raise ValueError("its width and height must be above 0")
        if region.left + region.width > 1 + EDGE or region.top + region.height > 1 + EDGE:
            raise ValueError(
                "lies outside the picture; left + width and top + height are shares of it and 1 at most, such as "
                "0.5,0,0.5,1"
            )
        return region

    def __str__(self) -> str:
        return ",".join(f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".") for value in astuple(self))

    def holds(self, x_px: float, y_px: float, width_px: int, height_px: int) -> bool:
        """Whether a place in a picture of this size lies within."""
        x, y = x_px / width_px, y_px / height_px
        return self.left <= x <= self.left + self.width and self.top <= y <= self.top + self.height
