"""Encoders of any kind by transformers' AutoModel: tiny random ones, which load as the published ones do."""

import numpy as np
import pytest

from damamba.console import InputError
from damamba.encoders.torchvision_import import declare_operators
from damamba.extractors.audio_model import AudioModel, AudioModelParams
from damamba.extractors.image_model import ImageModel, ImageModelParams
from damamba.extractors.video_model import VideoModel, VideoModelParams
from tests.extractors.conftest import filmed, shift

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
T_S = 0.2 + np.arange(10) * 0.04


def whisper(folder, window_s=4):
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    config = WhisperConfig(
        d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=80, vocab_size=16, max_source_positions=50 * window_s,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor(chunk_length=window_s).save_pretrained(folder)


def wide_whisper(folder):
    """It hears 6 s at once: cores of 2 s with 2 s on each side."""
    whisper(folder, 6)


def w2v_bert(folder):
    from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2BertConfig, Wav2Vec2BertModel

    Wav2Vec2BertModel(Wav2Vec2BertConfig(**SMALL, feature_projection_input_dim=160)).save_pretrained(folder)
    SeamlessM4TFeatureExtractor().save_pretrained(folder)


def wavlm(folder):
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMModel

    config = WavLMConfig(**SMALL, conv_dim=(8,) * 7, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2)
    WavLMModel(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)


def dinov2(folder):
    from transformers import Dinov2Config, Dinov2Model

    small = {key: value for key, value in SMALL.items() if key != "intermediate_size"}
    Dinov2Model(Dinov2Config(**small, image_size=28, patch_size=14)).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"crop_size": {"height": 28, "width": 28}, "size": {"shortest_edge": 32},'
        ' "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}'
    )


def vit_classifier(folder):
    from transformers import ViTConfig, ViTForImageClassification

    ViTForImageClassification(ViTConfig(**SMALL, image_size=32, patch_size=16)).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}'
    )


