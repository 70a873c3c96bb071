import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from damamba.features.crop import to_square, upright_square, warp
from tests.extractors.conftest import face_landmarks


@given(
    x=st.floats(-50, 500),
    y=st.floats(-50, 500),
    size_px=st.floats(20, 400),
    roll_rad=st.floats(-1.2, 1.2),
    crop=st.floats(0.8, 2),
)
def test_the_eyes_stand_level_in_the_same_place_whatever_the_pose(x, y, size_px, roll_rad, crop):
    square = upright_square(face_landmarks(np.array([x, y]), size_px, roll_rad), size_px, crop, 96)
    left, right = to_square(face_landmarks(np.array([x, y]), size_px, roll_rad)[[33, 263]], square)
    assert left[1] == pytest.approx(right[1], abs=1e-6)
    assert right[0] - left[0] == pytest.approx(0.5 * 96 / crop)
    assert (left[0] + right[0]) / 2 == pytest.approx(47.5)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 5.0, 7.4])
def test_a_point_of_the_frame_is_seen_where_the_matrix_says(scale):
    image = np.zeros((600, 600), np.uint8)
    cv2.circle(image, (320, 280), round(4 * scale) + 1, 255, -1)
    side = 64
    square = np.array([[1 / scale, 0, 32 - 320 / scale], [0, 1 / scale, 32 - 280 / scale]])
    seen = warp(image, square, side).astype(float)
    ys, xs = np.mgrid[:side, :side]
    assert (seen * xs).sum() / seen.sum() == pytest.approx(32, abs=0.15)
    assert (seen * ys).sum() / seen.sum() == pytest.approx(32, abs=0.15)


def test_beyond_the_frame_its_border_goes_on():
    image = np.full((40, 40, 3), (10, 200, 90), np.uint8)
    seen = warp(image, upright_square(face_landmarks(np.array([0.0, 0.0]), 30), 30, 1.5, 32), 32)
    assert (seen == (10, 200, 90)).all()


def test_a_large_face_is_averaged_not_sampled():
    stripes = np.zeros((800, 800), np.uint8)
    stripes[:, ::2] = 255
    seen = warp(stripes, upright_square(face_landmarks(np.array([400.0, 400.0]), 400), 400, 1.4, 64), 64)
    assert np.abs(seen.astype(int) - 127).max() < 40
