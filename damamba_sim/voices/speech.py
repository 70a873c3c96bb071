"""Voices and utterances: espeak-ng for sound and phoneme times, numpy for loudness and vocal effort.

A person's voice follows from a seed. An utterance follows from text, delivery and a seed, not from earlier utterances:
it has the same bytes after a restart and in any order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from damamba.console import InputError
from damamba_sim.behaviour.scene import Phrase
from damamba_sim.voices import phrases
from damamba_sim.voices.espeak import Espeak
from damamba_sim.voices.sound import SAMPLE_RATE_HZ, Tape, active_level_db, median_pitch_hz
from damamba_sim.voices.visemes import VISEMES, Phone

LANGUAGES = {  # espeak's language file; letters a second at the neutral rate, fitted
    "en": ("gmw/en", 17.5),
    "fr": ("roa/fr", 19.0),
    "de": ("gmw/de", 16.5),
    "ar": ("sem/ar", 12.5),
    "it": ("roa/it", 14.8),
    "id": ("poz/id", 13.5),
    "es": ("roa/es", 15.6),
}
WORDS_PER_MINUTE = 150
LEVEL_DB = -28.0
"""Active level of neutral speech, dB of full scale."""
EFFORT = 0.25
"""How much brighter a louder voice is, dB per octave per dB."""
TUNING_ST = 4.0
"""Largest correction of the requested pitch for the effect of words and kind of sentence, semitones."""
FIT = 0.07
"""Largest change of an utterance's speed to make it end with its phrase; more would hide the phrase's rate."""


@dataclass(frozen=True)
class Delivery:
    """How something is said, relative to the speaker's own way."""

    pitch_st: float = 0.0
    """Median pitch, semitones."""
    loudness_db: float = 0.0
    rate: float = 1.0
    """Factor on the speed."""
    liveliness: float = 1.0
    """Factor on the pitch range."""


@dataclass(frozen=True)
class Utterance:
    """Sound and phonemes; time 0 is the first sample."""

    wave: np.ndarray
    """(n,) float32 at `rate_hz`."""
    rate_hz: int
    phones: tuple[Phone, ...]

    @property
    def spoken_s(self) -> float:
        """From the first phoneme to the end of the last."""
        return self.phones[-1].end_s - self.phones[0].start_s if self.phones else 0.0


@dataclass(frozen=True)
class Voice:
    """A person's voice."""

    f0_hz: float
    """Median fundamental frequency."""
    spread_st: float
    """Pitch range, semitones."""
    formants: tuple[float, ...]
    """Factor on each of the six formants, from length and shape of the vocal tract."""
    bandwidth: float
    """Bandwidth of the formants, percent."""
    brightness_db: float
    """Tilt of the spectrum, dB per octave."""
    flutter: int
    roughness: int
    breath: float
    rate: float
    """Factor on the speed."""

    @classmethod
    def from_seed(cls, seed: int, high: bool | None = None) -> "Voice":
        """The voice of a person.

        Args:
            seed: Seed of all properties. They follow a Kronecker sequence, so evenly spaced seeds cover the space.
            high: Whether the voice has a woman's range, to agree with the looks; None: the seed decides.
        """
        u = np.sqrt([2, 3, 5, 7, 11, 13, 17, 19, 23, 29]) * (seed + 1) % 1

        def between(k: int, least: float, most: float) -> float:
            return float(least + (most - least) * u[k])

        if high is None:
            high = bool(u[0] >= 0.5)
        tract = between(3, 1.04, 1.20) if high else between(3, 0.88, 1.03)
        own = np.random.default_rng((seed, 5)).uniform(0.95, 1.05, 6)
        return cls(
            f0_hz=between(1, 165, 250) if high else between(1, 85, 145),
            spread_st=between(2, 1.2, 2.2),
            formants=tuple(float(tract * shift) for shift in own),
            bandwidth=between(4, 80, 150),
            brightness_db=between(5, -0.6, 0.6),
            flutter=round(between(6, 0, 6)),
            roughness=int(between(7, 0, 4)),
            breath=between(8, 0, 6),
            rate=between(9, 0.96, 1.05),
        )

    def lines(self, delivery: Delivery) -> str:
        """Lines of an espeak voice file. The constants of pitch are fitted to measured F0 in seven languages."""
        spread_st = self.spread_st * delivery.liveliness
        octaves = np.log2(self.f0_hz / 100) + (delivery.pitch_st - 0.27 - 0.76 * (spread_st - 1.7)) / 12
        low_hz = 100 * 2 ** (octaves / 1.053) / 1.26
        high_hz = low_hz * (1 + 0.5 * spread_st / 1.6)
        rows = [f"pitch {low_hz:.0f} {high_hz:.0f}", f"flutter {self.flutter}", f"roughness {self.roughness}"]
        rows += [f"formant {k} {100 * f:.0f} 100 {self.bandwidth:.0f}" for k, f in enumerate(self.formants, 1)]
        rows.append("breath 0 " + " ".join(f"{self.breath * weight:.0f}" for weight in (0.5, 1, 1, 1, 1, 0.8, 0.5)))
        return "\n".join(rows) + "\n"


