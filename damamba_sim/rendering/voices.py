"""What the sound files keep of speech activity, pitch and loudness.

Energy gives activity and loudness, pYIN gives pitch. They are compared with phrases, level and pitch of the voice
before room, noise and the others. With one microphone for everyone, only frames in which the others are silent count.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from damamba.config import LABEL_RATE_HZ
from damamba.media.sound import read_waveform
from damamba_sim.compiled import own_cache

VOICE_SPREAD = {"speech": 0.2, "voice_pitch": 0.3, "loudness": 0.7}
"""Least standard deviation of a person's channel, in its unit, for a meaningful correlation."""
WINDOW_S = 2.0
LEAST_WINDOWS = 5
"""Fewest windows with speech for a correlation of pitch or loudness."""
LEAST_SPEECH_S = 0.4
"""Least speech in a window; for pitch, least voiced speech."""
HOP_S = 0.02
LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ = 60, 450
LONGEST_PAUSE_S = 0.26
"""Longest pause that still counts as speech."""
ECHO_S = 0.3
"""How long the room echoes."""
BURST = 5
"""Frames whose mean is taken as the loudest level."""


def voice_correlations(
    sound: Path, truth: Mapping[str, NDArray], truth_of_others: Sequence[Mapping[str, NDArray]]
) -> dict[str, float]:
    """Correlations of activity, pitch and loudness, as far as they can be measured.

    Args:
        sound: Sound file.
        truth: The person's true channels and ``t_s``, each (T,).
        truth_of_others: The same for the others before the microphone.

    Raises:
        InputError: The file cannot be decoded.
    """
    own_cache()
    import librosa

    wave = read_waveform(sound)
    hop = round(HOP_S * wave.rate_hz)
    samples = np.asarray(wave.samples)
    level_db = 20 * np.log10(librosa.feature.rms(y=samples, frame_length=2 * hop, hop_length=hop)[0] + 1e-6)
    row = np.rint((wave.start_s + HOP_S * np.arange(len(level_db))) * LABEL_RATE_HZ).astype(int)
    row = np.clip(row, 0, len(truth["t_s"]) - 1)
    quiet = np.ones(len(row), bool)
    for other in truth_of_others:
        quiet &= ~_with_echo(other["speech"][row] > 0)
    speaks = (truth["speech"][row] > 0) & quiet
    correlations = {"speech": _correlation(speaks[quiet], _active(level_db)[quiet], VOICE_SPREAD["speech"])}
    if speaks.any():
        f0_hz, voiced, _ = librosa.pyin(
            samples,
            fmin=LOWEST_PITCH_HZ,
            fmax=HIGHEST_PITCH_HZ,
            sr=wave.rate_hz,
            frame_length=1 << int(np.ceil(np.log2(3 * wave.rate_hz / LOWEST_PITCH_HZ))),
            hop_length=hop,
            fill_na=LOWEST_PITCH_HZ,
        )
        both_voiced = speaks & voiced & (truth["voice_f0"][row] > 0)
        pitches = np.log2(np.where(both_voiced, truth["voice_f0"][row], 1)), np.log2(f0_hz)
        levels = truth["voice_level"][row], level_db
        for name, rows, series, middle in (
            ("voice_pitch", both_voiced, [12 * octaves for octaves in pitches], np.median),
            ("loudness", speaks, levels, _mean_level),
        ):
            pairs = _by_window(rows, series, middle)
            if len(pairs) >= LEAST_WINDOWS:
                correlations[name] = _correlation(pairs[:, 0], pairs[:, 1], VOICE_SPREAD[name])
    return {name: r for name, r in correlations.items() if r is not None}


def _with_echo(speech: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Frames with speech, and those near enough to contain its echo."""
    reach = round(ECHO_S / HOP_S)
    return np.convolve(np.pad(speech, reach), np.ones(2 * reach + 1), "valid") > 0


def _by_window(rows: NDArray, series: Sequence[NDArray], middle: Callable[[NDArray], float]) -> NDArray[np.float64]:
    """(windows, 2) `middle` of both series over the `rows` of each window that has enough of them."""
    windows = np.array_split(np.arange(len(rows)), max(round(len(rows) * HOP_S / WINDOW_S), 1))
    kept = [window[rows[window]] for window in windows if np.count_nonzero(rows[window]) * HOP_S >= LEAST_SPEECH_S]
    return np.array([[middle(one[window]) for one in series] for window in kept]).reshape(-1, 2)


def _mean_level(level_db: NDArray) -> float:
    """Level of the mean power."""
    return float(10 * np.log10(np.mean(10 ** (level_db / 10))))


def _active(level_db: NDArray) -> NDArray[np.bool_]:
    """Speech activity: louder than half-way, in dB, from the quietest to the loudest level; short pauses count."""
    from scipy.ndimage import binary_closing, binary_opening, uniform_filter1d

    loudest = np.sort(uniform_filter1d(level_db, BURST))[-BURST]
    loud = level_db > (np.percentile(level_db, 5) + loudest) / 2
    hold = np.ones(round(LONGEST_PAUSE_S / HOP_S), bool)
    padded = np.pad(loud, len(hold))
    kept = binary_opening(binary_closing(padded, hold), hold[: len(hold) // 3])
    return np.asarray(kept, bool)[len(hold) : -len(hold)]


def _correlation(true: NDArray, measured: NDArray, least_spread: float) -> float | None:
    true, measured = np.asarray(true, np.float64), np.asarray(measured, np.float64)
    if len(true) < 2 or true.std() < least_spread or measured.std() < 1e-9:
        return None
    return float(np.corrcoef(true, measured)[0, 1])
