import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damamba.console import InputError
from damamba.streams.face_mesh import read_canonical
from damamba_sim.behaviour.traits import STYLES, Traits, stream
from damamba_sim.faces.actor import Actor, Pose, smear
from damamba_sim.faces.filming import Filming
from damamba_sim.faces.landmarks import LOWER_LIDS, LOWER_LIP, UPPER_LIDS, UPPER_LIP
from damamba_sim.faces.mesh import loop_subdivide, smoothstep, sphere
from damamba_sim.faces.shape import FaceShape, face_topology

TASK = Path(__file__).parents[2] / "data/landmarker/face_landmarker.task"
SEEDS = st.integers(0, 10_000)


def make_shape(seed):
    return FaceShape(Traits.draw(seed), stream(seed, "shape"), face_topology(TASK))


def digest(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def actor():
    return Actor(3, TASK)


def test_canonical_mesh_is_the_landmarkers():
    mesh = read_canonical(TASK)
    assert mesh.vertices.shape == (468, 3)
    assert mesh.triangles.shape == (898, 3)
    assert mesh.triangles.max() == 467
    assert mesh.weights.shape == (468,)
    assert (mesh.weights >= 0).all()
    assert mesh.weights[0] == 0  # a lip
    assert np.count_nonzero(mesh.weights) == 33
    assert ((mesh.uv >= 0) & (mesh.uv <= 1)).all()
    nose_tip, chin, forehead = mesh.vertices[[4, 152, 10]]
    assert nose_tip[2] == mesh.vertices[:, 2].max()
    assert chin[1] < nose_tip[1] < forehead[1]


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_the_message_for_a_missing_or_wrong_model_names_the_remedy(tmp_path, content):
    path = tmp_path / "face_landmarker.task"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"face_landmarker\.task: .*dvc repro landmarker"):
        Actor(0, path)


def test_model_without_a_mesh_is_refused(tmp_path):
    import zipfile

    path = tmp_path / "other.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.tflite", b"")
    with pytest.raises(InputError, match="no canonical face mesh"):
        read_canonical(path)


@pytest.mark.parametrize("size", [(641, 480), (640, 478), (640, 0), (32, 32)])
def test_unusable_sizes_are_refused(size):
    with pytest.raises(InputError, match=r"simulate\.resolution"):
        Actor(0, TASK, *size)


def test_subdivision_keeps_flat_surfaces_flat():
    vertices, triangles = sphere(12, 8)
    subdivision = loop_subdivide(len(vertices), triangles)
    assert len(subdivision.triangles) == 4 * len(triangles)
    for matrix in (subdivision.smooth, subdivision.linear):
        np.testing.assert_allclose(matrix.sum(1), 1)
    flat = np.c_[vertices[:, :2], np.full(len(vertices), 7.0)]
    np.testing.assert_allclose((subdivision.smooth @ flat)[:, 2], 7)
    finer = subdivision.linear @ vertices
    a, b = finer[subdivision.triangles[:, 0]], finer[subdivision.triangles[:, 1]]
    coarse_edge = np.linalg.norm(vertices[triangles[:, 0]] - vertices[triangles[:, 1]], axis=1).max()
    assert np.linalg.norm(a - b, axis=1).max() <= coarse_edge


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_lips_close_and_lids_shut_in_every_face(seed):
    shape = make_shape(seed)
    closed = shape.deform(Pose(eye=0))
    gap_cm = closed[UPPER_LIP[0], 1] - closed[LOWER_LIP[0], 1]
    assert np.abs(gap_cm).max() < 0.12
    lids_cm = closed[UPPER_LIDS[:, 0], 1] - closed[LOWER_LIDS[:, 0], 1]
    assert lids_cm.max() < 0.15


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_expressions_move_what_they_name(seed):
    shape = make_shape(seed)
    rest = shape.deform(Pose())
    opened, smiling, raised = (shape.deform(pose) for pose in (Pose(mouth=1), Pose(smile=1), Pose(brow=1)))
    assert opened[13, 1] - opened[14, 1] > 1.5
    assert smiling[61, 1] > rest[61, 1] + 0.4
    assert smiling[291, 0] - smiling[61, 0] > rest[291, 0] - rest[61, 0] + 0.5
    assert (raised[[105, 334], 1] > rest[[105, 334], 1] + 0.4).all()
    np.testing.assert_allclose(raised[[13, 14, 152]], rest[[13, 14, 152]], atol=0.02)


@settings(max_examples=50)
@given(st.floats(-10, 10), st.floats(-5, 5), st.floats(0.1, 5))
def test_smoothstep_is_bounded_and_turns_with_its_ends(x, start, width):
    rising = smoothstep(start, start + width, x)
    assert 0 <= rising <= 1
    assert smoothstep(start + width, start, x) == pytest.approx(1 - rising)


def test_frame_follows_from_pose_and_index_alone(actor):
    pose = Pose(mouth=0.6, yaw_deg=-10)
    first = actor.render(pose, 5)
    actor.render(Pose(yaw_deg=40, roll_deg=20, shift_x_cm=6, lean_deg=6, hand=1), 6)
    assert digest(actor.render(pose, 5)) == digest(first)
    assert digest(Actor(3, TASK).render(pose, 5)) == digest(first)


