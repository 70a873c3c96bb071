"""Devices, and people who arrive faster than they are looked at."""

import time

import numpy as np
import pytest

from damamba.config import AlignParams
from damamba.console import InputError
from damamba.data.live_grid import LiveGrid
from damamba.features.stepper import PictureStepper, Rows, SeenFrame
from damamba.live import sources
from damamba.live.person import Person
from damamba.live.sources import CAMERA, MICROPHONE, Arrival, Clock, Heard, Source, device_source
from damamba.media.decode import Frame
from damamba.media.sound import SAMPLE_RATE_HZ
from damamba.streams.face_track import CHANNELS

GRID = AlignParams(rate_hz=100, max_gap_s=0.2, causal=True)


@pytest.mark.parametrize("name", ["camera:nowhere", "microphone:nowhere", "camera:nowhere+microphone:default"])
def test_a_device_that_is_not_there_is_refused_on_one_line(name, capfd):
    with pytest.raises(InputError, match=r"^(camera|microphone):nowhere: cannot be opened .*$"):
        device_source(name, Clock(live=True))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["camera:", "camera:0+camera:1", "camera:0+file.mp4"])
def test_what_names_no_device_is_refused(name):
    with pytest.raises(InputError, match="expected camera:NAME"):
        device_source(name, Clock(live=True))


@pytest.fixture
def simulated(monkeypatch):
    """FFmpeg's own signals in place of devices, at the pace of life."""
    video, sound = "testsrc=size=64x48:rate={},realtime", "sine=frequency=300:sample_rate={},arealtime"
    there = {CAMERA: ("lavfi", video), MICROPHONE: ("lavfi", sound)}
    monkeypatch.setattr(sources, "FORMATS", dict.fromkeys(sources.FORMATS, there))


def test_devices_give_pictures_and_sound_on_one_clock(simulated):
    clock = Clock(live=True)
    source = device_source("camera:20+microphone:44100", clock)
    assert (source.has_picture, source.has_sound, source.rate_hz, source.end_s) == (True, True, 20.0, None)
    clock.begin()
    pictures, sound = [], []
    for arrival in source.arrivals():
        (sound if isinstance(arrival.what, Heard) else pictures).append(arrival)
        if min(len(pictures), len(sound)) >= 15:
            source.stop()
    t_s = np.array([one.what.t_s for one in pictures])
    assert (np.diff(t_s) > 0).all()
    assert pictures[0].what.image.shape == (48, 64, 3)
    heard = np.concatenate([one.what.samples for one in sound])
    assert all(one.what.observed for one in sound if len(one.what.samples))
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) / len(heard) * SAMPLE_RATE_HZ == pytest.approx(300, abs=5)


class Looks(PictureStepper):
    """Takes its time."""

    width = 1

    def __init__(self, takes_s: float) -> None:
        self.takes_s, self.seen = takes_s, 0

    def see(self, frame: SeenFrame) -> Rows:
        time.sleep(self.takes_s)
        self.seen += 1
        return Rows.one(frame.t_s, np.ones(1), 1.0, 1)


class Cue:
    media, lookahead_s = "video", 0.0

    def __init__(self, takes_s: float) -> None:
        self.stepper = Looks(takes_s)

    def picture_stepper(self) -> Looks:
        return self.stepper


class Faces:
    def following(self, counts):
        return lambda frame: (np.zeros(len(CHANNELS), np.float32), 1.0)


class Pictures(Source):
    name, has_picture, has_sound, rate_hz = "somebody", True, False, 25.0

    def arrivals(self):
        for k in range(25):
            yield Arrival(k / 25, Frame(k / 25, np.zeros((4, 4, 3), np.uint8)))

    def stop(self) -> None:
        pass


class Broken(Pictures):
    def arrivals(self):
        raise InputError("somebody.mp4: is broken")
        yield


def person(source: Source, live: bool, takes_s: float = 0.0) -> tuple[Person, Cue]:
    cue, clock = Cue(takes_s), Clock(live)
    one = Person(source, {"cue": cue}, Faces(), lambda cues: LiveGrid(cues, GRID, 25), clock)
    one.prepare()
    clock.begin()
    one.begin()
    return one, cue


def test_pictures_that_wait_too_long_are_dropped_and_counted_and_the_rest_is_seen():
    slow, cue = person(Pictures(), live=True, takes_s=0.15)
    frames = [slow.take(label, label / 25, None)[0]["cue"] for label in range(25)]
    assert 0 < slow.dropped < 25
    assert slow.pictures == cue.stepper.seen == 25 - slow.dropped
    assert frames[0][1].all()


def test_nothing_is_dropped_where_nothing_is_paced():
    slow, cue = person(Pictures(), live=False, takes_s=0.01)
    taken = [slow.take(label, label / 25, None) for label in range(25)]
    assert slow.dropped == 0
    assert cue.stepper.seen == 25
    assert all(complete and frames["cue"][1].all() for frames, complete in taken)


def test_a_score_that_cannot_wait_is_computed_from_what_is_there():
    slow, _ = person(Pictures(), live=True, takes_s=0.5)
    frames, complete = slow.take(3, 3 / 25, 0.0)
    assert not complete
    assert not frames["cue"][1].any()


def test_an_error_of_a_source_reaches_who_waits_for_it():
    broken, _ = person(Broken(), live=True)
    with pytest.raises(InputError, match="is broken"):
        broken.take(0, 0.0, None)
