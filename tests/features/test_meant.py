"""Two people in one picture: who is meant is followed, where they cross, leave and come back too."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from damamba.console import InputError
from damamba.corpus.manifest import Participant
from damamba.corpus.region import Region
from damamba.features.extractor import ExtractorInput
from damamba.features.faces import FaceTracker
from damamba.features.follow import FaceFollower, everyone
from damamba.features.landmarker import Landmarker
from damamba.features.look import difference, look_of
from damamba.features.meant import Meant
from damamba.features.reference import meant_of
from damamba.features.regions import find_people, separate
from damamba.predictor.people import people_of
from damamba.predictor.run import predict
from damamba.predictor.videos import Conversation, Person
from damamba_sim.faces.actor import Actor, Pose
from damamba_sim.faces.render import write_video
from tests.features.test_faces import PARAMS

MODEL = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"
PEOPLE = (0, 1)
WIDTH, HEIGHT = 640, 480
N = 40
AWAY = range(26, 33)
"""Frames without the second person."""
NOISE = np.random.default_rng(0).integers(60, 140, (9, 16, 3)).astype(np.uint8)
ROOM = cv2.resize(NOISE, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
SOMEBODY = Participant("own", "s", "p", "p", "train", "en", "x", "v.mp4", "", "", rate_hz=25.0)


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker(MODEL)


@pytest.fixture(scope="module")
def actors():
    return [Actor(seed, MODEL, 320, 240) for seed in PEOPLE]


def frame(actors, k, crosses, height=240):
    """A picture, and where the middle of each person is, None for who is away."""
    image, places = ROOM.copy(), []
    for i, actor in enumerate(actors):
        pose = Pose(yaw_deg=12 * np.sin(k / 3 + 2 * i), mouth=0.5 + 0.5 * np.sin(k + i))
        picture = cv2.resize(actor.render(pose, k)[:, 70:250], (height * 3 // 4, height), interpolation=cv2.INTER_AREA)
        way = (WIDTH - picture.shape[1] - 40) * (k / (N - 1) if crosses else 0.1)
        left = round(20 + way if i == 0 else WIDTH - picture.shape[1] - 20 - way)
        there = i == 0 or k not in AWAY
        if there:
            image[100 : 100 + height, left : left + picture.shape[1]] = picture
        places.append(left + picture.shape[1] / 2 if there else None)
    return image, places


def changes_of_person(faces, places, who):
    """Frames in which the face is another person's, and frames in which the person is seen."""
    wrong = seen = 0
    for face, (mine, theirs) in zip(faces, ((p[who], p[1 - who]) for p in places), strict=True):
        if face is not None and (mine is None or (theirs is not None and abs(mine - theirs) > 30)):
            wrong += mine is None or abs(face.middle[0] - mine) > abs(face.middle[0] - theirs)
        seen += face is not None
    return wrong, seen


@pytest.fixture(scope="module")
def references(actors, tmp_path_factory):
    """A picture of each person in another pose."""
    folder = tmp_path_factory.mktemp("references")
    for i, actor in enumerate(actors):
        image = actor.render(Pose(yaw_deg=-8, smile=0.5), 99)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return [folder / f"{i}.png" for i in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("height", [240, 100])  # faces of 105 and 43 px
@pytest.mark.parametrize("who", [0, 1])
def test_two_people_who_cross_leave_and_come_back_are_never_mistaken(landmarker, actors, references, who, height):
    frames, places = zip(*(frame(actors, k, True, height) for k in range(N)), strict=True)
    follower = FaceFollower(landmarker, meant=meant_of(replace(SOMEBODY, reference=str(references[who])), landmarker))
    faces = [follower.next(image, 0.08 * k) for k, image in enumerate(frames)]
    wrong, seen = changes_of_person(faces, places, who)
    assert wrong == 0
    assert seen >= 0.6 * N
    assert faces[-1] is not None


@pytest.mark.parametrize("who", [0, 1])
def test_a_face_outside_the_region_is_never_taken(landmarker, actors, who):
    region = Region(0.5 * who, 0, 0.5, 1)
    frames, places = zip(*(frame(actors, k, False) for k in range(20, N)), strict=True)
    follower = FaceFollower(landmarker, meant=Meant(region))
    faces = [follower.next(image, 0.08 * k) for k, image in enumerate(frames)]
    wrong, _ = changes_of_person(faces, places, who)
    assert wrong == 0
    assert [face is not None for face in faces] == [p[who] is not None for p in places]


def test_a_stranger_alone_in_the_picture_is_not_taken_for_the_person_of_the_reference(landmarker, actors, references):
    meant = meant_of(replace(SOMEBODY, reference=str(references[1])), landmarker)
    follower = FaceFollower(landmarker, meant=meant)
    image = ROOM.copy()
    image[100:340, 100:280] = actors[0].render(Pose(), 0)[:, 70:250]
    assert [follower.next(image, 0.1 * k) for k in range(6)] == [None] * 6


def test_without_anybody_meant_the_face_is_that_of_the_plain_follower(landmarker, actors):
    image, _ = frame(actors, 0, True)
    (plain,) = [FaceFollower(landmarker).next(image, 0)]
    assert plain.look is None
    assert meant_of(SOMEBODY, landmarker) is None


def test_a_reference_shows_one_face(landmarker, actors, tmp_path):
    both, _ = frame(actors, 0, False)
    for name, image, message in (("none", ROOM, "shows no face"), ("two", both, "shows 2 faces")):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image[..., ::-1])
        with pytest.raises(InputError, match=rf"{name}\.png: {message}; a reference shows the face of one person"):
            meant_of(replace(SOMEBODY, reference=str(tmp_path / f"{name}.png")), landmarker)
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(InputError, match=r"x\.png: no picture that can be read"):
        meant_of(replace(SOMEBODY, reference=str(tmp_path / "x.png")), landmarker)


