"""New firmware by the Maintenance page: uploaded, tried, and confirmed by the person who sees it work."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.live.bundles import VERSION
from tests.live.device import running
from tests.live.web.browser import DESK, person

PATIENCE_MS = 120_000
# Whether a bar was ever seen, and how full: a bar lasts as long as the machine takes, which a look may miss.
WATCH_BARS = """() => {
    window.bars = {};
    const see = () => {
        for (const bar of document.querySelectorAll("progress")) {
            if (bar.hidden || !bar.offsetParent) continue;
            window.bars[bar.getAttribute("aria-label")] ??= [];
            window.bars[bar.getAttribute("aria-label")].push(Number(bar.value));
        }
    };
    new MutationObserver(see).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""


def test_an_upgrade_is_uploaded_shows_the_time_left_to_confirm_and_stays_once_it_was_confirmed(
    browser: Browser, vendor: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    shutil.copytree(vendor / "keys" / "keyring", state / "keyring")
    with running(state) as device, person(browser, device, viewport=DESK) as ada:
        device.set_up()
        ada.log_in(to="/maintenance")
        page = ada.page
        page.evaluate(WATCH_BARS)
        page.evaluate("window.old = true")
        page.set_input_files("input[name=bundle]", vendor / "new.raucb")
        page.select_option("select[name=mode]", "automatic_rollback")
        page.select_option("select[name=confirm_within_s]", "300")
        with page.expect_response(lambda answer: answer.url.endswith("/api/v1/upgrade")) as answered:
            page.get_by_role("button", name="Upload and install").click()
        assert answered.value.status == 202
        bars = page.evaluate("window.bars")
        assert max(bars["Progress of the upload"]) == 100
        # The device restarts into the other slot, and the page finds it again by itself.
        page.wait_for_function("window.old !== true && window.did_handshake === true", timeout=PATIENCE_MS)
        expect(page.get_by_text(f"on trial ({VERSION})")).to_be_visible(timeout=PATIENCE_MS)
        left = page.locator("[data-left]")
        shown = left.inner_text()
        minutes, seconds = (int(part) for part in shown.split(":"))
        assert 0 < 60 * minutes + seconds <= 300, shown
        expect(left).not_to_have_text(shown)
        page.get_by_role("button", name="Confirm the firmware").click()
        ada.sees("The firmware stays.")
        expect(page.get_by_text("nothing under way")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="B (running)")).to_contain_text(VERSION)
        expect(page.get_by_role("button", name="Confirm the firmware")).to_be_hidden()
        found = device.api.get("/upgrade").json()
        assert (found["stage"], found["running"], found["last"]["outcome"]) == ("idle", "B", "ok")
        assert device.bench("state")["version"] == VERSION
        ada.complaints.clear()  # it says that it could not reach the device while that restarted
