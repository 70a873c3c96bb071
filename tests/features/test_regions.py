from pathlib import Path

import av
import numpy as np
import pytest

from damamba.features.regions import find_faces
from damamba.media.decode import read_frames
from damamba.media.glance import frame_at, length_s, sample_frames
from damamba_sim.faces.actor import Actor, Pose
from damamba_sim.faces.render import write_video
from tests.conftest import make_video

MODEL = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"


def test_frames_are_sampled_over_the_whole_video(tmp_path):
    path = make_video(tmp_path / "v.mp4", np.arange(600) / 25, np.linspace(0.1, 0.9, 600))
    assert abs(length_s(path) - 24) < 0.1
    levels = [float(frame.mean()) for frame in sample_frames(path, 5)]
    assert len(levels) == 5
    assert levels[-1] > levels[0] + 50


def test_samples_of_a_video_with_one_key_frame_are_different_frames(tmp_path):
    levels = np.linspace(0.1, 0.9, 200)
    path = make_video(tmp_path / "v.mp4", np.arange(200) / 25, levels, g="1000", sc_threshold="0")
    with av.open(str(path)) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0)) == 1
    levels = [float(frame.mean()) for frame in sample_frames(path, 5)]
    assert len(levels) == 5
    assert np.all(np.diff(levels[1:]) > 20)  # a fifth of the way from 0.1 to 0.9 of 255 is 41


def pictures(n_people):
    actors = [Actor(seed, MODEL, 320, 240) for seed in range(n_people)]
    for k in range(10):
        yield np.concatenate([actor.render(Pose(), k) for actor in actors], axis=1)


def test_people_are_counted_and_each_gets_a_region(tmp_path):
    for people in (1, 2):
        path = tmp_path / f"{people}.mp4"
        write_video(path, pictures(people), (np.arange(10) / 25).tolist(), 25)
        faces = find_faces(path, MODEL)
        assert set(faces.counts) == {people}
        assert len(faces.regions) == (people if people > 1 else 0)
    one, other = faces.regions
    assert faces.are_apart
    assert one.left + one.width == pytest.approx(other.left)
    assert 0.45 < other.left < 0.55
    assert set(find_faces(path, MODEL, one).counts) == {1}


def test_a_frame_is_the_first_at_or_after_its_time(tmp_path):
    path = make_video(tmp_path / "v.mp4", np.arange(60) / 25, np.linspace(0.1, 0.9, 60))
    frames = list(read_frames(path))
    for t_s, number in ((0, 0), (1, 25), (1.02, 26), (2.36, 59), (9, 59)):
        np.testing.assert_array_equal(frame_at(path, t_s), frames[number].image)


def test_a_video_without_people_has_none(tmp_path):
    path = make_video(tmp_path / "v.mp4", np.arange(10) / 25, size=(320, 240))
    assert set(find_faces(path, MODEL).counts) == {0}