def test_looks_compare_what_both_pictures_show(landmarker, actors):
    image = actors[0].render(Pose(), 0)
    (face,) = everyone(landmarker, image)
    whole, cut = look_of(image, face.landmarks_px), look_of(image[:150], face.landmarks_px)
    assert np.isnan(cut).any(1).sum() > np.isnan(whole).any(1).sum()
    assert difference(whole, cut) < 2
    assert difference(whole, np.full_like(whole, np.nan)) == np.inf


@pytest.mark.slow
def test_two_people_in_one_video_have_a_curve_each(actors, tmp_path):
    video = tmp_path / "talk.mp4"
    write_video(video, (frame(actors, k, False)[0] for k in range(20)), (np.arange(20) / 12.5).tolist(), 12.5)
    found = predict(video, out=tmp_path / "out", people="all")
    assert [one.participant for one in found.participants] == ["talk-1", "talk-2"]
    first, second = found.participants
    assert np.isfinite(first.engagement).all()
    assert np.isfinite(second.engagement).all()
    assert not np.array_equal(first.engagement, second.engagement)
    assert set(first.contributions) > {"partner talk-2"}
    assert any("sound is shared" in note for note in found.notes)
    with pytest.raises(InputError, match=r"--people is for one video with several people"):
        people_of(Conversation("s", (Person("a", video, video), Person("b", video, video))), 2, PARAMS, tmp_path)


@pytest.fixture(scope="module")
def crossing(actors, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "talk.mp4"
    write_video(path, (frame(actors, k, True)[0] for k in range(N)), (np.arange(N) / 12.5).tolist(), 12.5)
    return path


@pytest.mark.slow
def test_the_people_of_a_video_are_found_and_followed(crossing, actors, tmp_path):
    found = find_people(crossing, MODEL, None)
    assert len(found) == 2
    places = [frame(actors, k, True)[1] for k in range(N)]
    firsts = []
    for k, one in enumerate(found):
        (tmp_path / f"{k}.png").write_bytes(one.picture)
        who = replace(SOMEBODY, video=str(crossing), region=str(one.region), reference=str(tmp_path / f"{k}.png"))
        tracker = FaceTracker(PARAMS)
        assert tracker.input_key(who) != tracker.input_key(replace(who, region="", reference=""))
        stream = tracker.extract(ExtractorInput(who))
        assert "is followed" in stream.note
        assert "taken up again" not in stream.note
        x = np.asarray(stream.x)[:, [0, 2]].mean(1)
        first = int(abs(x[0] - places[0][0]) > abs(x[0] - places[0][1]))
        firsts.append(first)
        for value, seen, place in zip(x, stream.valid, places, strict=True):
            mine, theirs = place[first], place[1 - first]
            if seen and (mine is None or (theirs is not None and abs(mine - theirs) > 30)):
                assert mine is not None
                assert abs(value - mine) < abs(value - theirs)
    assert sorted(firsts) == [0, 1]
    with pytest.raises(InputError, match=r"talk\.mp4: shows 2 faces, not 3, at once in the 16 frames"):
        find_people(crossing, MODEL, 3)


def test_regions_of_people_in_a_grid_do_not_overlap(landmarker, actors):
    image, _ = frame(actors, 0, False)
    faces = sorted(everyone(landmarker, image), key=lambda face: face.middle[0])
    low = [replace(face, landmarks_px=face.landmarks_px + np.array([0, 1000])) for face in faces]
    regions = separate([[face] for face in (*faces, *low)], (1600, WIDTH, 3))
    for face, region in zip((*faces, *low), regions, strict=True):
        holders = [other for other in regions if other.holds(*face.middle, width_px=WIDTH, height_px=1600)]
        assert holders == [region]
