import shutil
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest

from damamba.executor import run_all
from damamba.extractors.flow import HEAD, LANDMARKS, Flow, FlowParams, SimilarityFit
from damamba.features import tracked_frames
from damamba.features.extract import Cue, extract_all
from tests.extractors.conftest import SIZE_PX, filmed, shift, similarity
from tests.extractors_for_tests import Brightness, Settings
from tests.media.specimens import join


def flow(reduce: str = "grid", cells: int = 6, side: int = 112, causal: bool = False) -> Flow:
    extractor = Flow(FlowParams(reduce=reduce, cells=cells, side=side, causal=causal))
    extractor.load()
    return extractor


def serially(function, tasks):
    return run_all(function, tasks, 1, "serial", "test")


def head_of(stream) -> np.ndarray:
    return stream.x[:, [stream.channels.index(name) for name in HEAD]]


@pytest.mark.parametrize("rate_hz", [25.0, 50.0])
@pytest.mark.parametrize(("dx_px", "dy_px"), [(1.5, 0.0), (-2.0, 1.0), (0.0, 3.0)])
def test_a_known_shift_is_measured_in_face_sizes_per_second(recorded, rate_hz, dx_px, dy_px):
    film = filmed([shift(k * dx_px, k * dy_px) for k in range(5)])
    stream = flow().extract(recorded(film, np.arange(5) / rate_hz))
    expected = np.array([dx_px, dy_px]) / SIZE_PX * rate_hz
    assert np.median(head_of(stream)[:, :2], 0) == pytest.approx(expected, abs=0.03 * rate_hz / 25)
    assert np.abs(stream.x[:, :-4]).max() < 0.25 * np.abs(expected).max()  # nothing moves on the face itself


def test_growth_and_turn_of_the_head_are_measured_per_second(recorded):
    film = filmed([similarity(1.01**k, 0.02 * k) for k in range(5)])
    along, down, growth, turn = np.median(head_of(flow().extract(recorded(film, np.arange(5) * 0.04))), 0)
    assert growth == pytest.approx(0.01 * 25, abs=0.05)
    assert turn == pytest.approx(0.02 * 25, abs=0.05)
    assert [along, down] == pytest.approx([0, 0], abs=0.06)


def test_jitter_of_landmarks_makes_no_flow(recorded):
    film = filmed([shift(0.0)] * 6)
    jitter = np.random.default_rng(0).normal(0, 1.0, film.landmarks_px.shape)
    still = type(film)(film.images, film.landmarks_px + jitter)
    assert np.abs(flow().extract(recorded(still, np.arange(6) * 0.04)).x).max() < 0.05


def test_motion_on_the_face_shows_in_its_cell_and_at_its_landmarks(recorded):
    film = filmed([shift(0.0)] * 4)
    mouth = np.exp(-(((np.mgrid[:200, :240][0] - 130) / 12) ** 2) - ((np.mgrid[:200, :240][1] - 120) / 16) ** 2)
    rows, columns = np.mgrid[:200, :240].astype(np.float32)
    images = [
        cv2.remap(film.images[0], columns, (rows - 1.2 * k * mouth).astype(np.float32), cv2.INTER_CUBIC)
        for k in range(4)
    ]
    landmarks = film.landmarks_px.copy()
    landmarks[:, list(LANDMARKS["mouth"])] = (120, 130)
    landmarks[:, list(LANDMARKS["left_brow"])] = (95, 70)
    moving = type(film)(np.stack(images), landmarks)
    t_s = np.arange(4) * 0.04
    grid = flow().extract(recorded(moving, t_s))
    down = np.median(grid.x[:, 1:-4:2], 0).reshape(6, 6)
    assert np.unravel_index(down.argmax(), (6, 6))[0] in (3, 4)
    assert np.unravel_index(down.argmax(), (6, 6))[1] in (2, 3)
    assert np.abs(np.median(head_of(grid), 0)).max() < 0.06
    magnitudes = flow("landmarks").extract(recorded(moving, t_s))
    at_mouth, at_brow = (
        np.median(magnitudes.x[:, [i for i, name in enumerate(magnitudes.channels) if name.startswith(part)]])
        for part in ("mouth", "left_brow")
    )
    assert at_mouth > 0.15
    assert at_brow < 0.25 * at_mouth


def test_rows_stand_between_frames_and_a_pause_or_a_missing_face_is_not_valid(recorded):
    film = filmed([shift(k) for k in range(8)])
    t_s = np.array([0.5, 0.54, 0.58, 0.9, 0.94, 0.98, 1.02, 1.06])
    stream = flow(cells=3).extract(recorded(film, t_s, np.arange(8) != 5))
    assert stream.x.shape == (7, 3 * 3 * 2 + 4)
    assert stream.t_s == pytest.approx((t_s[:-1] + t_s[1:]) / 2, abs=1e-4)
    assert stream.valid.tolist() == [True, True, False, True, False, False, True]
    assert np.isnan(stream.x[~stream.valid]).all()
    assert (stream.score[~stream.valid] == 0).all()


