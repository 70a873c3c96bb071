import re
from dataclasses import replace
from pathlib import Path

import av
import cv2
import mediapipe
import numpy as np
import pytest
from mediapipe.tasks.python import vision

from damamba.config import FacesParams
from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.features.extractor import ExtractorInput
from damamba.features.faces import FaceTracker
from damamba.features.head import VIEW
from damamba.features.landmarker import Landmarker
from damamba.features.landmarker_file import check_model
from damamba.streams.face_track import CHANNELS, HEAD_AT, LANDMARKS_AT, SHAPES, SHAPES_AT, FaceTrack
from damamba_sim.faces.actor import Actor, Pose
from tests.conftest import make_video

MODEL = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"
PARAMS = FacesParams(model=str(MODEL), min_confidence=0.5, min_found=0.02)


def tracked(path):
    participant = Participant("own", "s", "p", "p", "train", "en", "x", str(path), str(path), "", rate_hz=25.0)
    tracker = FaceTracker(PARAMS)
    tracker.load()
    return tracker.extract(ExtractorInput(participant))


def test_a_video_without_any_face_has_no_valid_row_and_a_note(tmp_path):
    stream = tracked(make_video(tmp_path / "empty.mp4", np.arange(5) / 25, size=(320, 240)))
    assert stream.x.shape == (5, len(CHANNELS))
    assert not stream.valid.any()
    assert np.isnan(stream.x).all()
    assert (stream.score == 0).all()
    assert "a face in 0 of 5 frames (0%), fewer than faces.min_found (2%)" in stream.note


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_face_in_a_turned_video_is_found_upright(tmp_path, turn):
    """A phone stores the picture on its side and a matrix that turns it back."""
    actor = Actor(0, MODEL, 320, 240)
    pictures = [actor.render(Pose(), k) for k in range(3)]
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    for path, degrees in ((plain, 0), (turned, turn)):
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
            stored = [np.ascontiguousarray(np.rot90(picture, -degrees // 90)) for picture in pictures]
            stream.height, stream.width = stored[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.set_display_rotation(degrees)
            for picture in stored:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
            container.mux(stream.encode())
    expected, stream = tracked(plain), tracked(turned)
    assert stream.valid.all()
    assert np.abs(np.asarray(stream.x) - np.asarray(expected.x))[:, LANDMARKS_AT:].max() < 3  # px
    left_eye, right_eye = (FaceTrack.of(stream).landmarks_px[0, k] for k in (33, 263))
    assert abs(right_eye[1] - left_eye[1]) < 5


def test_messages_about_a_missing_or_changed_model_file_have_the_command(tmp_path):
    with pytest.raises(InputError, match="missing; get it: dvc repro landmarker"):
        check_model(tmp_path / "m.task")
    (tmp_path / "m.task").write_bytes(b"other")
    with pytest.raises(InputError, match=r"sha256 .* expected"):
        check_model(tmp_path / "m.task")
    check_model(MODEL)


@pytest.fixture(scope="module")
def reference():
    """MediaPipe's own library."""
    options = vision.FaceLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(MODEL)),
        num_faces=6,
        output_facial_transformation_matrixes=True,
        output_face_blendshapes=True,
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        yield lambda image: landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image))


def test_a_detected_face_has_the_numbers_of_mediapipes_library(reference):
    pictures = [Actor(seed, MODEL, 320, 240).render(Pose(), 0) for seed in range(2)]
    ours = Landmarker(MODEL)
    for picture, n in ((pictures[0], 1), (np.hstack(pictures), 2), (np.zeros_like(pictures[0]), 0)):
        theirs = reference(picture)
        faces = [ours.read(picture, spot) for spot in ours.find(picture)]
        assert len(faces) == len(theirs.face_landmarks) == n
        size = picture.shape[1::-1]
        for face, marks, shapes in zip(faces, theirs.face_landmarks, theirs.face_blendshapes, strict=True):
            expected = np.array([(mark.x, mark.y) for mark in marks]) * size
            np.testing.assert_allclose(face.landmarks_px, expected, atol=0.2)
            np.testing.assert_allclose(face.shapes, [shape.score for shape in shapes], atol=0.02)
            names = [re.sub("([A-Z])", r"_\1", shape.category_name).lower().lstrip("_") for shape in shapes]
            assert tuple(names) == SHAPES


@pytest.mark.parametrize("turned", [{}, {"yaw_deg": 25}, {"pitch_deg": -15, "roll_deg": 10}])
def test_a_head_has_the_pose_of_mediapipes_library_on_a_picture_around_it(reference, turned):
    picture = cv2.copyMakeBorder(Actor(0, MODEL, 320, 240).render(Pose(**turned), 0), 200, 200, 200, 200, 1)
    ours = Landmarker(MODEL)
    (spot,) = ours.find(picture)
    landmarks = ours.read(picture, spot).landmarks_px
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    side = round(VIEW * (high - low).max())
    left, top = np.rint((low + high - side) / 2).astype(int)
    around = np.ascontiguousarray(picture[top : top + side, left : left + side])
    (spot,) = ours.find(around)
    (expected,) = reference(around).facial_transformation_matrixes
    head = ours.read(around, spot).head
    np.testing.assert_allclose(head[:3, :3], expected[:3, :3], atol=0.005)
    np.testing.assert_allclose(head[:3, 3], expected[:3, 3], rtol=0.01, atol=0.05)  # cm
    shifted = ours.read(picture, replace(spot, middle=spot.middle + np.array([left, top]))).head
    np.testing.assert_allclose(shifted[:3, :3], expected[:3, :3], atol=0.02)


def test_channels_of_a_track_stand_where_their_names_do():
    assert len(CHANNELS) == 4 + 16 + 52 + 2 * 478
    assert [CHANNELS[k] for k in (HEAD_AT, SHAPES_AT, LANDMARKS_AT)] == ["head_00", "neutral", "landmark_0_x_px"]