def speak(espeak: Espeak, voice: Voice, language: str, text: str, delivery: Delivery, seed: int) -> Utterance:
    """Speak `text`; silence before and after is cut off.

    Raises:
        InputError: There is no voice for this language, or the text has no sound.
    """
    if language not in LANGUAGES:
        raise InputError(f"simulate: no voice for language {language!r}; use one of {', '.join(LANGUAGES)}")
    words_per_minute = round(WORDS_PER_MINUTE * voice.rate * delivery.rate)
    synthesis = espeak.say(LANGUAGES[language][0], voice.lines(delivery), text, words_per_minute, seed)
    rate_hz = espeak.rate_hz
    phones = _phones(synthesis.events, len(synthesis.wave), rate_hz)
    if not phones:
        raise InputError(f"simulate: {text!r} has no sound in language {language!r}; change it in phrases.py")
    first = int(max(0.0, phones[0].start_s - 0.03) * rate_hz)
    last = int((phones[-1].end_s + 0.08) * rate_hz)
    wave = _tilted(synthesis.wave[first:last], rate_hz, voice.brightness_db + EFFORT * delivery.loudness_db)
    wave = wave * 10 ** ((LEVEL_DB + delivery.loudness_db - active_level_db(wave, rate_hz)) / 20)
    return Utterance(wave.astype(np.float32), rate_hz, tuple(p.moved(-first / rate_hz) for p in phones))


def check_voices(languages: Iterable[str]) -> None:
    """Fail fast: speak a backchannel in every language.

    Raises:
        InputError: espeak-ng or the file of a language is not installed.
    """
    with Espeak() as espeak:
        for language in sorted(languages):
            text = phrases.backchannel(language, np.random.default_rng(0))
            speak(espeak, Voice.from_seed(0), language, text, Delivery(), 0)


def _phones(events: list[tuple[int, str]], n: int, rate_hz: int) -> list[Phone]:
    """Phonemes with their ends; events without a mouth shape (pauses, word boundaries) are left out."""
    sounds = [(sample, symbol) for sample, symbol in events if symbol != "|"]
    ends = [sample for sample, _ in sounds[1:]] + [n]
    return [
        Phone(start / rate_hz, end / rate_hz, symbol)
        for (start, symbol), end in zip(sounds, ends, strict=True)
        if end > start and any(letter in VISEMES for letter in symbol)
    ]


def _tilted(wave: np.ndarray, rate_hz: int, slope_db: float) -> np.ndarray:
    """Tilt the spectrum by `slope_db` per octave around 1 kHz: a raised voice is brighter, a low one duller."""
    frequency_hz = np.clip(np.fft.rfftfreq(len(wave), 1 / rate_hz), 200, 6000)
    gain_db = slope_db * np.log2(frequency_hz / 1000)
    return np.fft.irfft(np.fft.rfft(wave) * 10 ** (gain_db / 20), len(wave))


def speak_phrase(
    espeak: Espeak, voice: Voice, language: str, phrase: Phrase, rng: np.random.Generator, seed: int
) -> Utterance:
    """Speak words that take about as long as `phrase`, with its pitch, loudness and rate.

    They are spoken twice: the first time measures how far these words miss the length and the pitch.
    """
    delivery = Delivery(phrase.pitch_st, phrase.loudness_db, phrase.rate, phrase.liveliness)
    if phrase.backchannel:
        text, misfit = phrases.backchannel(language, rng), 1.0
        trial = speak(espeak, voice, language, text, delivery, seed)
    else:
        wanted_s = phrase.end_s - phrase.start_s
        letters = wanted_s * phrase.rate * voice.rate * LANGUAGES[language][1]
        text = phrases.line(language, letters, phrase.complete, rng)
        trial = speak(espeak, voice, language, text, delivery, seed)
        misfit = float(np.clip(trial.spoken_s / wanted_s, 1 - FIT, 1 + FIT))
    wanted_hz = voice.f0_hz * 2 ** (phrase.pitch_st / 12)
    flat_st = 12 * np.log2(wanted_hz / (median_pitch_hz(trial.wave, trial.rate_hz) or wanted_hz))
    tuned_st = phrase.pitch_st + float(np.clip(flat_st, -TUNING_ST, TUNING_ST))
    return speak(espeak, voice, language, text, replace(delivery, rate=phrase.rate * misfit, pitch_st=tuned_st), seed)


@dataclass(frozen=True)
class Performance:
    """All speech of one person in a session."""

    tape: Tape
    """Sound without room or noise."""
    phrases: tuple[Phrase, ...]
    """In order of start, with the ends of the spoken words."""
    phones: tuple[Phone, ...]

    @property
    def wave(self) -> np.ndarray:
        """(n,) float32 at 16 kHz: the whole tape."""
        return self.tape.read(0, self.tape.n)


def perform(
    espeak: Espeak, voice: Voice, language: str, spoken: Sequence[Phrase], seconds: float, seed: int
) -> Performance:
    """Speak all phrases of one person, on the session's timeline.

    Args:
        espeak: Running synthesiser.
        voice: The person's voice.
        language: Code such as ``de``.
        spoken: The person's phrases and backchannels, in any order.
        seconds: Length of the session.
        seed: Seed of the wording.

    Raises:
        InputError: There is no voice for this language.
    """
    tape = Tape(seconds)
    with_ends: list[Phrase] = []
    phones: list[Phone] = []
    for number, phrase in enumerate(sorted(spoken, key=lambda p: p.start_s)):
        rng = np.random.default_rng((seed, number))
        utterance = speak_phrase(espeak, voice, language, phrase, rng, seed=number + 1)
        ratio = Fraction(SAMPLE_RATE_HZ, utterance.rate_hz)
        tape.add(resample_poly(utterance.wave, ratio.numerator, ratio.denominator), phrase.start_s)
        phones += [phone.moved(phrase.start_s) for phone in utterance.phones]
        with_ends.append(replace(phrase, end_s=phones[-1].end_s))
    return Performance(tape, tuple(with_ends), tuple(phones))
