"""The cue expression: signs of its channels on drawn faces, and rows where the face is."""

from pathlib import Path

import numpy as np
import pytest

from damamba.extractors.expression import GAZE, POSE, Expression, ExpressionParams, gaze, pose
from damamba.features.follow import faces_in
from damamba.features.landmarker import Landmarker
from damamba.streams.face_track import SHAPES
from damamba_sim.faces.actor import Actor, Pose
from tests.extractors.conftest import filmed, shift

MODEL = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"


@pytest.fixture(scope="module")
def seen():
    """Reads a drawn face: landmarks and the values of the cue, by name."""
    actor = Actor(0, MODEL, 320, 240)
    landmarker = Landmarker(MODEL)

    def read(**how):
        (face,) = faces_in(landmarker, actor.render(Pose(**how), 0), 0, 0, 320, 240)
        values = [*face.shapes, *gaze(face.shapes), *pose(face.head)]
        return face.landmarks_px, dict(zip((*SHAPES, *GAZE, *POSE), values, strict=True))

    return read


@pytest.mark.parametrize(("setting", "channel"), [("mouth", "jaw_open"), ("smile", "mouth_smile_left")])
def test_an_open_mouth_and_a_smile_are_seen(seen, setting, channel):
    assert seen(**{setting: 1.0})[1][channel] > seen()[1][channel] + 0.3


def test_closed_eyes_are_a_blink(seen):
    assert seen(eye=0.0)[1]["eye_blink_left"] > seen()[1]["eye_blink_left"] + 0.3


@pytest.mark.parametrize(
    ("channel", "setting", "point", "axis"),
    [("yaw_rad", "yaw_deg", 1, 0), ("pitch_rad", "pitch_deg", 1, 1)],
)
def test_turning_has_the_sign_of_the_nose_in_the_picture(seen, channel, setting, point, axis):
    before, after = (seen(**{setting: amount}) for amount in (-8.0, 8.0))
    moved = float(np.sign(after[0][point, axis] - before[0][point, axis])) * (1 if axis == 0 else -1)
    assert moved * (after[1][channel] - before[1][channel]) > 0.1


def test_a_tilt_to_the_right_is_positive(seen):
    left, right = (seen(roll_deg=amount) for amount in (-10.0, 10.0))
    lean = [marks[10, 0] - marks[152, 0] for marks, _ in (left, right)]  # forehead beside the chin
    assert np.sign(lean[1] - lean[0]) * (right[1]["roll_rad"] - left[1]["roll_rad"]) > 0.2


def test_eyes_that_look_right_have_irises_on_the_right(seen):
    left, right = (seen(gaze_x_deg=amount) for amount in (-20.0, 20.0))
    place = [marks[468, 0] - marks[[33, 133], 0].mean() for marks, _ in (left, right)]
    assert np.sign(place[1] - place[0]) * (right[1]["gaze_right"] - left[1]["gaze_right"]) > 0.5


def test_rows_are_those_of_the_face_track_and_missing_ones_stay_missing(recorded):
    n = 6
    valid = np.array([True, True, False, True, True, True])
    shapes = np.random.default_rng(0).random((n, len(SHAPES)))
    stream = Expression(ExpressionParams()).extract(recorded(filmed([shift(0)] * n), np.arange(n) / 25, valid, shapes))
    assert stream.channels == (*SHAPES, *GAZE, *POSE)
    assert stream.x.shape == (n, 57)
    np.testing.assert_array_equal(stream.valid, valid)
    np.testing.assert_allclose(stream.x[valid, : len(SHAPES)], shapes[valid], atol=1e-6)
    assert np.isnan(stream.x[~valid]).all()
    assert np.abs(stream.x[valid, -3:]).max() == 0  # the head of this track is the canonical one
