"""wav2vec2 and emotion, on tiny random checkpoints."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from damamba.console import InputError
from damamba.encoders.speech_encoder import CHUNK_S, FrameClock, SpeechEncoder, in_pieces
from damamba.extractors.emotion import Emotion, EmotionParams, pool
from damamba.extractors.wav2vec2 import Wav2Vec2, Wav2Vec2Params
from damamba.features.extractor import SOUND_LOOKAHEAD_S, ExtractorInput
from damamba.media.sound import Waveform, read_waveform
from damamba.spool import RowsOnDisk
from tests.conftest import make_wav
from tests.extractors.conftest import participant

CLOCK = FrameClock(stride=320, receptive=400)


@pytest.fixture
def speech() -> np.ndarray:
    """(n,) 3 s of noise that swells and fades."""
    n = 48_000
    return 0.2 * np.random.default_rng(5).normal(size=n) * (1 + np.sin(np.arange(n) / 3000)) / 2


def wav2vec2(checkpoint, layer: int = -1, causal: bool = False) -> Wav2Vec2:
    extractor = Wav2Vec2(Wav2Vec2Params(checkpoint=str(checkpoint), revision=None, layer=layer, causal=causal))
    extractor.load()
    return extractor


def emotion(checkpoint, window_s: float = 1.0, hop_s: float = 0.1, causal: bool = False) -> Emotion:
    settings = EmotionParams(checkpoint=str(checkpoint), revision=None, window_s=window_s, hop_s=hop_s, causal=causal)
    extractor = Emotion(settings)
    extractor.load()
    return extractor


def test_the_clock_is_that_of_the_published_models():
    from transformers import Wav2Vec2Config

    assert FrameClock.of(Wav2Vec2Config()) == CLOCK
    assert CLOCK.rate_hz == 50
    assert CLOCK.count(1200 * 16_000) == 59_999
    assert CLOCK.count(399) == 0
    assert CLOCK.centres_s(2).tolist() == [0.0125, 0.0325]


def test_frames_are_as_many_as_the_model_makes_and_stand_at_their_centres(speech_checkpoint, spoken, speech):
    stream = wav2vec2(speech_checkpoint).extract(spoken(speech))
    assert stream.x.shape == (149, 16)
    assert stream.valid.all()
    assert stream.t_s[0] == pytest.approx(200 / 16_000)
    assert np.diff(stream.t_s) == pytest.approx(0.02)
    assert stream.rate_hz == 50


def test_a_click_is_heard_by_the_frames_around_it():
    """By convolution alone: the frame whose centre is nearest to the click has the largest value."""
    click_s = 1.5
    samples = np.zeros(48_000, np.float32)
    samples[round(click_s * 16_000)] = 1
    frames = np.lib.stride_tricks.sliding_window_view(samples, CLOCK.receptive)[:: CLOCK.stride] @ np.hanning(400)
    assert abs(CLOCK.centres_s(len(frames))[frames.argmax()] - click_s) <= 0.01


def test_the_rows_are_those_of_the_library_on_the_normalised_waveform(speech_checkpoint, spoken, speech):
    from transformers import AutoFeatureExtractor, Wav2Vec2Model

    recording = spoken(speech)
    samples = read_waveform(recording.audio).samples
    model = Wav2Vec2Model.from_pretrained(speech_checkpoint).eval()
    inputs = AutoFeatureExtractor.from_pretrained(speech_checkpoint)(
        samples, sampling_rate=16_000, return_tensors="pt"
    ).input_values
    with torch.no_grad():
        expected = model(inputs, output_hidden_states=True)
    last = wav2vec2(speech_checkpoint).extract(recording).x
    first = wav2vec2(speech_checkpoint, layer=0).extract(recording).x
    np.testing.assert_allclose(last, expected.last_hidden_state[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(first, expected.hidden_states[0][0].numpy(), atol=1e-5)


@pytest.mark.parametrize("n", [400, 719, 720, 16_000, 47_999, 48_123])
def test_pieces_of_a_local_encoder_are_exactly_the_whole(n):
    def encode(samples: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(samples, CLOCK.receptive)[:: CLOCK.stride, ::7]

    samples = np.random.default_rng(0).normal(size=n).astype(np.float32)
    pieces = list(in_pieces(encode, samples, CLOCK, core_s=0.5, context_s=0.1))
    np.testing.assert_array_equal(np.concatenate(pieces), encode(samples))


def test_pieces_are_nearly_the_whole_where_frames_attend_to_each_other(speech):
    encoder = SpeechEncoder.load("damamba/extractors/checkpoints/compact-wav2vec2", None, -1)
    samples = speech.astype(np.float32)
    whole = encoder.encode(samples)
    pieces = np.concatenate(list(in_pieces(encoder.encode_piece, samples, encoder.frames, core_s=1.0, context_s=0.5)))
    assert pieces.shape == whole.shape
    assert np.corrcoef(pieces.ravel(), whole.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("n", [0, 100, 399])
def test_too_little_sound_gives_no_rows(speech_checkpoint, emotion_checkpoint, spoken, monkeypatch, n):
    recording = spoken(np.zeros(1))
    for module in ("wav2vec2", "emotion"):  # a file without a single sample cannot be decoded
        monkeypatch.setattr(
            f"damamba.extractors.{module}.read_waveform", lambda path: Waveform(np.zeros(n, np.float32), 0.0)
        )
    assert wav2vec2(speech_checkpoint).extract(recording).x.shape == (0, 16)
    assert emotion(emotion_checkpoint).extract(recording).x.shape == (0, 19)


def test_the_same_sound_gives_the_same_bytes(speech_checkpoint, emotion_checkpoint, spoken, speech):
    for extractor in (wav2vec2(speech_checkpoint), emotion(emotion_checkpoint)):
        once, again = (extractor.extract(spoken(speech)).x.tobytes() for _ in range(2))
        assert once == again


def test_a_layer_that_is_not_there_is_refused(speech_checkpoint):
    with pytest.raises(InputError, match=r"no layer 3; it has 0 to 2"):
        wav2vec2(speech_checkpoint, layer=3)


def test_a_token_is_the_mean_state_of_its_window_and_what_the_head_reads_off_it(emotion_checkpoint, spoken, speech):
    extractor = emotion(emotion_checkpoint, window_s=1.0, hop_s=0.1)
    stream = extractor.extract(spoken(speech))
    assert stream.channels[-3:] == ("arousal", "dominance", "valence")
    assert stream.x.shape == (31, 16 + 3)
    assert stream.t_s == pytest.approx(np.arange(31) * 0.1)
    states = extractor._encoder.encode(read_waveform(spoken(speech).audio).samples)
    times_s = CLOCK.centres_s(len(states))
    inside = (times_s >= 0.7) & (times_s < 1.7)
    np.testing.assert_allclose(stream.x[12, :16], states[inside].mean(0), atol=1e-5)


def test_a_token_over_everything_is_what_the_published_model_says(emotion_checkpoint, spoken, speech):
    """audEERING's card: mean over the utterance, then the head."""
    from transformers import AutoFeatureExtractor

    from damamba.encoders.emotion_model import EmotionModel

    recording = spoken(speech[: CLOCK.span(0, 149).stop])  # what no frame sees would count in its group norm
    model = EmotionModel.from_pretrained(emotion_checkpoint).eval()
    samples = read_waveform(recording.audio).samples
    preprocessor = AutoFeatureExtractor.from_pretrained(emotion_checkpoint)
    inputs = preprocessor(samples, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        pooled, dimensions = model(inputs.input_values)
    token = emotion(emotion_checkpoint, window_s=6.0, hop_s=1.5).extract(recording).x[1]
    np.testing.assert_allclose(token, torch.cat([pooled, dimensions], 1)[0].numpy(), atol=1e-5)


def test_windows_at_the_ends_are_cut_short():
    frames_s = CLOCK.centres_s(50)
    states = np.arange(50, dtype=np.float32)[:, None]
    first, last = pool([states[:20], states[20:]], 1, frames_s, np.array([0.0, 1.0]), window_s=1.0)[:, 0]
    assert first == pytest.approx(states[frames_s < 0.5].mean())
    assert last == pytest.approx(states[frames_s >= 0.5].mean())


def test_rows_that_would_hear_lost_sound_are_not_valid(
    speech_checkpoint, emotion_checkpoint, spoken, speech, monkeypatch
):
    recording = spoken(speech)
    whole = read_waveform(recording.audio)
    lost = replace(whole, missing=((16_000, 24_000),))
    expected = emotion(emotion_checkpoint, window_s=0.4).extract(recording)
    for module in ("wav2vec2", "emotion"):
        monkeypatch.setattr(f"damamba.extractors.{module}.read_waveform", lambda media: lost)
    frames = wav2vec2(speech_checkpoint).extract(recording)
    hears_hole = (frames.t_s > 1 - 0.0125 + 1e-9) & (frames.t_s < 1.5 + 0.0125 - 1e-9)
    assert (frames.valid == ~hears_hole).all()
    assert np.isnan(frames.x[hears_hole]).all()
    assert (frames.score[hears_hole] == 0).all()
    tokens = emotion(emotion_checkpoint, window_s=0.4).extract(recording)
    assert tokens.valid.tolist() == [not 1.0 < t < 1.5 for t in np.round(tokens.t_s, 3)]
    assert np.isnan(tokens.x[~tokens.valid]).all()
    far = (tokens.t_s < 0.7) | (tokens.t_s > 1.8)
    np.testing.assert_array_equal(tokens.x[far], expected.x[far])


def test_digital_silence_gives_no_valid_row(speech_checkpoint, emotion_checkpoint, spoken):
    recording = spoken(np.zeros(32_000))
    for extractor in (wav2vec2(speech_checkpoint), emotion(emotion_checkpoint)):
        stream = extractor.extract(recording)
        assert len(stream.t_s) > 10
        assert not stream.valid.any()
        assert np.isnan(stream.x).all()


def heard_ahead_s(extractor, tmp_path, sound, rate_hz, events_s) -> float:
    """Longest time by which a row precedes an event in the samples that changes it, s."""

    def rows(samples):
        path = make_wav(tmp_path / "heard.wav", samples, rate_hz)
        return extractor.extract(ExtractorInput(participant(tmp_path / "none", path)))

    before, ahead = rows(sound), []
    for event_s in events_s:
        other = sound.copy()
        other[round(event_s * rate_hz) :] *= -0.5
        after = rows(other)
        np.testing.assert_array_equal(before.valid, after.valid)
        changed = (before.x != after.x).any(1) & before.valid
        assert changed.any()
        ahead.append(event_s - before.t_s[changed][0])
    return max(ahead)


@pytest.mark.parametrize("kind", ["normalising", "compact", "emotion"])
def test_a_causal_row_hears_no_further_than_its_lookahead(
    speech_checkpoint, emotion_checkpoint, tmp_path, speech, kind
):
    """Measured by events in the samples; the declared lookahead is neither exceeded nor far from what is needed."""
    extractor = {
        "normalising": lambda: wav2vec2(speech_checkpoint, causal=True),
        "compact": lambda: wav2vec2("damamba/extractors/checkpoints/compact-wav2vec2", causal=True),
        "emotion": lambda: emotion(emotion_checkpoint, hop_s=0.02, causal=True),
    }[kind]()
    ahead = heard_ahead_s(extractor, tmp_path, speech[:28_000], 16_000, np.arange(1.0, 1.36, 0.0573))
    assert extractor.lookahead_s is not None
    assert 0.2 < ahead <= CHUNK_S < extractor.lookahead_s


def test_a_causal_row_hears_no_further_through_the_filter_to_16_khz(speech_checkpoint, tmp_path):
    extractor = wav2vec2(speech_checkpoint, causal=True)
    sound = 0.2 * np.random.default_rng(6).normal(size=2 * 48_000)
    assert heard_ahead_s(extractor, tmp_path, sound, 48_000, [1.0, 1.19]) <= (extractor.lookahead_s or 0)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_no_sample_at_16_khz_depends_on_sound_beyond_the_filters_lookahead(tmp_path, rate_hz):
    """To the bit: the filter's blocks carry the rounding of later samples to earlier ones."""
    sound = 0.2 * np.random.default_rng(6).normal(size=2 * rate_hz)
    before = read_waveform(make_wav(tmp_path / "a.wav", sound, rate_hz)).samples
    for event_s in np.arange(1.0, 1.5, 0.0471):
        other = sound.copy()
        other[round(event_s * rate_hz) :] *= -0.5
        after = read_waveform(make_wav(tmp_path / "b.wav", other, rate_hz)).samples
        assert event_s - np.flatnonzero(before != after)[0] / 16_000 < SOUND_LOOKAHEAD_S


def test_without_causal_a_row_hears_what_comes_later(speech_checkpoint, emotion_checkpoint, tmp_path, speech):
    for extractor in (wav2vec2(speech_checkpoint), emotion(emotion_checkpoint)):
        assert extractor.lookahead_s is None
        assert heard_ahead_s(extractor, tmp_path, speech, 16_000, [2.5]) > 2


def test_causal_frames_are_like_those_of_long_pieces(speech):
    """Frames of short pieces with their past are nearly those of the whole."""
    encoder = SpeechEncoder.load("damamba/extractors/checkpoints/compact-wav2vec2", None, -1)
    samples = speech.astype(np.float32)
    whole, causal = encoder.encode(samples), encoder.encode(samples, causal=True)
    assert causal.shape == whole.shape
    assert np.corrcoef(causal.ravel(), whole.ravel())[0, 1] > 0.9


def test_causal_normalisation_is_by_all_sound_so_far(speech_checkpoint, speech):
    encoder = SpeechEncoder.load(str(speech_checkpoint), None, -1)
    samples = (speech + 0.1).astype(np.float32)
    last = encoder.encode(samples, causal=True)[-5:]
    n = encoder.frames.span(0, encoder.frames.count(len(samples))).stop
    heard = samples[:n].astype(np.float64)
    piece = ((samples - heard.mean()) / np.sqrt(heard.var() + 1e-7)).astype(np.float32)
    start = 9 * 16 - 100  # the last core begins with frame 144, and its context is 100 frames
    expected = encoder.encode_piece(piece[encoder.frames.span(start, 149)])[-5:]
    np.testing.assert_allclose(last, expected, atol=1e-5)


def test_a_causal_token_is_the_mean_state_of_the_sound_before_it(emotion_checkpoint, spoken, speech):
    extractor = emotion(emotion_checkpoint, causal=True)
    stream = extractor.extract(spoken(speech))
    states = extractor._encoder.encode(read_waveform(spoken(speech).audio).samples, causal=True)
    times_s = CLOCK.centres_s(len(states))
    np.testing.assert_allclose(stream.x[20, :16], states[(times_s >= 1.0) & (times_s < 2.0)].mean(0), atol=1e-5)
    assert stream.valid.tolist() == [False] * 5 + [True] * 26  # half a window of sound at least
    assert np.isnan(stream.x[:5]).all()


def test_sound_on_the_disk_gives_nearly_the_same_rows_as_sound_in_memory(
    speech_checkpoint, emotion_checkpoint, spoken, speech, monkeypatch
):
    """Statistics are summed in another order."""
    recording = spoken(speech)
    expected = [e.extract(recording) for e in (wav2vec2(speech_checkpoint), emotion(emotion_checkpoint))]
    monkeypatch.setattr("damamba.spool.MOST_BYTES", 4000)
    assert isinstance(read_waveform(recording.audio).samples, RowsOnDisk)
    again = [e.extract(recording) for e in (wav2vec2(speech_checkpoint), emotion(emotion_checkpoint))]
    assert isinstance(again[0].x, RowsOnDisk)
    for one, other in zip(expected, again, strict=True):
        assert one.t_s.tolist() == other.t_s.tolist()
        np.testing.assert_allclose(np.asarray(other.x), one.x, atol=1e-4)
