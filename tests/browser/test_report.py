"""The report in a real browser: alone, readable, usable by keyboard, on a phone and on paper."""

import json
import re
import statistics

import pytest

from tests.browser.conftest import PHONE, until
from tests.report.conftest import finished  # noqa: F401 (a fixture)
from tests.report.test_report import stages_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def report(finished, tmp_path_factory):  # noqa: F811
    """The page of a small results tree."""
    return stages_run(finished, tmp_path_factory.mktemp("page") / "repo") / "results/report.html"


def ready(opened, report, *args, **kwargs):
    """The report when its first session is drawn."""
    page = opened(report, *args, **kwargs)
    until(page.page, "document.getElementById('timeline').dataset.ready")
    return page


def shown(page):
    return page.page.evaluate("document.getElementById('session').selectedOptions[0].textContent")


def test_it_asks_for_nothing_and_says_nothing(opened, report):
    page = ready(opened, report)
    assert page.requests == [report.resolve().as_uri()]
    assert page.messages == []


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(opened, report, dark):
    assert ready(opened, report, dark=dark).violations() == {}


def test_a_phone_needs_no_sideways_scrolling(opened, report):
    page = ready(opened, report, PHONE)
    assert page.sideways() == 0
    assert page.violations() == {}


def test_paper_cuts_no_table(opened, report):
    page = ready(opened, report, (1030, 700))  # A4 landscape within its margins
    page.page.emulate_media(media="print")
    wide = page.page.evaluate(
        "[...document.querySelectorAll('table')].filter(t => t.getBoundingClientRect().right > innerWidth + 1)"
        ".map(t => t.parentElement.getAttribute('aria-label'))"
    )
    assert wide == []


def test_it_opens_on_the_median_session(opened, report):
    data = json.loads(re.search(r'id="series">(.*?)</script>', report.read_text(encoding="utf8"), re.DOTALL)[1])
    means = [
        statistics.fmean(scores)
        for one in data["sessions"]
        if (scores := [p["ccc_within"] for p in one["participants"] if p["ccc_within"] is not None])
    ]
    chosen = data["sessions"][int(ready(opened, report).page.evaluate("document.getElementById('session').value"))]
    own = statistics.fmean(p["ccc_within"] for p in chosen["participants"] if p["ccc_within"] is not None)
    assert own == pytest.approx(statistics.median_low(means))


def test_a_session_has_a_link(opened, report):
    page = ready(opened, report)
    page.page.click("#next")
    name, link = shown(page), page.page.evaluate("location.hash")
    assert shown(ready(opened, report, hash=link)) == name
    first = shown(ready(opened, report))
    assert shown(ready(opened, report, hash="#session=nobody")) == first


def test_the_keyboard_moves_through_a_session(opened, report):
    page = ready(opened, report)
    page.page.focus("#time")
    before = page.page.text_content(".now")
    for _ in range(25):
        page.page.keyboard.press("ArrowRight")
    assert page.page.text_content("#clock").startswith("0:01.00 of")
    assert page.page.text_content(".now") != before
    assert "annotated" in page.page.text_content(".now")
    page.page.keyboard.press("End")
    assert page.page.text_content("#clock").startswith("0:19.96 of")


def test_a_click_on_a_heading_sorts(opened, report):
    page = ready(opened, report)
    column = "[...document.querySelectorAll('#participants tbody:not([hidden]) tr')].map(r => r.cells[7].textContent)"
    page.page.click("#participants th:nth-child(8) button")
    values = [float(text.replace("−", "-")) for text in page.page.evaluate(column) if text != "–"]
    assert values == sorted(values)
    assert len(set(values)) > 3