def test_causal_rows_stand_at_their_later_frame_and_are_otherwise_the_same(recorded):
    t_s = np.array([0.5, 0.54, 0.58, 0.9, 0.94])
    recording = recorded(filmed([shift(k) for k in range(5)]), t_s)
    between, later = flow(cells=3).extract(recording), flow(cells=3, causal=True).extract(recording)
    assert later.t_s == pytest.approx(t_s[1:], abs=1e-4)
    np.testing.assert_array_equal(later.x, between.x)
    np.testing.assert_array_equal(later.valid, between.valid)
    assert (flow().lookahead_s, flow(causal=True).lookahead_s) == (None, 0.0)


def test_landmarks_are_named_and_each_stands_once():
    numbers = [i for points in LANDMARKS.values() for i in points]
    assert len(set(numbers)) == len(numbers)
    assert 90 <= len(numbers) <= 130
    assert max(numbers) < 478


def test_one_frame_has_no_flow(recorded):
    stream = flow().extract(recorded(filmed([shift(0)]), np.array([0.0])))
    assert stream.x.shape == (0, 76)


def test_the_same_video_gives_the_same_bytes(recorded):
    recording = recorded(filmed([shift(k) for k in range(4)]), np.arange(4) * 0.04)
    for reduce in ("grid", "landmarks"):
        assert flow(reduce).extract(recording).x.tobytes() == flow(reduce).extract(recording).x.tobytes()


def test_a_part_that_moves_on_its_own_is_outvoted():
    fit = SimilarityFit(112)
    head = np.array([0.3, -0.2, 0.1, 0.2])
    seen = fit.field(head).astype(np.float64)
    seen[70:100, 30:80] += 2.0
    assert fit.fit(seen) == pytest.approx(head, abs=0.01)


def test_a_cut_gives_no_flow_and_the_scenes_around_it_do(recorded):
    one, other = filmed([shift(k) for k in range(6)]), filmed([shift(k) for k in range(6)])
    other = type(other)(255 - other.images[:, ::-1], other.landmarks_px)  # another scene, the face in the same place
    images = np.concatenate([one.images[:3], other.images[3:]])
    film = type(one)(images, np.concatenate([one.landmarks_px[:3], other.landmarks_px[3:]]))
    stream = flow(cells=3).extract(recorded(film, np.arange(6) * 0.04))
    assert stream.valid.tolist() == [True, True, False, True, True]
    assert np.isnan(stream.x[2]).all()


def test_a_change_of_resolution_gives_no_flow(recorded, tmp_path):
    """Two H.264 streams of different size, one after the other in a transport stream."""
    film = filmed([shift(k) for k in range(4)])
    recording = recorded(film, np.arange(4) * 0.04)
    parts = []
    for k, scale in enumerate((1, 2)):
        part = tmp_path / f"{k}.ts"
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "4", "bf": "0"})
            stream.height, stream.width, stream.pix_fmt = 200 // scale, 240 // scale, "yuv420p"
            for image in film.images[2 * k : 2 * k + 2]:
                picture = cv2.resize(image, (240 // scale, 200 // scale), interpolation=cv2.INTER_AREA)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
            container.mux(stream.encode())
        parts.append(part)
    join(recording.video.path, *parts)
    stream = flow(cells=3).extract(recording)
    assert stream.valid.tolist() == [True, False, True]


@pytest.mark.parametrize("step_px", [3.0, 6.0])
def test_a_walk_through_the_picture_is_no_cut(recorded, step_px):
    """Faster and faster, as people and cameras move."""
    film = filmed([shift(step_px * (k / 9) ** 2 * 3) for k in range(10)])
    assert flow(cells=3).extract(recorded(film, np.arange(10) * 0.04)).valid.all()


def test_beside_another_cue_rows_are_the_same_bytes_from_one_decode_and_one_dense_flow(recorded, tmp_path, monkeypatch):
    source = recorded(filmed([shift(k) for k in range(5)]), np.arange(5) * 0.04, np.arange(5) != 1)
    person = replace(source.participant, duration_s=0.2)
    track = person.shard(tmp_path / "faces")
    track.parent.mkdir(parents=True)
    shutil.copy2(source.face_shard, track)
    settings = {name: FlowParams(reduce=name, cells=6, side=112) for name in ("grid", "landmarks")}

    def make(folder, name, extractor=Flow, beside=()):
        cues = [Cue(Flow, settings[other], tmp_path / folder / other) for other in beside]
        out, params = tmp_path / folder / name, settings.get(name, Settings())
        return extract_all(extractor, params, [person], out, serially, tmp_path / "faces", beside=cues)

    for name in settings:
        make("alone", name)
    decoded, computed = [], []
    read, motion = tracked_frames.read_frames, Flow.motion
    monkeypatch.setattr(tracked_frames, "read_frames", lambda video: decoded.append(video) or read(video))
    monkeypatch.setattr(Flow, "motion", lambda *given: computed.append(given) or motion(*given))
    assert "1 participants made" in make("together", "grid", beside=settings)
    assert "up to date" in make("together", "landmarks", beside=settings)
    assert (len(decoded), len(computed)) == (1, 2)
    for name in settings:
        shards = [person.shard(tmp_path / folder / name).read_bytes() for folder in ("alone", "together")]
        assert shards[0] == shards[1]
    make("passed", "brightness", Brightness, settings)  # reads the video without its track: nobody could watch
    assert not (tmp_path / "passed/grid").exists()
    assert "1 participants made" in make("passed", "grid")
