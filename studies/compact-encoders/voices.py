"""Training data for voices: simulated conversations with their true phonemes and prosody."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from damamba.encoders.speech_encoder import FrameClock
from damamba_sim.behaviour.conversation import converse
from damamba_sim.behaviour.scene import Phrase
from damamba_sim.behaviour.traits import Traits
from damamba_sim.compiled import own_cache
from damamba_sim.corpora.persons import ENCODER_SEEDS
from damamba_sim.voices.espeak import Espeak
from damamba_sim.voices.sound import SAMPLE_RATE_HZ, amplify, delay, noise, reverberate
from damamba_sim.voices.speech import LANGUAGES, Voice, perform
from damamba_sim.voices.visemes import Phone, mouth

FRAME = ("speech", "voiced", "pitch_st", "loudness_db", "mouth", "mouth_round")
"""Targets every 20 ms; pitch relative to 100 Hz where voiced, loudness of the clean voice in dB of full scale."""
DELIVERY = ("said_pitch_st", "said_loudness_db", "said_rate", "said_liveliness")
"""Prosody of a phrase, relative to the speaker's own; rate and liveliness as logarithms."""
CLOCK = FrameClock(stride=320, receptive=400)
SECONDS = 20.0
FLOOR_DB = -70.0
VOICED = set("bdɡgvðzʒmnɲŋlrɹɾʎjwɥʁβʋ" + "uʊyʏɯoɔøœɒɵiɪeɛɜəɐʌaɑæ")
VOWELS = set("uʊyʏɯoɔøœɒɵiɪeɛɜəɐʌaɑæ")


@dataclass(frozen=True)
class Dyad:
    """A conversation of two to simulate."""

    number: int
    out: Path


def converse_aloud(task: Dyad) -> int:
    """Write three microphones (both headsets, the room) and their truth as ``<out>/<number>.npz`` unless they exist.

    Returns the number of microphones that were written.
    """
    path = task.out / f"{task.number}.npz"
    if path.exists():
        return 0
    rng = np.random.default_rng((ENCODER_SEEDS.start, task.number))
    language = list(LANGUAGES)[task.number % len(LANGUAGES)]
    seeds = [ENCODER_SEEDS.start + 2 * task.number + seat for seat in (0, 1)]
    phrases = converse(seeds[0], 2, SECONDS / 60, language, roles=("expert", "novice")).phrases
    with Espeak() as espeak:
        people = [
            perform(espeak, _voice(seed), language, [p for p in phrases if p.speaker == seat], SECONDS, seed)
            for seat, seed in enumerate(seeds)
        ]
    waves = [person.wave for person in people]
    truths = [truth(person.wave, person.phones, person.phrases) for person in people]
    sounds = [_headset(waves[0], waves[1], rng), _headset(waves[1], waves[0], rng)]
    both = waves[0] + waves[1]
    sounds.append(reverberate(both, rng, rt60_s=0.45, direct_db=5) + noise(len(both), rng, rng.uniform(-60, -52)))
    phones = sorted((phone for person in people for phone in person.phones), key=lambda phone: phone.start_s)
    truths.append(truth(both, phones, [phrase for person in people for phrase in person.phrases]))
    np.savez(path, sounds=np.stack(sounds).astype(np.float32), truths=np.stack(truths))
    return len(sounds)


def _voice(seed: int) -> Voice:
    return Voice.from_seed(seed, high=Traits.draw(seed).feminine)


def _headset(own: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    leak = delay(amplify(reverberate(other, rng, 0.35, 3), rng.uniform(-36, -26)), 0.005)
    near = reverberate(own, rng, rt60_s=rng.uniform(0.2, 0.4), direct_db=rng.uniform(10, 18))
    return near + leak + noise(len(own), rng, rng.uniform(-66, -58))


def truth(wave: np.ndarray, phones: Sequence[Phone], phrases: Sequence[Phrase]) -> np.ndarray:
    """(frames, len(FRAME) + len(DELIVERY)) float32; NaN where a quantity is not defined."""
    n = CLOCK.count(len(wave))
    times_s = CLOCK.centres_s(n)
    columns = {name: np.zeros(n) for name in FRAME} | {name: np.full(n, np.nan) for name in DELIVERY}
    vowel = np.zeros(n, bool)
    for phone in phones:
        inside = (times_s >= phone.start_s) & (times_s < phone.end_s)
        columns["speech"][inside] = 1
        columns["voiced"][inside] = bool(VOICED & set(phone.symbol))
        vowel |= inside & bool(VOWELS & set(phone.symbol))
    for phrase in phrases:
        inside = (times_s >= phrase.start_s) & (times_s < phrase.end_s) & (columns["speech"] > 0)
        how = phrase.pitch_st, phrase.loudness_db, np.log(phrase.rate), np.log(phrase.liveliness)
        for name, value in zip(DELIVERY, how, strict=True):
            columns[name][inside] = value
    windows = np.lib.stride_tricks.sliding_window_view(wave, CLOCK.receptive)[:: CLOCK.stride][:n]
    columns["loudness_db"] = np.maximum(10 * np.log10((windows**2).mean(1) + 1e-12), FLOOR_DB)
    own_cache()
    import librosa

    f0_hz = librosa.yin(
        wave[CLOCK.receptive // 2 :], fmin=60, fmax=450, sr=SAMPLE_RATE_HZ, frame_length=1024, hop_length=CLOCK.stride
    )
    f0_hz = np.pad(f0_hz, (0, max(0, n - len(f0_hz))), mode="edge")[:n]
    loud = columns["loudness_db"] > FLOOR_DB + 15
    columns["pitch_st"] = np.where(vowel & loud, 12 * np.log2(f0_hz / 100), np.nan)
    opening, rounding = mouth(phones, n, CLOCK.rate_hz)
    columns["mouth"], columns["mouth_round"] = opening, np.where(columns["speech"] > 0, rounding, np.nan)
    return np.stack([columns[name] for name in (*FRAME, *DELIVERY)], axis=1).astype(np.float32)


def load(out: Path, numbers: range) -> tuple[np.ndarray, np.ndarray]:
    """Sounds (M, samples) float32 and truths (M, frames, columns) of these conversations, three for each."""
    parts = [np.load(out / f"{number}.npz") for number in numbers]
    return np.concatenate([p["sounds"] for p in parts]), np.concatenate([p["truths"] for p in parts])
