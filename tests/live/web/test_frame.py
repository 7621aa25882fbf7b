"""Log-in, roles, languages, colours, phone layout, lost connections: what every page has, in a real browser."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.live.device import PASSWORD, PATIENCE_S, USER, Device, until
from tests.live.web.browser import DESK, PHONE, Person, person

LEVELS = {"vic": "viewer", "otto": "operator"}
UPGRADE = {
    "upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


def paths(somebody: Person) -> list[str]:
    """Every page that somebody gets."""
    links = "links => links.map(link => link.getAttribute('href'))"
    found: list[str] = somebody.page.eval_on_selector_all("nav a", links)
    assert len(found) >= 10
    return [*found, "/wizard", "/password"]


@pytest.fixture(scope="module")
def staffed(shared_device: Device) -> Device:
    """The device with an account of each level."""
    for name, level in LEVELS.items():
        made = shared_device.api.post("/accounts", json={"name": name, "password": PASSWORD, "level": level})
        assert made.status_code == 201, made.text
    return shared_device


def test_nobody_sees_a_page_before_logging_in_and_afterwards_the_one_that_was_asked_for(
    browser: Browser, staffed: Device
) -> None:
    with person(browser, staffed, viewport=DESK) as ada:
        ada.page.goto("/")
        assert ada.page.url.endswith("/login?next=/")
        ada.page.fill("#name", USER)
        ada.page.fill("#password", PASSWORD)
        ada.page.click("#send")
        ada.sees(staffed.api.get("/device").json()["serial"])
        own = f"127.0.0.1:{staffed.port}"
        assert [url for url in ada.asked if own not in url and not url.startswith(("data:", "blob:"))] == []


def test_row_39_a_socket_of_another_site_or_without_a_session_is_refused(browser: Browser, staffed: Device) -> None:
    with person(browser, staffed) as ada:
        ada.log_in()
        token = ada.context.cookies()[0]
        assert (token["httpOnly"], token["sameSite"]) == (True, "Strict")
        mine = ada.page.evaluate("window.clientId")
    path = f"/_nicegui_ws/socket.io/?EIO=4&transport=websocket&client_id={mine}"
    url = f"http://127.0.0.1:{staffed.port}{path}"
    asked = staffed.api.build_request("GET", url, headers={**UPGRADE, "origin": "https://evil.example"})
    assert staffed.api.send(asked).status_code == 403
    assert staffed.api.send(staffed.api.build_request("GET", url, headers=UPGRADE), auth=None).status_code == 401


def test_row_39_a_socket_that_names_two_pages_is_refused_whichever_of_them_is_the_callers(
    browser: Browser, staffed: Device
) -> None:
    with person(browser, staffed) as ada, person(browser, staffed) as vic:
        ada.log_in()
        vic.log_in("vic")
        mine, other = (somebody.page.evaluate("window.clientId") for somebody in (ada, vic))
        own = f"http://127.0.0.1:{staffed.port}"
        # 101: the socket is open, and the toolkit chooses whose page it is of
        asked = {(mine,): 101, (other,): 403, (other, mine): 403, (mine, other): 403, (mine, mine): 403}
        answers = {}
        for pages in asked:
            query = "&".join(f"client_id={page}" for page in pages)
            url = f"{own}/_nicegui_ws/socket.io/?EIO=4&transport=websocket&{query}"
            request = staffed.api.build_request("GET", url, headers={**UPGRADE, "origin": own})
            answer = staffed.api.send(request, stream=True)
            answers[pages] = answer.status_code
            answer.close()
    assert answers == asked


@pytest.mark.parametrize("name", [USER, *LEVELS])
def test_each_role_sees_the_pages_it_gets_and_gets_none_of_the_others(
    browser: Browser, staffed: Device, name: str
) -> None:
    with person(browser, staffed, viewport=DESK) as somebody:
        somebody.log_in(name)
        shown = somebody.page.eval_on_selector_all("nav a", "links => links.map(link => link.getAttribute('href'))")
        answers = {
            path: somebody.page.evaluate(f"fetch('{path}').then(answer => answer.status)")
            for path in {*shown, "/accounts", "/config", "/maintenance"}
        }
        somebody.complaints.clear()  # the browser writes down what was refused
        assert {path for path, status in answers.items() if status == 200} == set(shown)
        assert set(answers.values()) <= {200, 403, 404}


def test_the_navigation_is_open_on_a_desk_and_a_drawer_on_a_phone(browser: Browser, staffed: Device) -> None:
    with person(browser, staffed, viewport=DESK) as ada:
        ada.log_in()
        nav, menu = ada.page.get_by_role("navigation"), ada.page.get_by_role("button", name="Menu")
        expect(nav).to_be_in_viewport()
        menu.click()
        expect(nav).not_to_be_in_viewport()
        ada.page.set_viewport_size(PHONE)
        ada.go("/doors")
        expect(nav).not_to_be_in_viewport()
        menu.click()
        expect(nav).to_be_in_viewport()
        ada.page.get_by_role("link", name="Video").click()
        ada.page.wait_for_url("**/video")


def test_the_language_and_the_colours_are_the_visitors(browser: Browser, staffed: Device) -> None:
    with person(browser, staffed, viewport=DESK, locale="de-DE", color_scheme="light") as ada:
        ada.page.goto("/login")
        ada.sees("Anmelden")
        ada.log_in()
        ada.sees("Seriennummer")
        ada.page.click("[aria-label=Farben]")
        with ada.page.expect_navigation():
            ada.page.get_by_text("Dunkel").click()
        ada.alive()
        expect(ada.page.locator("body")).to_have_class(re.compile("body--dark"))
        ada.page.click("[aria-label=Sprache]")
        with ada.page.expect_navigation():
            ada.page.get_by_text("Svenska").click()
        ada.sees("Serienummer")
        assert ada.page.get_attribute("html", "lang") == "sv"


def test_a_lost_connection_comes_back_by_itself_and_the_door_does_not_notice(browser: Browser, staffed: Device) -> None:
    staffed.enrol("H10301:42:77")
    with person(browser, staffed, viewport=DESK) as ada:
        ada.log_in()
        ada.page.evaluate("window.old = true")
        before = staffed.kill("network")
        staffed.ask("swipe", "front", "H10301:42:77")
        until("the strike", lambda: staffed.ask("state")["peers"]["relay:door"])
        staffed.wait_ready("network", before)
        ada.page.wait_for_function("window.old !== true && window.did_handshake === true")
        staffed.ask("swipe", "front", "H10301:42:77")
        ada.sees("access/granted")
        ada.complaints.clear()  # it says that it could not reach the device


def test_a_changed_account_ends_its_open_pages(browser: Browser, staffed: Device) -> None:
    made = staffed.api.post("/accounts", json={"name": "eve", "password": PASSWORD, "level": "viewer"})
    assert made.status_code == 201
    with person(browser, staffed, viewport=DESK) as eve:
        eve.log_in("eve")
        assert staffed.api.delete("/accounts/eve").status_code == 204
        eve.page.wait_for_url("**/login**")


def test_no_page_scrolls_sideways_on_a_phone_or_a_desk_or_shuts_anybody_out(browser: Browser, staffed: Device) -> None:
    with person(browser, staffed, viewport=DESK, color_scheme="light") as ada:
        ada.page.goto("/login")
        found = {"/login": (ada.fits(), ada.barriers())}
        ada.log_in()
        for path in paths(ada):
            ada.page.set_viewport_size(PHONE)
            ada.go(path)
            phone, barriers = ada.fits(), ada.barriers()
            ada.page.set_viewport_size(DESK)
            found[path] = (phone and ada.fits(), barriers)
        assert {path: what for path, what in found.items() if what != (True, [])} == {}


def test_every_page_can_be_read_in_the_dark_theme_on_a_phone(browser: Browser, staffed: Device) -> None:
    with person(browser, staffed, viewport=PHONE, color_scheme="dark") as ada:
        ada.page.goto("/login")
        found = {"/login": ada.barriers("color-contrast")}
        ada.log_in()
        expect(ada.page.locator("body")).to_have_class(re.compile("body--dark"))
        for path in paths(ada):
            ada.go(path)
            found[path] = ada.barriers("color-contrast")
        assert {path: what for path, what in found.items() if what} == {}


def test_too_many_wrong_passwords_block_the_address_and_the_page_counts_the_seconds(
    browser: Browser, staffed: Device
) -> None:
    wish = {"period_s": 8, "page_failures_per_s": 2}
    assert staffed.api.patch("/params/brute_force", json=wish).status_code == 200
    with person(browser, staffed) as mallory:
        mallory.page.goto("/login")
        # Before the block begins: it lasts for some seconds only.
        mallory.page.fill("#name", USER)
        mallory.page.fill("#password", PASSWORD)
        mallory.page.evaluate(
            """async () => {
                const body = JSON.stringify({ name: "admin", password: "guess" });
                const headers = { "content-type": "application/json" };
                const one = () => fetch("/api/v1/session", { method: "POST", headers, body });
                while ((await Promise.all([one(), one(), one(), one()])).every((answer) => answer.status === 401));
            }"""
        )
        mallory.page.click("#send")
        mallory.sees("Too many failures")
        expect(mallory.page.locator("#send")).to_be_disabled()
        here = staffed.api.post("/session", json={"name": USER, "password": PASSWORD}, auth=None)
        assert here.status_code == 429, "the right password from the blocked address"
        elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(transport=elsewhere, base_url=staffed.api.base_url, timeout=PATIENCE_S) as ada:
            assert ada.post("/session", json={"name": USER, "password": PASSWORD}).status_code == 201
            assert ada.get("/session").json()["name"] == USER
        expect(mallory.page.locator("#send")).to_be_enabled(timeout=60_000)
        mallory.page.click("#send")
        mallory.sees(staffed.api.get("/device").json()["serial"])
        mallory.complaints.clear()  # the browser writes down what was refused
