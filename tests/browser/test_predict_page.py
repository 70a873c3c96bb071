"""The page of `damamba predict` in a real browser, with real videos beside it."""

from pathlib import Path

import numpy as np
import pytest

from damamba.predictor.page import write_page
from damamba.predictor.result import ParticipantPrediction, Prediction
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.slow
DYAD = Path(__file__).parents[2] / "examples/dyad"
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture
def page_file(tmp_path):
    """Two people of the example, one with a hostile name."""
    engagement = (0.5 + 0.3 * np.sin(np.arange(450) / 40)).astype(np.float32)
    engagement[100:150] = np.nan
    seen = {"clip": np.isfinite(engagement), "wav2vec2": np.ones(450, bool)}
    people = tuple(
        ParticipantPrediction("conversation", name, DYAD / f"{video}.mp4", engagement, seen)
        for name, video in ((HOSTILE, "expert"), ("novice", "novice"))
    )
    prediction = Prediction(people, (f"a note on {HOSTILE}",), {"cues": {}, "simulated": True})
    prediction.write(tmp_path, ())
    write_page(prediction, tmp_path / "report.html")
    return tmp_path / "report.html"


def until(page, expression):
    """Wait for an expression to be true; Playwright's own waiting needs eval, which the page forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def test_it_reads_its_videos_alone_and_says_nothing(opened, page_file):
    page = opened(page_file)
    page.page.wait_for_timeout(300)
    own = {page_file.resolve().as_uri(), *((DYAD / f"{name}.mp4").resolve().as_uri() for name in ("expert", "novice"))}
    assert set(page.requests) == own
    assert page.messages == []


def test_hostile_names_stay_text(opened, page_file):
    page = opened(page_file).page
    assert page.title() == "Engagement · damamba"
    assert page.locator("img").count() == 0
    assert HOSTILE in page.text_content("#people")


def test_a_click_on_the_curve_moves_both_videos(opened, page_file):
    page = opened(page_file).page
    until(page, "[...document.querySelectorAll('video')].every(v => v.readyState >= 1)")
    canvas = page.locator("canvas").first
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.6, "y": box["height"] / 2})
    until(page, "[...document.querySelectorAll('video')].every(v => v.currentTime > 5)")
    first, second = page.evaluate("[...document.querySelectorAll('video')].map(v => v.currentTime)")
    assert first == pytest.approx(second, abs=0.05)
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    until(page, f"document.querySelector('video').currentTime > {first + 0.5}")


def test_playing_moves_the_clock(opened, page_file):
    page = opened(page_file).page
    until(page, "[...document.querySelectorAll('video')].every(v => v.readyState >= 2)")
    before = page.text_content("#clock")
    page.click("#play")
    until(page, f"document.getElementById('clock').textContent !== {before!r}")


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(opened, page_file, dark):
    assert opened(page_file, dark=dark).violations() == {}


def test_a_phone_needs_no_sideways_scrolling(opened, page_file):
    assert opened(page_file, PHONE).sideways() == 0
