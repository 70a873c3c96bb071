"""Causal cues of sound as it arrives: pieces of any length give the rows of the whole, and gaps stay gaps."""

from pathlib import Path

import numpy as np
import pytest

from damamba.extractors.emotion import Emotion, EmotionParams
from damamba.extractors.wav2vec2 import Wav2Vec2, Wav2Vec2Params
from damamba.features.stepper import joined, rows_of_sound
from damamba.media.sound import SAMPLE_RATE_HZ, Waveform

CHECKPOINTS = Path(__file__).parents[2] / "damamba/extractors/checkpoints"
SECONDS, START_S = 3.3, 0.2
HOLE = (20_000, 31_000)


@pytest.fixture(scope="module")
def extractors():
    said = {"revision": None, "causal": True}
    wav2vec2 = Wav2Vec2(Wav2Vec2Params(checkpoint=str(CHECKPOINTS / "compact-wav2vec2"), layer=-1, **said))
    emotion = Emotion(EmotionParams(checkpoint=str(CHECKPOINTS / "compact-emotion"), window_s=1.0, hop_s=0.1, **said))
    for one in (wav2vec2, emotion):
        one.load()
    return {"wav2vec2": wav2vec2, "emotion": emotion}


@pytest.fixture(scope="module")
def waveform():
    """Noise with a slow rhythm, and a hole."""
    t_s = np.arange(round(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    samples = (0.1 * np.random.default_rng(0).normal(size=len(t_s)) * (1 + np.sin(8 * t_s))).astype(np.float32)
    samples[slice(*HOLE)] = 0
    return Waveform(samples, START_S, (HOLE,))


def in_pieces(stepper, waveform, lengths):
    """Rows, and after each piece what was still to come."""
    parts, promised, first = [], [], 0
    for length in lengths:
        for start, stop in ((first, HOLE[0]), (HOLE[0], HOLE[1]), (HOLE[1], first + length)):
            here = slice(max(start, first), min(stop, first + length))
            if here.start < here.stop:
                parts.append(stepper.hear(waveform.samples[here], here.start < HOLE[0] or here.start >= HOLE[1]))
                promised.append((len(parts), stepper.next_s))
        first += length
    assert first == len(waveform.samples)
    parts.append(stepper.finish())
    for seen, next_s in promised:
        assert all(part.t_s.max(initial=-1) < next_s - 1e-9 for part in parts[:seen])
        assert all(part.t_s.min(initial=99) >= next_s - 1e-9 for part in parts[seen:])
    return joined(parts, stepper.width)


@pytest.mark.parametrize("cue", ["wav2vec2", "emotion"])
def test_pieces_of_any_length_are_the_whole(extractors, waveform, cue):
    whole = rows_of_sound(extractors[cue].sound_stepper(START_S), waveform)
    rng, left, lengths = np.random.default_rng(1), len(waveform.samples), []
    while left:
        lengths.append(min(int(rng.choice([1, 160, 1024, 9000])), left))
        left -= lengths[-1]
    pieces = in_pieces(extractors[cue].sound_stepper(START_S), waveform, lengths)
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert whole.valid.any()
    assert not whole.valid.all()
    assert np.isnan(np.asarray(whole.x)[~whole.valid]).all()


def test_frames_are_those_of_the_encoder_over_the_whole_sound_and_none_hears_the_hole(extractors, waveform):
    frames = rows_of_sound(extractors["wav2vec2"].sound_stepper(START_S), waveform)
    encoder = extractors["wav2vec2"]._encoder
    whole = encoder.encode(waveform.samples, causal=True)
    assert len(frames.t_s) == len(whole)
    first = np.round((frames.t_s - START_S) * SAMPLE_RATE_HZ).astype(int) - encoder.frames.receptive // 2
    apart = (first + encoder.frames.receptive <= HOLE[0]) | (first >= HOLE[1])
    np.testing.assert_array_equal(frames.valid, apart)
    np.testing.assert_allclose(np.asarray(frames.x)[apart], whole[apart], atol=1e-6)


def test_tokens_are_means_of_the_frames_before_them(extractors, waveform):
    emotion = extractors["emotion"]
    tokens = rows_of_sound(emotion.sound_stepper(START_S), waveform)
    whole = emotion._encoder.encode(waveform.samples, causal=True)
    clock = emotion._encoder.frames
    frames_s, half_s = clock.centres_s(len(whole)), clock.receptive / SAMPLE_RATE_HZ / 2
    heard = waveform.observed(frames_s - half_s, frames_s + half_s) == 1
    assert len(tokens.t_s) == round(SECONDS / 0.1) + 1
    x, some = np.asarray(tokens.x), 0
    for k, (row, valid) in enumerate(zip(x, tokens.valid, strict=True)):
        t_s = k * 0.1
        share = waveform.observed(np.array([t_s - 1]), np.array([t_s]))[0]
        inside = heard & (frames_s >= t_s - 1) & (frames_s < t_s)
        assert valid == (t_s >= 0.5 and share >= 0.5 and inside.any()) or abs(share - 0.5) < 1e-3
        if valid:
            some += 1
            np.testing.assert_allclose(row[: whole.shape[1]], whole[inside].mean(0), atol=1e-5)
    assert some > 10


def test_what_is_kept_does_not_grow(extractors):
    def kept(stepper):
        frames = stepper._frames
        states = [row for _, row in getattr(stepper, "_states", ())]
        held = [frames._samples, frames._observed, getattr(stepper, "_observed", np.empty(0)), *states]
        return sum(each.base.nbytes if each.base is not None else each.nbytes for each in held)

    second = np.random.default_rng(0).normal(size=SAMPLE_RATE_HZ).astype(np.float32)
    for extractor in extractors.values():
        stepper, sizes = extractor.sound_stepper(0.0), []
        for _ in range(12):
            stepper.hear(second, True)
            sizes.append(kept(stepper))
        assert max(sizes[6:]) <= 1.3 * max(sizes[3:6])
