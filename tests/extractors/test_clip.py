import numpy as np
import pytest
import torch

from damamba.console import InputError
from damamba.extractors.clip import Clip, ClipParams
from damamba.features.crop import upright_square, warp
from damamba.media.decode import read_frames
from damamba_sim.faces.render import write_video
from tests.extractors.conftest import SIZE_PX, filmed, shift

T_S = 0.2 + np.arange(10) * 0.04


@pytest.fixture
def film():
    return filmed([shift(k) for k in range(10)])


def clip(checkpoint, batch_frames: int = 4, pretrained: str | None = None) -> Clip:
    extractor = Clip(ClipParams(checkpoint=str(checkpoint), pretrained=pretrained, crop=1.4, batch_frames=batch_frames))
    extractor.load()
    return extractor


def test_a_row_a_frame_at_its_time(clip_checkpoint, recorded, film):
    stream = clip(clip_checkpoint).extract(recorded(film, T_S))
    assert stream.x.shape == (10, 12)
    assert stream.t_s == pytest.approx(T_S, abs=1e-5)
    assert stream.valid.all()
    assert stream.score == pytest.approx(0.9)
    assert stream.rate_hz == 25


def test_a_frame_without_a_face_is_missing_not_zero(clip_checkpoint, recorded, film):
    valid = np.arange(10) % 4 != 2
    stream = clip(clip_checkpoint).extract(recorded(film, T_S, valid))
    assert (stream.valid == valid).all()
    assert np.isnan(stream.x[~valid]).all()
    assert (stream.score[~valid] == 0).all()
    whole = clip(clip_checkpoint).extract(recorded(film, T_S)).x
    np.testing.assert_allclose(stream.x[valid], whole[valid], atol=1e-5)


def test_a_batch_is_always_full_so_that_a_row_does_not_depend_on_how_many_faces_come_later(
    clip_checkpoint, recorded, film, monkeypatch
):
    extractor, shapes = clip(clip_checkpoint), []
    embed = extractor.embed

    def counted(squares):
        if squares.any():  # a blank picture alone asks for the width
            shapes.append(len(squares))
        return embed(squares)

    monkeypatch.setattr(extractor, "embed", counted)
    for faces in (10, 9, 5):
        stream = extractor.extract(recorded(film, T_S, np.arange(10) < faces))
        assert np.isfinite(stream.x[:faces]).all()
    assert set(shapes) == {4}


def test_the_embedding_is_that_of_the_library(clip_checkpoint, recorded, film):
    import open_clip
    from PIL import Image

    recording = recorded(film, T_S)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{clip_checkpoint}")
    square = upright_square(film.landmarks_px[3], SIZE_PX, 1.4, 32)
    crop = warp(list(read_frames(recording.video))[3].image, square, 32)
    with torch.no_grad():
        expected = model.eval().encode_image(preprocess(Image.fromarray(crop))[None])[0].numpy()
    np.testing.assert_allclose(clip(clip_checkpoint).extract(recording).x[3], expected, atol=1e-4)


def test_batches_and_repetition_change_nothing(clip_checkpoint, recorded, film):
    recording = recorded(film, T_S)
    rows = [clip(clip_checkpoint, batch_frames=n).extract(recording).x for n in (4, 4, 64, 1)]
    assert rows[0].tobytes() == rows[1].tobytes()
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-5)
    np.testing.assert_allclose(rows[0], rows[3], atol=1e-5)


def test_the_embedding_follows_the_face_not_the_frame(clip_checkpoint, recorded, film):
    rows = clip(clip_checkpoint).extract(recorded(film, T_S)).x
    assert np.linalg.norm(rows[9] - rows[0]) < 0.1 * np.linalg.norm(rows[0])


def test_a_track_of_another_video_is_refused(clip_checkpoint, recorded, film):
    recording = recorded(film, T_S)
    for t_s, images in ((T_S + 0.04, film.images), (T_S[:8], film.images[:8])):
        write_video(recording.video.path, iter(images), t_s.tolist(), fps=25)
        with pytest.raises(InputError, match="dvc repro -f track_faces"):
            clip(clip_checkpoint).extract(recording)


def test_without_any_face_every_row_is_missing(clip_checkpoint, recorded, film):
    stream = clip(clip_checkpoint).extract(recorded(film, T_S, np.zeros(10, bool)))
    assert stream.x.shape == (10, 12)
    assert not stream.valid.any()
    assert np.isnan(stream.x).all()
