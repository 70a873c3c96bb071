"""Statistics contain what was planted in the channels, only in the views that may contain it."""

import numpy as np
import pytest

from damamba_sim.behaviour.conversation import BODY_CHANNELS, VOICE_CHANNELS, converse
from damamba_sim.oracle.statistics import SESSION, WINDOWS_S, statistics


def conversation(seconds=60):
    """Two people: 0 speaks in phrases of 2 s, every other one makes a point; 1 is silent."""
    frames = seconds * 25
    channels = {name: np.zeros((2, frames)) for name in (*VOICE_CHANNELS, *BODY_CHANNELS)}
    channels["eye"][:] = 0.9
    ends = []
    for number, start in enumerate(range(25, frames - 75, 75)):
        channels["speech"][0, start : start + 50] = 1
        if number % 2 == 0:
            channels["fall"][0, start + 40 : start + 50] = 1
        ends.append((start + 50, number % 2 == 0))
    return channels, ends


def value(x, columns, name, window_s=SESSION):
    (at,) = [i for i, c in enumerate(columns) if c.name == name and c.window_s == window_s and c.lag_s == 0]
    return x[:, 0, at]


@pytest.mark.parametrize("attentive", [True, False])
def test_nods_after_points_and_after_pauses_differ(attentive):
    channels, ends = conversation()
    for end, point in ends:
        if point == attentive:
            channels["nod"][1, end + 8 : end + 20] = 1
    x, columns = statistics(channels, np.array([750]))
    _, listener = value(x, columns, "share_nods_placed")
    assert (listener > 0.5) if attentive else (listener < -0.5)


def test_windows_are_means_around_their_frame_cut_off_at_the_ends():
    channels, _ = conversation()
    channels["smile"][1] = np.linspace(0, 1, channels["smile"].shape[1])
    at = np.array([0, 700])
    x, columns = statistics(channels, at)
    for window_s in WINDOWS_S:
        (column,) = [i for i, c in enumerate(columns) if (c.name, c.window_s, c.lag_s) == ("own_smile", window_s, 0)]
        half = 10**9 if window_s == SESSION else round(window_s * 12.5)
        for k, frame in enumerate(at):
            seen = channels["smile"][1, max(frame - half, 0) : frame + half + 1]
            assert x[1, k, column] == pytest.approx(seen.mean(), abs=1e-6)


@pytest.mark.parametrize("people", [2, 3, 4])
def test_a_view_does_not_depend_on_other_channels(people):
    talk = converse(3, people, 1.0, "de")
    at = np.arange(100, 1400, 200)
    x, columns = statistics(talk.channels, at)
    assert np.isfinite(x).all()
    assert x.shape == (people, len(at), len(columns))
    changed = {name: track.copy() for name, track in talk.channels.items()}
    for track in changed.values():  # all but the first behave differently
        track[1:] = np.roll(track[1:], 311, axis=1)
    y, _ = statistics(changed, at)
    own = np.array([c.who == "target" for c in columns])
    np.testing.assert_array_equal(x[0][:, own], y[0][:, own])
    assert (x[0][:, ~own] != y[0][:, ~own]).any()
    for sense, names in (("audio", BODY_CHANNELS), ("visual", VOICE_CHANNELS)):
        changed = {n: np.roll(t, 311, axis=1) if n in names else t for n, t in talk.channels.items()}
        y, _ = statistics(changed, at)
        kept = np.array([c.sense == sense for c in columns])
        np.testing.assert_array_equal(x[..., kept], y[..., kept])
