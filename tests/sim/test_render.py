import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.files import FileError
from damamba_sim.faces.actor import Actor, Pose
from damamba_sim.faces.render import POSE_CHANNELS, poses, render_participant, write_video

TASK = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"


def grey_frames(n, size=(48, 64)):
    return [np.full((*size, 3), 40 + 5 * (i % 40), np.uint8) for i in range(n)]


def decode(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    "pts_s",
    [
        np.arange(30) / 25,
        0.48 + np.arange(30) / 25,
        np.arange(40) * 1001 / 30000,
        np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 30)),
        [1.25],
    ],
    ids=["regular", "starts late", "29.97", "variable", "one frame"],
)
def test_presentation_times_come_back(tmp_path, pts_s):
    path = tmp_path / "deep" / "video.mp4"
    write_video(path, grey_frames(len(pts_s)), pts_s, 25)
    decoded = decode(path)
    np.testing.assert_allclose([time for time, _ in decoded], pts_s, atol=1 / 90_000)
    levels = [image.mean() for _, image in decoded]
    np.testing.assert_allclose(levels, [frame.mean() for frame in grey_frames(len(pts_s))], atol=3)


def test_same_frames_give_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, grey_frames(20), np.arange(20) / 25, 25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("after", [0, 5])
def test_an_interrupted_video_leaves_what_was_there(tmp_path, stop, after):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"earlier")

    def broken():
        yield from grey_frames(after)
        raise stop

    with pytest.raises(stop):
        write_video(path, broken(), np.arange(10) / 25, 25)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_is_an_os_error_and_leaves_nothing(tmp_path):
    import resource

    noise = np.random.default_rng(0).integers(0, 255, (20, 240, 320, 3), dtype=np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(FileError, match=r"video\.mp4: cannot be written \(File too large"):
            write_video(tmp_path / "video.mp4", noise, np.arange(20) / 25, 25)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pts_s", [[], [0, 0], [0.1, 0.05], [-0.1, 0]])
def test_times_that_do_not_increase_are_refused(tmp_path, pts_s):
    with pytest.raises(ValueError, match="presentation times"):
        write_video(tmp_path / "video.mp4", grey_frames(len(pts_s)), pts_s, 25)


@pytest.mark.parametrize("n_frames", [3, 6])
def test_as_many_frames_as_times(tmp_path, n_frames):
    with pytest.raises(ValueError, match="zip"):
        write_video(tmp_path / "video.mp4", grey_frames(n_frames), np.arange(5) / 25, 25)
    assert not list(tmp_path.iterdir())


def test_neutral_channels_give_the_neutral_pose():
    assert list(poses({}, [0.0, 1.0])) == [Pose(), Pose()]
    zeros = {name: np.full(10, 1.0 if name in ("eye", "present") else 0.0) for name in POSE_CHANNELS}
    assert list(poses(zeros, [0.0, 0.123])) == [Pose(), Pose()]


@settings(max_examples=50)
@given(st.lists(st.floats(0, 0.96), min_size=1, max_size=20))
def test_channels_are_sampled_at_the_times_of_the_frames(pts_s):
    t_s = np.arange(25) / 25
    present = t_s < 0.5
    for time, pose in zip(pts_s, poses({"yaw": 30 * t_s, "present": present}, pts_s), strict=True):
        assert pose.yaw_deg == pytest.approx(30 * time, abs=1e-9)
        if abs(time - 0.5) > 0.03:
            assert pose.present == (time < 0.5)


@pytest.mark.parametrize(
    ("channels", "complaint"),
    [
        ({"mouht": np.zeros(5)}, "mouht"),
        ({"mouth": np.zeros(5), "eye": np.ones(6)}, "one length"),
        ({"mouth": np.array([0, np.nan])}, "mouth: expected finite"),
    ],
)
def test_channels_that_make_no_sense_are_refused(channels, complaint):
    with pytest.raises(ValueError, match=complaint):
        list(poses(channels, [0.0]))


def test_participant_video_lasts_as_long_as_the_channels(tmp_path):
    actor = Actor(0, TASK, 160, 120)
    channels = {"mouth": np.linspace(0, 1, 50), "present": np.arange(50) < 40}
    n_frames = render_participant(tmp_path / "a.mp4", actor, channels, 30)
    decoded = decode(tmp_path / "a.mp4")
    assert n_frames == len(decoded) == 60
    assert decoded[-1][0] == pytest.approx(59 / 30, abs=1e-4)
    assert np.abs(decoded[-1][1].astype(int) - actor.render(Pose(present=False))).mean() < 4


def lively_channels(rng, n):
    """Random channels that all vary, about as fast as in people."""

    def drift(tau_s):
        kernel = np.exp(-np.arange(200) / (tau_s * 25))
        series = np.convolve(rng.normal(size=n + 400), kernel, "same")[200 : n + 200]
        return (series - series.mean()) / series.std()

    blinks = np.ones(n)
    for start in range(10, n - 6, 30):
        blinks[start : start + 5] = [0.5, 0, 0, 0.4, 0.8]
    return {
        "mouth": np.clip(0.35 + 0.3 * drift(0.1), 0, 1),
        "eye": blinks,
        "gaze_x": 0.5 * drift(0.4),
        "smile": np.clip(0.4 + 0.35 * drift(0.8), 0, 1),
        "brow": 0.4 * drift(0.5),
        "yaw": 9 * drift(0.8),
        "pitch": 5 * drift(0.4),
        "roll": 5 * drift(0.8),
        "lean": drift(2),
    }


def recover(result, width, height):
    """Channels measured in MediaPipe's result for one frame."""
    place = np.array([[point.x * width, point.y * height, point.z * width] for point in result.face_landmarks[0]])
    score = {category.category_name: category.score for category in result.face_blendshapes[0]}
    turn = result.facial_transformation_matrixes[0][:3, :3]
    up, right = place[10] - place[152], place[454] - place[234]
    right /= np.linalg.norm(right)
    irises = [
        (place[iris] - place[left]) @ right / np.linalg.norm(place[opposite] - place[left])
        for iris, left, opposite in ((468, 33, 133), (473, 362, 263))
    ]
    return {
        "height_px": np.ptp(place[:, 1]),
        "mouth": np.linalg.norm(place[13] - place[14]) / np.linalg.norm(up),
        "eye": -score["eyeBlinkLeft"] - score["eyeBlinkRight"],
        "gaze_x": np.mean(irises),
        "smile": score["mouthSmileLeft"] + score["mouthSmileRight"],
        "brow": score["browInnerUp"] + score["browOuterUpLeft"] - score["browDownLeft"] - score["browDownRight"],
        "yaw": np.arctan2(turn[0, 2], turn[2, 2]),
        "pitch": np.arcsin(-turn[1, 2]),
        "roll": np.arctan2(turn[1, 0], turn[1, 1]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 9])
def test_landmarker_finds_the_face_and_recovers_the_pose(tmp_path, seed):
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(TASK)),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    truth = lively_channels(np.random.default_rng(seed), 100)
    render_participant(tmp_path / "a.mp4", Actor(seed, TASK), truth, 25)
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        results = [
            landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image))
            for _, image in decode(tmp_path / "a.mp4")
        ]
    has_face = np.array([bool(result.face_landmarks) for result in results])
    assert has_face.mean() >= 0.99
    rows = [recover(result, 640, 480) for result in results if result.face_landmarks]
    measured = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    assert measured["height_px"].min() >= 150
    # measured on 12 persons: at least 0.9, yaw and roll 0.97; the limits leave room for other platforms
    floor = {
        "mouth": 0.85,
        "eye": 0.75,
        "gaze_x": 0.8,
        "smile": 0.7,
        "brow": 0.7,
        "yaw": 0.95,
        "pitch": 0.8,
        "roll": 0.95,
    }
    correlation = {name: np.corrcoef(truth[name][has_face], measured[name])[0, 1] for name in floor}
    assert {name: value for name, value in correlation.items() if value < floor[name]} == {}
