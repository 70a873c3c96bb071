"""Parts of a picture are those of the whole one, to the bit."""

from fractions import Fraction

import av
import numpy as np
import pytest

from damamba.media.geometry import upright
from damamba.media.picture import Picture, grey, luma

SIZE = (150, 261)


def coded(kind, size=SIZE, **attributes):
    rng = np.random.default_rng(0)
    image = np.repeat(np.repeat(rng.integers(0, 255, (size[0] // 3, size[1] // 3, 3), np.uint8), 3, 0), 3, 1)
    frame = av.VideoFrame.from_ndarray(image).reformat(format=kind, **attributes)
    return frame


@pytest.mark.parametrize("size", [SIZE, (153, 240)])
@pytest.mark.parametrize("kind", ["yuv420p", "yuvj420p", "yuv422p", "nv12", "gray", "rgb24", "yuv420p10le"])
def test_a_part_has_the_values_of_the_whole(kind, size):
    frame, rng = coded(kind, size), np.random.default_rng(1)
    whole = upright(frame, None)
    assert whole.shape == (*size, 3)
    for _ in range(30):
        picture = Picture(frame, None)
        for _ in range(3):  # others may be known already
            top, left = rng.integers(0, size[0] - 1), rng.integers(0, size[1] - 1)
            bottom, right = top + rng.integers(1, 60), left + rng.integers(1, 90)
            part = picture[top:bottom, left:right]
            np.testing.assert_array_equal(part, whole[top:bottom, left:right])
    np.testing.assert_array_equal(np.asarray(picture), whole)


@pytest.mark.parametrize("space", [1, 5])  # ITU-R BT.709, BT.601
@pytest.mark.parametrize("span", [1, 2])  # of television, full
def test_a_part_has_the_colours_of_the_whole(space, span):
    frame = coded("yuv420p")
    frame.colorspace, frame.color_range = space, span
    np.testing.assert_array_equal(Picture(frame, None)[31:60, 51:90], upright(frame, None)[31:60, 51:90])


def test_a_picture_of_wide_pixels_has_square_ones():
    picture = Picture(coded("yuv420p"), Fraction(4, 3))
    assert picture.shape == (150, 348, 3)
    np.testing.assert_array_equal(picture[10:20, 300:348], upright(coded("yuv420p"), Fraction(4, 3))[10:20, 300:348])


@pytest.mark.parametrize("kind", ["yuv420p", "nv12"])
def test_brightness_follows_that_of_the_colours(kind):
    picture = Picture(coded(kind), None)
    shades = grey(np.asarray(picture))
    assert luma(picture).shape == SIZE
    assert np.corrcoef(luma(picture).ravel(), shades.ravel())[0, 1] > 0.995
    np.testing.assert_array_equal(luma(np.asarray(picture)), shades)
