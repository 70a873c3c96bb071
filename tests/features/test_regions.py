from itertools import pairwise
from pathlib import Path

import numpy as np

from damamba.features.regions import Region, find_faces, separate
from damamba.media.glance import length_s, sample_frames
from damamba_sim.faces.actor import Actor, Pose
from damamba_sim.faces.render import write_video
from tests.conftest import make_video

MODEL = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"


def test_regions_hold_every_face_and_never_overlap():
    rng = np.random.default_rng(0)
    left = np.array([80, 120, 560]) + rng.integers(-10, 10, (4, 3))
    boxes = np.stack([left, np.full((4, 3), 60), left + 40, np.full((4, 3), 110)], axis=-1).astype(float)
    boxes[:, 1, [0, 2]] += 60
    regions = separate(boxes, (641, 361))
    for person, region in enumerate(regions):
        assert region.left <= boxes[:, person, 0].min()
        assert region.left + region.width >= boxes[:, person, 2].max()
        assert all(value % 2 == 0 for value in (region.left, region.top, region.width, region.height))
    for one, following in pairwise(regions):
        assert one.left + one.width <= following.left
    last = regions[-1]
    assert last.left + last.width <= 641
    assert isinstance(last, Region)


def test_frames_are_sampled_over_the_whole_video(tmp_path):
    path = make_video(tmp_path / "v.mp4", np.arange(600) / 25, np.linspace(0.1, 0.9, 600))
    assert abs(length_s(path) - 24) < 0.1
    levels = [float(frame.mean()) for frame in sample_frames(path, 5)]
    assert len(levels) == 5
    assert levels[-1] > levels[0] + 50


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
    assert one.left + one.width <= 330
    assert other.left >= 310


def test_a_video_without_people_has_none(tmp_path):
    path = make_video(tmp_path / "v.mp4", np.arange(10) / 25, size=(320, 240))
    assert set(find_faces(path, MODEL).counts) == {0}
