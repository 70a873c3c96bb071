"""A decoded picture whose parts become RGB only where somebody looks at them: in Full HD, mostly the face."""

from fractions import Fraction
from typing import Any, TypeAlias

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from damamba.media.geometry import is_as_coded, shown_size, upright

PLANAR = "yuv420p"
"""The format of which parts are converted; others as a whole. Nearly all recordings have it."""
MARGIN = 8
"""The converted part is this share larger on each side, for those who look at nearly the same place."""


class Picture:
    """A picture as a player shows it. Slices of rows and columns are (height, width, 3) uint8 RGB arrays.

    Args:
        coded: As it is coded.
        aspect: Width of a pixel over its height; None where the file has none.
    """

    def __init__(self, coded: av.VideoFrame, aspect: Fraction | None) -> None:
        self._coded, self._aspect = coded, aspect
        width, height = shown_size(coded, aspect)
        self.shape = (height, width, 3)
        self._is_plain = coded.format.name == PLANAR and height % 2 == 0 and is_as_coded(coded, aspect)
        self._known = (0, 0, 0, 0)
        self._rgb: np.ndarray = np.empty((0, 0, 3), np.uint8)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[:, :], dtype=dtype, copy=copy)

    def __getitem__(self, part: tuple[slice, slice]) -> NDArray[np.uint8]:
        height, width, _ = self.shape
        (top, bottom, _), (left, right, _) = part[0].indices(height), part[1].indices(width)
        known = self._known
        if left < known[0] or top < known[1] or right > known[2] or bottom > known[3]:
            self._convert(left, top, right, bottom)
        left_known, top_known, *_ = self._known
        return self._rgb[top - top_known : bottom - top_known, left - left_known : right - left_known]

    def _convert(self, left: int, top: int, right: int, bottom: int) -> None:
        """Make the part known, and a margin around it."""
        height, width, _ = self.shape
        x_more, y_more = (right - left) // MARGIN, (bottom - top) // MARGIN
        # colour has one value for two by two pixels; an odd height would have another conversion
        left, top = max(left - x_more, 0) // 2 * 2, max(top - y_more, 0) // 2 * 2
        right, bottom = min((right + x_more + 1) // 2 * 2, width), min((bottom + y_more + 1) // 2 * 2, height)
        if self._is_plain and 2 * (right - left) * (bottom - top) < width * height:
            self._known = (left, top, right, bottom)
            self._rgb = _part(self._coded, *self._known).to_ndarray(format="rgb24", threads=1)
        else:
            self._known, self._rgb = (0, 0, width, height), upright(self._coded, self._aspect)

    @property
    def luma(self) -> NDArray[np.uint8]:
        """(height, width) brightness, in any range."""
        if not self._is_plain:
            return grey(self[:, :])
        return _values(self._coded.planes[0])[:, : self._coded.width]


AnyPicture: TypeAlias = NDArray[np.uint8] | Picture
"""Both have a `shape`, and slices of rows and columns."""


def grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width) of a (height, width, 3) RGB picture."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def luma(picture: AnyPicture) -> NDArray[np.uint8]:
    """(height, width) brightness of a picture, in any range: without conversion where possible."""
    return picture.luma if isinstance(picture, Picture) else grey(picture)


def _part(coded: av.VideoFrame, left: int, top: int, right: int, bottom: int) -> av.VideoFrame:
    """A part that begins at even places, still coded."""
    part = av.VideoFrame(right - left, bottom - top, PLANAR)
    part.colorspace, part.color_range = coded.colorspace, coded.color_range
    for k, (whole, own) in enumerate(zip(coded.planes, part.planes, strict=True)):
        size = 2 if k else 1
        rows = slice(top // size, -(-bottom // size))
        values = _values(whole)[rows, left // size : -(-right // size)]
        _values(own)[: values.shape[0], : values.shape[1]] = values
    return part


def _values(plane: Any) -> NDArray[np.uint8]:
    """(height, width and padding) of a plane, without a copy."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
