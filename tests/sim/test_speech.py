import numpy as np
import pytest

from damamba.console import InputError
from damamba_sim.behaviour.scene import MANNERS, Phrase
from damamba_sim.voices import phrases
from damamba_sim.voices.espeak import Espeak
from damamba_sim.voices.sound import (
    SAMPLE_RATE_HZ,
    Tape,
    active_level_db,
    delay,
    median_pitch_hz,
    microphone_signal,
    noise,
    reverberate,
)
from damamba_sim.voices.speech import LANGUAGES, LEVEL_DB, Delivery, Voice, check_voices, perform, speak
from damamba_sim.voices.visemes import Phone, mouth

TEXT = "We talked about the blue boat, and I remember that old garden."


@pytest.fixture(scope="module")
def espeak():
    with Espeak() as synthesiser:
        yield synthesiser


def pitch_hz(wave: np.ndarray, rate_hz: int) -> float:
    """Median F0 of the loud frames, by autocorrelation: independent of the tested code."""
    size, lags = rate_hz // 20, slice(rate_hz // 400, rate_hz // 60)
    frames = wave[: len(wave) // size * size].reshape(-1, size)
    loud = frames[(frames**2).mean(1) > (frames**2).mean(1).max() / 10]
    pitches_hz = []
    for frame in loud - loud.mean(1, keepdims=True):
        correlation = np.correlate(frame, frame, "full")[size - 1 :]
        pitches_hz.append(rate_hz / (lags.start + int(np.argmax(correlation[lags]))))
    return float(np.median(pitches_hz))


def test_every_language_has_words_voice_and_manners():
    assert set(phrases.GRAMMARS) == set(LANGUAGES) == set(MANNERS)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_line_can_be_said_in_every_language(espeak, language):
    rng = np.random.default_rng(3)
    for complete in (True, False):
        text = phrases.line(language, 25, complete, rng)
        assert text.endswith("." if complete else ",")
        utterance = speak(espeak, Voice.from_seed(4), language, text, Delivery(), 1)
        assert 0.5 < utterance.spoken_s < 5
        assert len(utterance.phones) > 5
    for text in phrases.GRAMMARS[language]["backchannel"]:
        assert speak(espeak, Voice.from_seed(4), language, text, Delivery(), 1).spoken_s < 1.5


def test_same_bytes_after_a_restart_and_in_another_order(espeak):
    voices = [Voice.from_seed(seed) for seed in (1, 2, 3)]
    here = [speak(espeak, voice, "en", TEXT, Delivery(), 7) for voice in voices]
    with Espeak() as other:
        there = [speak(other, voice, "en", TEXT, Delivery(), 7) for voice in reversed(voices)][::-1]
    for a, b in zip(here, there, strict=True):
        assert a.wave.tobytes() == b.wave.tobytes()
        assert a.phones == b.phones


def test_persons_sound_different(espeak):
    waves = {
        speak(espeak, Voice.from_seed(seed), "de", "Das blaue Boot.", Delivery(), 1).wave.tobytes() for seed in range(6)
    }
    assert len(waves) == 6
    pitches = [
        pitch_hz(speak(espeak, Voice.from_seed(9, high), "de", TEXT, Delivery(), 1).wave, 22050)
        for high in (True, False)
    ]
    assert pitches[0] > 1.3 * pitches[1]


def test_loudness_is_as_requested(espeak):
    for requested_db in (-8.0, 0.0, 8.0):
        delivery = Delivery(loudness_db=requested_db)
        utterance = speak(espeak, Voice.from_seed(5), "fr", "On a vu le bateau bleu.", delivery, 1)
        level_db = active_level_db(utterance.wave, utterance.rate_hz)
        assert level_db == pytest.approx(LEVEL_DB + requested_db, abs=0.5)


def test_a_raised_voice_is_brighter_and_a_low_one_duller(espeak):
    def treble_db(loudness_db: float) -> float:
        wave = speak(espeak, Voice.from_seed(5), "en", TEXT, Delivery(loudness_db=loudness_db), 1).wave
        power = np.abs(np.fft.rfft(wave)) ** 2
        border = int(len(power) * 2000 / 11025)
        return 10 * np.log10(power[border:].sum() / power[:border].sum())

    low, neutral, raised = (treble_db(db) for db in (-8.0, 0.0, 8.0))
    assert low + 1.5 < neutral < raised - 1.5


def test_rate_is_as_requested(espeak):
    slow, fast = (
        speak(espeak, Voice.from_seed(5), "en", TEXT, Delivery(rate=rate), 1).spoken_s for rate in (0.8, 1.25)
    )
    assert slow / fast == pytest.approx(1.25 / 0.8, rel=0.08)


def test_pitch_rises_as_requested(espeak):
    low, high = (speak(espeak, Voice.from_seed(6), "en", TEXT, Delivery(pitch_st=st), 1) for st in (-3.0, 3.0))
    heard_st = 12 * np.log2(pitch_hz(high.wave, high.rate_hz) / pitch_hz(low.wave, low.rate_hz))
    assert heard_st == pytest.approx(6, abs=2)


def test_utterances_follow_the_phrases(espeak):
    phrases_to_speak = [Phrase(0, 1.0, 2.5, complete=True), Phrase(0, 4.0, 6.2), Phrase(0, 8.0, 8.4, backchannel=True)]
    for language in ("en", "ar"):
        done = perform(espeak, Voice.from_seed(8), language, phrases_to_speak, 10.0, seed=1)
        assert len(done.wave) == 160_000
        level = np.abs(done.wave).reshape(-1, 1600).max(1)  # 100 ms
        assert level[:9].max() == level[30:39].max() == 0
        for phrase, spoken in zip(phrases_to_speak, done.phrases, strict=True):
            assert level[int(10 * phrase.start_s) : int(10 * phrase.start_s) + 3].max() > 0.01
            if not phrase.backchannel:
                assert spoken.end_s == pytest.approx(phrase.end_s, abs=0.5)


def test_a_phrase_at_the_end_is_cut_with_the_session(espeak):
    done = perform(espeak, Voice.from_seed(8), "es", [Phrase(0, 1.5, 3.5)], 2.0, seed=1)
    assert len(done.wave) == 32_000


def test_an_unknown_language_is_refused(espeak):
    with pytest.raises(InputError, match="'xx'; use one of en"):
        speak(espeak, Voice.from_seed(1), "xx", "hello", Delivery(), 1)
    with pytest.raises(InputError, match="'xx'; use one of en"):
        phrases.line("xx", 20, True, np.random.default_rng(0))
    with pytest.raises(InputError, match="gmw/nowhere"):
        espeak.say("gmw/nowhere", "", "hello", 150, 1)
    assert speak(espeak, Voice.from_seed(1), "en", "hello", Delivery(), 1).spoken_s > 0.1  # the worker still runs


def test_the_worker_ends_with_its_owner():
    with Espeak() as synthesiser:
        worker = synthesiser.worker
    assert worker.returncode == 0


def test_mouth_opens_for_vowels_and_shuts_for_lips():
    phones = [Phone(1.0, 1.4, "ˈɑː"), Phone(1.4, 1.8, "m"), Phone(1.8, 2.2, "u")]
    opening, rounding = mouth(phones, frames=75, rate_hz=25)
    assert opening[:20].max() < 0.05
    assert opening[29] > 0.9
    assert opening[40] < 0.15
    assert rounding[50] > 0.8 > 0.3 > rounding[29]
    assert opening.shape == rounding.shape == (75,)


def test_rooms_keep_length_and_noise_its_level():
    rng = np.random.default_rng(0)
    click = np.zeros(16_000, np.float32)
    click[100] = 1
    echoed = reverberate(click, rng, 0.3, 6)
    assert len(echoed) == len(click)
    assert int(np.argmax(np.abs(echoed))) == 100
    assert int(np.argmax(np.abs(delay(echoed, 0.01)))) == 260
    assert 10 * np.log10((noise(160_000, rng, -50.0) ** 2).mean()) == pytest.approx(-50, abs=0.2)


def test_a_microphone_signal_in_blocks_equals_one_convolution():
    rng = np.random.default_rng(0)
    seconds = 45.3  # three blocks
    tapes, dry = [], np.zeros((2, round(seconds * SAMPLE_RATE_HZ)))
    for k in range(2):
        tape = Tape(seconds)
        for start_s in (0.0, 0.4, 19.9, 44.9):
            sound = rng.normal(size=16_000).astype(np.float32)
            tape.add(sound, start_s)
            first = round(start_s * SAMPLE_RATE_HZ)
            dry[k, first : first + 16_000] += sound[: dry.shape[1] - first]
        tapes.append(tape)
        np.testing.assert_allclose(tape.read(0, tape.n), dry[k], atol=1e-5)
    paths = [rng.normal(size=n) * np.exp(-np.arange(n) / 500) for n in (3000, 7000)]
    in_blocks = np.concatenate(list(microphone_signal(tapes, paths, rng, -200.0)))
    at_once = sum(np.convolve(track, path)[: dry.shape[1]] for track, path in zip(dry, paths, strict=True))
    np.testing.assert_allclose(in_blocks, at_once, atol=2e-3)


@pytest.mark.parametrize("f0_hz", [75.0, 110.0, 180.0, 260.0])
def test_a_buzz_in_noise_has_its_pitch_and_noise_has_none(f0_hz):
    rng, t_s = np.random.default_rng(1), np.arange(16_000) / 16_000
    buzz = sum(np.sin(2 * np.pi * f0_hz * k * t_s) / k for k in range(1, 12)) + 0.1 * rng.normal(size=16_000)
    assert 12 * np.log2(median_pitch_hz(buzz, 16_000) / f0_hz) == pytest.approx(0, abs=0.1)
    assert median_pitch_hz(rng.normal(size=16_000), 16_000) is None
    assert median_pitch_hz(buzz[:100], 16_000) is None


def test_phrases_have_the_requested_pitch(espeak):
    requested = [
        Phrase(0, 3.0 * k, 3.0 * k + 1.8, complete=bool(k % 2), pitch_st=st) for k, st in enumerate((-3, 0, 3, 1))
    ]
    for seed in (5, 6):
        done = perform(espeak, Voice.from_seed(seed), "de", requested, 12.0, seed=2)
        measured_hz = [pitch_hz(done.wave[48_000 * k : 48_000 * k + 32_000], 16_000) for k in range(4)]
        errors_st = 12 * np.log2(np.array(measured_hz) / Voice.from_seed(seed).f0_hz) - [p.pitch_st for p in requested]
        assert np.abs(errors_st).mean() < 0.7


def test_a_voice_that_is_not_installed_fails_fast(monkeypatch):
    check_voices(LANGUAGES)
    monkeypatch.setitem(LANGUAGES, "de", ("gmw/nowhere", 16.5))
    with pytest.raises(InputError, match="no language file gmw/nowhere"):
        check_voices({"en", "de"})
