"""The page of `damamba stream` in a real browser: it follows scores as they are sent. The numbers are no model's."""

import re

import pytest

from damamba.live.conversation import LiveScore
from damamba.live.page import Page, serving

pytestmark = pytest.mark.slow
HOSTILE = '<img src=x onerror="document.title=1">'


def scores(label: int, engagement: float | None) -> list[LiveScore]:
    seen = {"clip": engagement is not None, "wav2vec2": True}
    own = LiveScore(label / 25, HOSTILE, engagement, seen, 0.53)
    return [own, LiveScore(label / 25, "novice", 0.25, dict.fromkeys(seen, True), 0.53)]


def test_it_follows_live_and_shows_gaps_and_asks_this_machine_alone(browser):
    from playwright.sync_api import expect

    live = Page("a session", [HOSTILE, "novice"], ["clip", "wav2vec2"])
    with serving(live, 0):
        for label in range(50):
            live.send(scores(label, 0.5))
        context = browser.new_context()
        page, asked, said = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(live.address)
        expect(page.locator("#state")).to_have_text("live")
        people = page.locator(".person")
        expect(people).to_have_count(2)
        expect(people.nth(0).locator(".now")).to_have_text("0.500")  # sent before the page was opened
        expect(people.nth(0).locator("h2")).to_have_text(HOSTILE)
        expect(page.locator("canvas")).to_have_count(2)
        live.send(scores(50, 0.75))
        expect(people.nth(0).locator(".now")).to_have_text("0.750")
        expect(people.nth(1).locator(".now")).to_have_text("0.250")
        expect(page.locator("#clock")).to_have_text("2.00 s")
        expect(page.locator("#delay")).to_have_text("delay 0.53 s")
        live.send(scores(51, None))
        expect(people.nth(0).locator(".now")).to_have_text("–")
        expect(people.nth(0).locator(".missing")).to_have_text("missing clip")
        live.end()
        expect(page.locator("#state")).to_have_text("ended")
        assert page.title() == "a session · live · damamba"
        assert all(url.startswith(live.address) for url in asked)
        assert [line for line in said if not re.search("favicon", line)] == []
        context.close()
