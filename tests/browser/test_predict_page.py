"""The page of `damamba predict` in a real browser, with real videos beside it."""

import re
from pathlib import Path

import numpy as np
import pytest

from damamba.media.loudness import Loudness
from damamba.predictor.page import write_page
from damamba.predictor.result import ParticipantPrediction, Prediction
from tests.browser.conftest import PHONE, until

pytestmark = pytest.mark.slow
DYAD = Path(__file__).parents[2] / "examples/dyad"
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture
def prediction():
    """Two people of the example, one with a hostile name; numbers, not a model's."""
    engagement = (0.5 + 0.3 * np.sin(np.arange(450) / 40)).astype(np.float32)
    engagement[100:150] = np.nan
    seen = {"clip": np.isfinite(engagement), "wav2vec2": np.ones(450, bool)}
    added = {"clip": np.where(seen["clip"], 0.1, np.nan).astype(np.float32), "partner novice": engagement / 10}
    peak = np.abs(np.sin(np.arange(180) / 9)).astype(np.float32)
    people = tuple(
        ParticipantPrediction(
            "conversation",
            name,
            DYAD / f"{video}.mp4",
            engagement,
            seen,
            added,
            Loudness(peak, ((1.0, 3.5), (6.0, 9.0))),
        )
        for name, video in ((HOSTILE, "expert"), ("novice", "novice"))
    )
    return Prediction(people, (f"a note on {HOSTILE}",), {"cues": {}, "simulated": True})


@pytest.fixture
def page_file(prediction, tmp_path):
    prediction.write(tmp_path, ())
    write_page(prediction, tmp_path / "report.html")
    return tmp_path / "report.html"


def ready(opened, page_file, *args, **kwargs):
    """The page when its first session is drawn."""
    page = opened(page_file, *args, **kwargs)
    until(page.page, "document.getElementById('sessions').dataset.ready")
    return page


def saved(page, click):
    """Content of the file that a click downloads."""
    with page.expect_download() as event:
        click()
    return Path(event.value.path()).read_text(encoding="utf8")


def test_it_reads_its_videos_alone_and_says_nothing(opened, page_file):
    page = ready(opened, page_file)
    page.page.wait_for_timeout(300)
    own = {page_file.resolve().as_uri(), *((DYAD / f"{name}.mp4").resolve().as_uri() for name in ("expert", "novice"))}
    assert {url for url in page.requests if not url.startswith("blob:")} == own
    assert page.messages == []


def test_hostile_names_stay_text(opened, page_file):
    page = ready(opened, page_file).page
    assert page.title() == "Engagement · damamba"
    assert page.locator("img").count() == 0
    assert HOSTILE in page.text_content("#people")


def test_a_click_on_the_curve_moves_both_videos(opened, page_file):
    page = ready(opened, page_file).page
    until(page, "[...document.querySelectorAll('video')].every(v => v.readyState >= 1)")
    curve = page.locator(".u-over").first
    box = curve.bounding_box()
    curve.click(position={"x": box["width"] * 0.6, "y": box["height"] / 2})
    until(page, "[...document.querySelectorAll('video')].every(v => v.currentTime > 5)")
    first, second = page.evaluate("[...document.querySelectorAll('video')].map(v => v.currentTime)")
    assert first == pytest.approx(0.6 * 18, abs=0.2)
    assert first == pytest.approx(second, abs=0.05)
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    until(page, f"document.querySelector('video').currentTime > {first + 0.5}")


def test_a_drag_zooms_every_curve_and_a_double_click_shows_the_whole(opened, page_file):
    page = ready(opened, page_file).page
    shown = "['from', 'to'].map(end => Number(document.getElementById('sessions').dataset[end]))"
    box = page.locator(".u-over").first.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=5)
    page.mouse.up()
    assert page.evaluate(shown) == pytest.approx([4.5, 9.0], abs=0.2)
    page.click("#zoom-in")
    start, stop = page.evaluate(shown)
    assert stop - start == pytest.approx(2.25, abs=0.2)
    page.locator("h1").click()
    page.keyboard.press("0")
    assert page.evaluate(shown) == [0, 18]


def test_downloads_hold_the_numbers(opened, page_file, prediction):
    page = ready(opened, page_file).page
    lines = saved(page, page.locator(".person header button").first.click).splitlines()
    assert lines[0] == "time_s,engagement,clip,wav2vec2"
    assert len(lines) == 451
    rows = [line.split(",") for line in lines[1:]]
    own = (page_file.parent / "conversation/novice.csv").read_text().splitlines()[1:]
    for row, line in zip(rows, own, strict=True):  # the same as in the file beside the page
        time_s, value, *seen = line.split(",")
        assert row[0] == time_s
        assert (row[1] == "") == (value == "")
        assert not value or float(row[1]) == float(value)
        assert row[2:] == seen
    page.locator(".more summary").first.click()
    button = page.get_by_role("button", name=re.compile("^Contributions of")).first
    lines = saved(page, button.click).splitlines()
    assert lines[0] == "time_s,clip,partner novice"
    assert lines[1].split(",")[:2] == ["0", "0.1"]
    assert lines[6].split(",")[1] == ""


def test_missing_stretches_have_a_picture_of_the_video(opened, page_file):
    page = ready(opened, page_file).page
    page.locator(".more.wide summary").first.click()
    until(page, "document.querySelector('.worst canvas')?.dataset.drawn")
    page.locator(".worst button").first.click()
    until(page, "Math.abs(document.querySelector('video').currentTime - 4) < 0.1")


def test_playing_moves_the_clock(opened, page_file):
    page = ready(opened, page_file).page
    until(page, "[...document.querySelectorAll('video')].every(v => v.readyState >= 2)")
    before = page.text_content("#clock")
    page.click("#play")
    until(page, f"document.getElementById('clock').textContent !== {before!r}")


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(opened, page_file, dark):
    page = ready(opened, page_file, dark=dark)
    for one in page.page.locator("summary").all():
        one.click()
    assert page.violations() == {}


def test_a_phone_needs_no_sideways_scrolling(opened, page_file):
    assert ready(opened, page_file, PHONE).sideways() == 0