def videomae(folder):
    from transformers import VideoMAEConfig, VideoMAEModel

    config = VideoMAEConfig(**SMALL, image_size=32, patch_size=16, num_frames=4, tubelet_size=2)
    VideoMAEModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"size": {"shortest_edge": 32}, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}'
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Makes each kind once."""
    declare_operators()
    import torch

    made = {}

    def make(kind):
        if kind not in made:
            torch.manual_seed(4)
            made[kind] = tmp_path_factory.mktemp(kind.__name__)
            kind(made[kind])
        return str(made[kind])

    return make


def audio(folder, layer=-1, causal=False):
    extractor = AudioModel(AudioModelParams(checkpoint=folder, revision=None, layer=layer, causal=causal))
    extractor.load()
    return extractor


def noise(seconds):
    return (np.random.default_rng(0).standard_normal(round(seconds * 16000)) / 10).astype(np.float32)


@pytest.mark.parametrize("kind", [whisper, w2v_bert, wavlm])
def test_rate_and_width_are_those_of_the_checkpoint(kind, checkpoint, spoken):
    stream = audio(checkpoint(kind)).extract(spoken(noise(7)))
    assert stream.rate_hz == 50
    assert stream.x.shape == (350, 16)
    assert stream.t_s[:2] == pytest.approx([0.01, 0.03])
    assert stream.valid[:-3].all()  # the encoder may give no row for the last frames
    assert (np.isfinite(stream.x).all(1) == stream.valid).all()


@pytest.mark.parametrize("kind", [w2v_bert, wavlm])
def test_a_burst_is_where_it_was_said(kind, checkpoint, spoken):
    """From 40 to 40.4 s, in the second piece: rows differ there."""
    before = noise(50)
    after = before.copy()
    after[40 * 16000 : round(40.4 * 16000)] = noise(0.4)  # as loud, but others
    extractor = audio(checkpoint(kind), layer=0)  # before attention, which spreads it
    change = np.abs(extractor.extract(spoken(after)).x - extractor.extract(spoken(before)).x).sum(1)
    where = np.nonzero(change > change[np.isfinite(change)].max() / 4)[0] / 50
    assert where.min() == pytest.approx(40.0, abs=0.06)
    assert where.max() == pytest.approx(40.4, abs=0.06)


@pytest.mark.parametrize("kind", [whisper, w2v_bert, wavlm])
def test_a_causal_row_hears_no_later_sound_than_it_says(kind, checkpoint, spoken):
    extractor = audio(checkpoint(kind), causal=True)
    before = noise(4)
    after = before.copy()
    after[2 * 16000 :] = noise(2) * 3
    first, second = (extractor.extract(spoken(samples)) for samples in (before, after))
    assert extractor.lookahead_s < 0.5
    heard = first.valid & (first.t_s + extractor.lookahead_s < 2.0)
    assert heard.sum() > 60
    assert first.valid[:-1].all()  # no chunk loses a row; the encoder may give none for the last one
    np.testing.assert_array_equal(first.x[heard], second.x[heard])
    assert np.nanmax(np.abs(first.x - second.x)) > 0


def test_whisper_hears_nothing_beyond_its_window(checkpoint, spoken):
    """Rows of 2 to 4 s hear the sound from 0 to 6 s, and no more."""
    extractor = audio(checkpoint(wide_whisper))
    before = noise(9)
    first = extractor.extract(spoken(before)).x
    for start_s, stop_s, deaf in ((6, 9, slice(0, 200)), (0, 2, slice(200, None))):
        after = before.copy()
        after[start_s * 16000 : stop_s * 16000] *= -0.5
        second = extractor.extract(spoken(after)).x
        np.testing.assert_array_equal(second[deaf], first[deaf])
        changed = np.abs(second - first).max(1) > 0
        assert changed[start_s * 50 : stop_s * 50].all()
    after = before.copy()
    after[round(5.9 * 16000) : 6 * 16000] *= -0.5
    changed = np.abs(extractor.extract(spoken(after)).x - first).max(1) > 0
    assert changed[100:200].all()  # within the window it looks ahead, by attention
    assert not changed[:100].any()


@pytest.mark.parametrize("seconds", [0.05, 0.5, 2])
def test_a_short_recording_has_rows_for_its_sound_and_none_for_the_padding(seconds, checkpoint, spoken):
    stream = audio(checkpoint(wide_whisper)).extract(spoken(noise(seconds)))
    assert len(stream.t_s) == round(seconds * 50)
    assert stream.t_s[-1] < seconds
    assert stream.valid.all()


@pytest.mark.parametrize("kind", [wavlm, whisper])
def test_sound_that_was_not_recorded_is_missing(kind, checkpoint, spoken):
    samples = noise(6)
    samples[2 * 16000 : 3 * 16000] = np.nan
    stream = audio(checkpoint(kind)).extract(spoken(np.nan_to_num(samples)))
    assert stream.valid.any()
    assert (np.isfinite(stream.x).all(1) == stream.valid).all()


def test_a_layer_that_is_not_there_is_refused(checkpoint):
    with pytest.raises(InputError, match=r"no layer 7; it has 0 to 2"):
        audio(checkpoint(whisper), layer=7)


def test_a_model_of_pictures_hears_nothing_and_says_so(checkpoint):
    with pytest.raises(InputError, match="cannot be loaded"):
        audio(checkpoint(dinov2))


def test_a_picture_model_gives_a_row_a_frame(checkpoint, recorded):
    extractor = ImageModel(ImageModelParams(checkpoint=checkpoint(dinov2), revision=None, batch_frames=4))
    extractor.load()
    assert extractor.side_px == 28
    valid = np.arange(10) != 3
    stream = extractor.extract(recorded(filmed([shift(k) for k in range(10)]), T_S, valid))
    assert stream.x.shape == (10, 16)
    assert (stream.valid == valid).all()
    assert (np.isfinite(stream.x).all(1) == valid).all()
    assert stream.extractor == "image_model"
    assert np.ptp(stream.x[valid], axis=0).max() > 0


def test_a_video_model_gives_a_row_a_clip_in_its_middle(checkpoint, recorded):
    extractor = VideoModel(VideoModelParams(checkpoint=checkpoint(videomae), revision=None, hop_frames=2))
    extractor.load()
    film = filmed([shift(k) for k in range(10)])
    stream = extractor.extract(recorded(film, T_S, np.arange(10) != 7))
    assert stream.t_s == pytest.approx(T_S[[0, 2, 4, 6]] + 0.06)
    assert stream.valid.tolist() == [True, True, False, False]
    assert (np.isfinite(stream.x).all(1) == stream.valid).all()
    assert stream.rate_hz == 12.5
    late = VideoModel(VideoModelParams(checkpoint=checkpoint(videomae), revision=None, hop_frames=2, causal=True))
    late.load()
    assert late.extract(recorded(film, T_S)).t_s == pytest.approx(T_S[[3, 5, 7, 9]])
    gap = T_S + np.where(np.arange(10) >= 3, 0.5, 0)  # the camera stopped after three frames
    assert extractor.extract(recorded(film, gap)).valid.tolist() == [False, False, True, True]


def test_models_of_pictures_and_of_clips_are_told_apart(checkpoint):
    clips = ImageModel(ImageModelParams(checkpoint=checkpoint(videomae), revision=None))
    pictures = VideoModel(VideoModelParams(checkpoint=checkpoint(dinov2), revision=None))
    with pytest.raises(InputError, match="use the extractor video_model"):
        clips.load()
    with pytest.raises(InputError, match="use the extractor image_model"):
        pictures.load()


def test_a_model_without_a_trained_pooler_gives_the_mean_of_its_tokens(checkpoint):
    """Weights that a checkpoint lacks are random, and other ones in every process."""
    rows = []
    for _ in range(2):
        extractor = ImageModel(ImageModelParams(checkpoint=checkpoint(vit_classifier), revision=None))
        extractor.load()
        rows.append(extractor.embed(np.full((1, 32, 32, 3), 90, np.uint8)))
    np.testing.assert_array_equal(*rows)


def test_a_sound_of_a_few_rows_has_these(checkpoint, spoken):
    stream = audio(checkpoint(wavlm)).extract(spoken(noise(0.05)))
    assert len(stream.t_s) == 2


def test_pictures_that_are_not_square_are_refused(checkpoint, tmp_path):
    import shutil

    folder = tmp_path / "wide"
    shutil.copytree(checkpoint(dinov2), folder)
    (folder / "preprocessor_config.json").write_text('{"size": {"height": 28, "width": 42}}')
    extractor = ImageModel(ImageModelParams(checkpoint=str(folder), revision=None))
    with pytest.raises(InputError, match="not squares"):
        extractor.load()
