"""Turns are where somebody speaks, gaps stay gaps, and a clock that begins elsewhere moves nothing."""

import numpy as np
import pytest

from damamba.media.loudness import RATE_HZ, loudness
from damamba.media.sound import Waveform


def speech(turns, seconds=12.0, start_s=0.0, missing=()):
    """Noise 40 dB below a voice that is there in the turns, s on the clock of the session."""
    rng = np.random.default_rng(0)
    t_s = start_s + np.arange(int(seconds * 16_000)) / 16_000
    voice = np.zeros(len(t_s))
    for start, stop in turns:
        voice[(t_s >= start) & (t_s < stop)] = 0.3
    return Waveform(((voice + 0.003) * rng.standard_normal(len(t_s))).astype(np.float32), start_s, tuple(missing))


@pytest.mark.parametrize("start_s", [0.0, 1.0, -1.0])
def test_turns_are_where_somebody_speaks(start_s):
    found = loudness(speech([(2, 4), (4.3, 5), (8, 8.1), (9, 10)], start_s=start_s)).turns
    np.testing.assert_allclose(found, [(2, 5), (9, 10)], atol=1 / RATE_HZ)


def test_nothing_is_said_of_what_was_not_observed():
    sound = loudness(speech([(2, 4), (7, 9)], missing=[(16_000 * 2, 16_000 * 5)]))
    assert np.isnan(sound.peak[20:50]).all()
    assert np.isfinite(np.delete(sound.peak, slice(20, 50))).all()
    np.testing.assert_allclose(sound.turns, [(7, 9)], atol=1 / RATE_HZ)


def test_even_noise_has_no_turns():
    assert loudness(speech([])).turns == ()
    assert loudness(Waveform(np.zeros(0, np.float32), 0.0)).turns == ()
