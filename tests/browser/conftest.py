"""A headless Chromium, and pages that tell what went wrong in them."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
DESK, PHONE = (1280, 800), (390, 844)


@pytest.fixture(scope="session")
def browser():
    """Skipped where there is no Chromium; `.ci/run` installs one and sets DAMAMBA_BROWSER_TESTS."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        if os.environ.get("DAMAMBA_BROWSER_TESTS"):
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield chromium
        chromium.close()


def until(page, expression):
    """Wait for an expression to be true; Playwright's own waiting needs eval, which the pages forbid."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


@dataclass
class Opened:
    """A page, and what it did."""

    page: object
    messages: list[str] = field(default_factory=list)
    """Of the console, and errors of scripts."""
    requests: list[str] = field(default_factory=list)
    """Everything that was asked for, the page itself too."""

    def violations(self):
        """Of axe, serious or worse: rule -> places."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return {
            each["id"]: [node["html"][:200] for node in each["nodes"]]
            for each in found
            if each["impact"] in ("serious", "critical")
        }

    def sideways(self):
        """How far it can be scrolled to the right, px."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture
def opened(browser):
    """Opens a file, after which its scripts have run."""
    contexts = []

    def open_page(path: Path, size=DESK, hash="", dark=False) -> Opened:
        width, height = size
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        result = Opened(context.new_page())
        result.page.on("console", lambda message: result.messages.append(message.text))
        result.page.on("pageerror", lambda error: result.messages.append(str(error)))
        result.page.on("request", lambda request: result.requests.append(request.url))
        result.page.goto(path.resolve().as_uri() + hash)
        result.page.wait_for_load_state("load")
        return result

    yield open_page
    for context in contexts:
        context.close()
