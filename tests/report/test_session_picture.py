"""The README's picture: the right moment of the right face, and no face of a real person."""

import base64
import re
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

from damamba.corpus.manifest import Participant
from damamba.report.session_picture import draw_session, face_pictures
from damamba.report.timeline import timeline_figure
from damamba.scoring.participants import ParticipantScore
from damamba.scoring.series import ParticipantSeries, SessionSeries
from damamba.streams.face_track import CHANNELS
from damamba.streams.store import write_stream
from damamba.streams.stream import FeatureStream
from tests.conftest import make_video

FRAMES = 50


def session(*names):
    rng = np.random.default_rng(0)
    people = tuple(
        ParticipantSeries(name, "", rng.random(FRAMES), rng.random(FRAMES), {"clip": np.zeros(FRAMES, bool)})
        for name in names
    )
    return SessionSeries("noxi", "001", "de", people)


def scores(*names):
    return [ParticipantScore("noxi", "001", name, "", "de", FRAMES, 0, {}, 0.25) for name in names]


@pytest.fixture
def filmed(tmp_path):
    """A participant whose video becomes brighter, with a face that is lost in the last second."""
    t_s = np.arange(FRAMES) / 25
    video = make_video(tmp_path / "a.mp4", t_s, np.linspace(0.1, 0.9, FRAMES))
    x = np.zeros((FRAMES, len(CHANNELS)), np.float32)
    x[:, :4] = (20, 10, 40, 30)
    seen = t_s < 1
    stream = FeatureStream(
        t_s=t_s,
        x=np.where(seen[:, None], x, np.nan).astype(np.float32),
        valid=seen,
        score=seen.astype(np.float32),
        rate_hz=25.0,
        channels=CHANNELS,
        extractor="face_landmarker",
        checkpoint="",
        revision="",
        key="key",
    )
    write_stream(tmp_path / "faces/noxi/001/a.parquet", stream)
    return Participant("noxi", "001", "a", "", "test", "de", "p", str(video), "", "")


def test_the_face_is_that_of_the_highest_label_where_a_face_was_tracked(filmed, tmp_path):
    one = session("a")
    one.participants[0].label[:] = 0.2
    one.participants[0].label[[10, 20, 40]] = np.nan, 0.9, 1.0  # no face at the highest
    (picture,) = face_pictures(one, [filmed], tmp_path / "faces").values()
    assert picture.t_s == pytest.approx(20 / 25)
    image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[0] == image.shape[1]
    assert image.mean() / 255 == pytest.approx(0.1 + 0.8 * 20 / 49, abs=0.03)


def test_participants_without_video_or_face_have_no_picture(filmed, tmp_path):
    blind = Participant("noxi", "001", "b", "", "test", "de", "p", "", "", "")
    other = Participant("noxi", "002", "a", "", "test", "de", "p", filmed.video, "", "")
    assert face_pictures(session("a", "b"), [blind, other], tmp_path / "faces") == {}
    assert face_pictures(session("a"), [filmed], tmp_path / "elsewhere") == {}


def test_without_faces_it_is_the_timeline(tmp_path):
    draw_session(session("a", "b"), {}, scores("a", "b"), "subtitle", tmp_path / "session.svg")
    timeline_figure(session("a", "b"), tmp_path / "timeline.svg")
    assert (tmp_path / "session.svg").read_bytes() == (tmp_path / "timeline.svg").read_bytes()


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_the_picture_is_small_valid_and_the_same_again(filmed, tmp_path, names):
    one = session(*names)
    pictures = face_pictures(one, [filmed], tmp_path / "faces")
    draw_session(one, pictures, scores(*names), "median", tmp_path / "a.svg")
    draw_session(one, pictures, scores(*names), "median", tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert len(text) < 300_000
    assert ET.fromstring(text).tag.endswith("svg")
    assert text.startswith('<?xml version="1.0"')
    (packed,) = re.findall('base64,([^"]*)', text)
    assert base64.b64decode(packed) == pictures["a"].jpeg
    assert text.count("CCC in this session 0.25") == len(names)