def test_another_process_draws_the_same_bytes(actor):
    code = (
        "import hashlib, sys; from pathlib import Path; from damamba_sim.faces.actor import Actor, Pose;"
        "image = Actor(3, Path(sys.argv[1])).render(Pose(mouth=0.4, smile=0.5, gaze_x_deg=8), 2);"
        "print(hashlib.sha256(image.tobytes()).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code, str(TASK)], check=True, capture_output=True, text=True)
    assert there.stdout.strip() == digest(actor.render(Pose(mouth=0.4, smile=0.5, gaze_x_deg=8), 2))


@pytest.mark.parametrize(
    "change",
    [
        {"mouth": 0.7},
        {"mouth_round": 1.0},
        {"smile": 1.0},
        {"eye": 0.0},
        {"brow": 1.0},
        {"gaze_x_deg": 20.0},
        {"gaze_y_deg": 12.0},
        {"yaw_deg": 15.0},
        {"pitch_deg": 10.0},
        {"roll_deg": 10.0},
        {"lean_deg": 4.0},
        {"shift_x_cm": 2.0},
        {"hand": 0.5},
        {"exit": 0.3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_control_changes_the_picture(actor, change):
    rest = actor.render(Pose()).astype(int)
    assert (np.abs(actor.render(Pose(**change)) - rest).max(axis=2) > 25).sum() > 100


def test_absent_person_leaves_the_room(actor):
    empty = actor.render(Pose(present=False, hand=1, mouth=1))
    seen = actor.render(Pose())
    changed = (empty != seen).any(axis=2)
    assert changed[200:, 280:360].mean() > 0.95
    assert not changed[:40, :40].any()
    assert digest(actor.render(Pose(present=False), 9)) == digest(empty)


def test_a_person_who_has_left_is_invisible_and_returns_unchanged(actor):
    room = actor.render(Pose(present=False))
    seen = actor.render(Pose(), 3)
    for side in (-1, 1):
        assert digest(actor.render(Pose(exit=side, shift_x_cm=-6 * side, lean_deg=6), 3)) == digest(room)
        half = actor.render(Pose(exit=0.3 * side), 3)
        where = np.flatnonzero((half != room).any(axis=(0, 2)))
        assert (where.mean() - 320) * side > 80
    assert digest(actor.render(Pose(), 3)) == digest(seen)


def test_motion_smears_along_its_direction_and_rest_is_sharp(actor):
    pose = Pose(yaw_deg=4)
    still = actor.render(pose)
    assert digest(actor.render(pose, 0, pose)) == digest(still)
    smeared = actor.render(pose, 0, Pose(yaw_deg=-4))

    def edges(image, axis):
        return np.abs(np.diff(image[150:330, 230:410].astype(float), axis=axis)).mean()

    assert edges(smeared, 1) < 0.8 * edges(still, 1)
    assert edges(smeared, 0) > edges(smeared, 1)
    assert smear(still, np.array([0.2, 0.1])) is still
    assert smear(still, np.array([9.0, -5.0])).mean() == pytest.approx(still.mean(), rel=0.01)


def test_cameras_differ_in_light_place_and_noise_and_an_object_hides_a_cheek():
    plain = Actor(3, TASK).render(Pose())
    dim = Actor(3, TASK, filming=Filming(exposure=0.6)).render(Pose())
    assert dim.mean() < 0.7 * plain.mean()
    warm = Actor(3, TASK, filming=Filming(warmth=0.1)).render(Pose()).mean((0, 1)) / plain.mean((0, 1))
    assert warm[0] > 1.04 > 0.96 > warm[2]
    grainy = Actor(3, TASK, filming=Filming(grain=6.0)).render(Pose())
    assert (grainy - plain.astype(float)).std() > 3
    turned = Actor(3, TASK, filming=Filming(aside_deg=10)).render(Pose())
    assert np.abs(turned - plain.astype(float))[150:330, 230:410].mean() > 5
    for side in (-1, 1):
        hidden = Actor(3, TASK, filming=Filming(object_side=side)).render(Pose())
        changed = (np.abs(hidden - plain.astype(float)).max(2) > 25).any(0)
        assert changed[320 + side * 90]
        assert not changed[320 - side * 90]


def test_leaning_forward_brings_the_person_nearer(actor):
    room = actor.render(Pose(present=False))

    def area(pose):
        return (np.abs(actor.render(pose).astype(int) - room).max(axis=2) > 20).sum()

    assert area(Pose(lean_deg=-6)) < area(Pose()) < area(Pose(lean_deg=6))


def test_every_hair_style_is_drawn_at_every_size():
    images = [Actor(seed, TASK, 160, 120).render(Pose()) for seed in range(len(STYLES))]
    assert {Traits.draw(seed).hair_style for seed in range(len(STYLES))} == set(STYLES)
    assert len({digest(image) for image in images}) == len(STYLES)
    assert all(image.shape == (120, 160, 3) and image.dtype == np.uint8 for image in images)


def test_aspects_have_random_numbers_of_their_own():
    assert stream(1, "hair").random() == stream(1, "hair").random()
    assert len({stream(seed, aspect).random() for seed in (1, 2) for aspect in ("hair", "skin", "room")}) == 6
