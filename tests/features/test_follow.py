"""Who is followed, how small a face may be, and what happens while a person is away."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from damamba.features.follow import LOST_S, TILES_S, FaceFollower, everyone, tiles, window
from damamba.features.landmarker import Landmarker
from damamba_sim.faces.actor import Actor, Pose

MODEL = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"
HD = (1080, 1920)


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker(MODEL)


@pytest.fixture(scope="module")
def people():
    """Pictures of two people; a face is 130 px long in each."""
    return [Actor(seed, MODEL, 320, 240).render(Pose(), 0) for seed in range(2)]


def scene(*placed, shape=HD):
    """A picture with people in it: (picture, height, left, top) of each."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(60, 140, (9, 16, 3)).astype(np.uint8), shape[::-1], interpolation=cv2.INTER_CUBIC)
    for picture, height, left, top in placed:
        small = cv2.resize(picture, (height * 4 // 3, height), interpolation=cv2.INTER_AREA)
        image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def followed(landmarker, images, every_s=0.04):
    follower = FaceFollower(landmarker)
    return [follower.next(image, k * every_s) for k, image in enumerate(images)], follower.counts


@pytest.mark.parametrize("height", [460, 220, 170])
def test_small_faces_in_full_hd_are_found(landmarker, people, height):
    """The face alone in the whole picture is found down to an eighth of its width only."""
    faces, _ = followed(landmarker, [scene((people[0], height, 900 + 4 * k, 300)) for k in range(5)])
    assert all(faces)
    for k, face in enumerate(faces):
        assert face.size / HD[1] < 0.11
        middle = 900 + 4 * k + height * 2 / 3
        assert abs(face.middle[0] - middle) < 0.1 * height


def test_the_larger_of_two_is_followed_and_never_the_other_while_they_are_away(landmarker, people):
    def picture(k):
        return [(people[0], 500, 100, 300)] * (not 5 <= k < 12) + [(people[1], 440, 1200, 320)]

    faces, counts = followed(landmarker, [scene(*picture(k)) for k in range(15)], every_s=0.1)
    assert [face is not None for face in faces] == [not 5 <= k < 12 for k in range(15)]
    assert all(face.middle[0] < 960 for face in faces if face)
    assert (counts.frames, counts.found, counts.jumps) == (15, 8, 0)
    assert counts.with_others >= 2


def test_who_comes_nearer_than_the_person_is_not_taken_for_them(landmarker, people):
    scenes = [scene((people[0], 400, 100, 300), (people[1], 300 + 60 * k, 900, 100)) for k in range(8)]
    faces, _ = followed(landmarker, scenes, every_s=0.3)
    assert all(face and face.middle[0] < 800 for face in faces)


def test_after_a_cut_the_person_is_taken_up_in_the_new_place_and_it_is_counted(landmarker, people):
    there = [scene((people[0], 460, 100, 300))] * 3 + [scene((people[0], 460, 1250, 100))] * 8
    faces, counts = followed(landmarker, there, every_s=0.1)
    assert [face is not None for face in faces[:3]] == [True] * 3
    found = [k for k, face in enumerate(faces) if k >= 3 and face]
    assert found == list(range(found[0], 11))
    assert found[0] * 0.1 < 0.3 + LOST_S + TILES_S
    assert counts.jumps == 1


def test_a_face_that_is_followed_needs_no_detector_and_its_numbers_do_not_jump(landmarker, people, monkeypatch):
    image, looks, find = scene((people[0], 460, 10, 10), shape=(480, 640)), [], landmarker.find
    follower = FaceFollower(landmarker)
    faces = [follower.next(image, 0.0)]
    monkeypatch.setattr(landmarker, "find", lambda part: looks.append(part.shape) or find(part))
    faces += [follower.next(image, k / 25) for k in range(1, 30)]
    assert all(faces)
    assert len(looks) == 2  # after a second: around the face to confirm it, and in the whole picture
    assert looks[1] == image.shape
    steps = [np.abs(b.landmarks_px - a.landmarks_px).max() for a, b in pairwise(faces)]
    assert max(steps) < 0.01 * faces[0].size


def test_nobody_is_followed_into_an_empty_picture(landmarker, people):
    faces, _ = followed(landmarker, [scene((people[0], 460, 100, 300))] * 3 + [scene()] * 3)
    assert [face is not None for face in faces] == [True] * 3 + [False] * 3


def test_a_face_that_the_detector_does_not_confirm_is_given_up_within_a_second(landmarker, people, monkeypatch):
    image = scene((people[0], 460, 10, 10), shape=(480, 640))
    follower = FaceFollower(landmarker)
    assert follower.next(image, 0.0)
    monkeypatch.setattr(landmarker, "find", lambda image: [])
    faces = [follower.next(image, k / 10) for k in range(1, 14)]
    assert [face is not None for face in faces] == [True] * 9 + [False] * 4


def test_the_place_of_a_head_is_that_in_the_whole_picture_wherever_it_was_found(landmarker, people):
    image = scene((people[0], 300, 30, 40), shape=(480, 640))
    (whole, part), _ = followed(landmarker, [image] * 2)  # the first in the whole picture, the second in a window
    assert whole.head[0, 3] < -3
    assert whole.head[1, 3] > 3
    np.testing.assert_allclose(part.head[:3, 3], whole.head[:3, 3], rtol=0.1)
    small, _ = followed(landmarker, [scene((people[0], 220, 900, 300))] * 2)  # both in parts of it
    np.testing.assert_allclose(small[0].head[:3, 3], small[1].head[:3, 3], rtol=0.1, atol=2)


def test_nothing_is_invented_in_a_picture_without_people(landmarker):
    faces, counts = followed(landmarker, [scene()] * 4)
    assert faces == [None] * 4
    assert counts.looks == 4


def test_everyone_is_found_once(landmarker, people):
    image = scene((people[0], 500, 100, 300), (people[1], 170, 1500, 50))
    assert len(everyone(landmarker, image)) == 2


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (1920, 1080), (2160, 3840), (96, 96), (60, 400)])
def test_tiles_cover_the_picture_and_overlap_by_more_than_a_face(shape):
    height, width = shape
    seen = np.zeros(shape, int)
    squares = tiles((*shape, 3))
    for left, top, w, h in squares:
        assert 0 <= left <= width - w
        assert 0 <= top <= height - h
        seen[top : top + h, left : left + w] += 1
    assert seen.min() >= 1
    assert len(squares) <= 40


def test_the_window_lies_in_the_picture(landmarker, people):
    (face,) = followed(landmarker, [scene((people[0], 460, 0, 0), shape=(480, 640))])[0]
    left, top, width, height = window(face, (480, 640, 3))
    assert left >= 0
    assert top >= 0
    assert left + width <= 640
    assert top + height <= 480
    assert width > face.size
