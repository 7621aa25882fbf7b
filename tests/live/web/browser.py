"""A person with a browser: pages of one device, driven in a Chromium without a window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect

from tests.live.device import PASSWORD, PATIENCE_S, USER, Device

PHONE = {"width": 390, "height": 800}
DESK = {"width": 1280, "height": 900}
MS = 1000
# Nothing slides or fades any more; what turns for ever does.
AT_REST = """() => Promise.all(document.getAnimations()
    .filter((each) => each.playState === "running" && each.effect.getTiming().iterations !== Infinity)
    .map((each) => each.finished.catch(() => null))).then(() => null)"""


class Person:
    """One person at one browser: what they see, and what their browser complained of."""

    def __init__(self, browser: Browser, device: Device, **how: Any) -> None:
        self.device = device
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self._axed = False
        self.context: BrowserContext = browser.new_context(base_url=f"http://127.0.0.1:{device.port}", **how)
        self.context.set_default_timeout(PATIENCE_S * MS)
        expect.set_options(timeout=PATIENCE_S * MS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _heard(self, message: Any) -> None:
        # axe tries styles that the content policy refuses
        if message.type == "error" and not (self._axed and "style-src-elem" in message.text):
            self.complaints.append(message.text)

    def go(self, path: str) -> None:
        """Open a page and wait until it is alive."""
        self.page.goto(path)
        self.alive()

    def alive(self) -> None:
        """Until the page of the toolkit has its socket."""
        self.page.wait_for_function("window.did_handshake === true")

    def log_in(self, name: str = USER, password: str = PASSWORD, *, to: str = "/") -> None:
        """Log in by the form."""
        self.page.goto(f"/login?next={to}")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.click("#send")
        self.page.wait_for_url(lambda url: "/login" not in url)
        self.alive()

    @contextmanager
    def beside(self, path: str) -> Iterator[Page]:
        """Another page of the same person, open while the block lasts."""
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path)
        page.wait_for_function("window.did_handshake === true")
        try:
            yield page
        finally:
            page.close()

    def sees(self, text: str) -> None:
        """Until a text is on the page."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_S * MS)

    def bench_swipes(self, card: str, reader: str = "front") -> None:
        """A hand holds a card to the reader itself."""
        self.device.ask("swipe", reader, card)

    def fits(self) -> bool:
        """Whether nothing is wider than the window, once everything that slides has come to rest."""
        try:
            self.page.wait_for_function("() => document.documentElement.scrollWidth <= window.innerWidth")
        except TimeoutError:
            return False
        return True

    def barriers(self, *rules: str) -> list[str]:
        """What axe finds that keeps somebody out: serious and critical violations, with their places.

        All its rules, or only these.
        """
        self._axed = True
        self.page.evaluate(AT_REST)
        found = Axe().run(self.page, options={"runOnly": list(rules)} if rules else None).response["violations"]
        return [
            f"{each['id']}: {node['html'][:160]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def tab_to(self, label: str, most: int = 80) -> None:
        """Go through the page with the tabulator until what is called so has the focus."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.getAttribute('aria-label')") == label:
                return
        raise AssertionError(f"no {label!r} within {most} stops")

    def is_content(self) -> None:
        """Fail with what their browser complained of, which is forgotten then."""
        complaints, self.complaints = self.complaints, []
        assert not complaints, complaints

    def close(self) -> None:
        """Leave."""
        self.context.close()


@contextmanager
def person(browser: Browser, device: Device, **how: Any) -> Iterator[Person]:
    """Somebody, for the length of a block; what their browser complained of fails the test."""
    somebody = Person(browser, device, **how)
    try:
        yield somebody
        somebody.is_content()
    finally:
        somebody.close()


__all__ = ["DESK", "PHONE", "Person", "person"]
