"""The pages around the door, in a browser: an entry with ten uses, the door by hand, a port that is closed."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.live.device import Device, until
from tests.live.web.browser import DESK, person

CARD = "H10301:42:4711"


def verdicts(device: Device) -> list[str]:
    """What became of every card that was held to a reader."""
    return [line["topic"] for line in device.journal() if line["topic"] in ("access/granted", "access/denied")]


def test_an_entry_with_ten_uses_lets_in_ten_times_at_the_device_image_and_the_eleventh_is_refused(
    browser: Browser, shared_device: Device
) -> None:
    assert shared_device.api.patch("/params/doors", json={"door": {"hold_s": 0.5}}).status_code == 200
    with person(browser, shared_device, viewport=DESK) as ada:
        ada.log_in(to="/reader")
        shared_device.ask("swipe", "front", CARD)
        until("the card", lambda: verdicts(shared_device) == ["access/denied"])
        page = ada.page
        page.get_by_role("button", name="Get latest card").click()
        expect(page.get_by_label("Card", exact=True)).to_have_value(CARD)
        page.get_by_label("Name", exact=True).fill("Bo")
        page.get_by_label("Number of uses").fill("ten")
        page.get_by_role("button", name="Add", exact=True).click()
        ada.sees("'ten' is not a number")
        page.get_by_label("Number of uses").fill("10")
        page.get_by_role("button", name="Add", exact=True).click()
        row = page.get_by_role("row").filter(has_text="Bo")
        left = row.get_by_role("cell").nth(3)
        expect(left).to_have_text("10")
        with ada.beside("/") as image:
            image.get_by_label("Card").fill(CARD)
            leaf = image.locator("[data-door=door]")
            for uses in reversed(range(10)):
                image.click("[data-swipe]")
                expect(left).to_have_text(str(uses))
            expect(leaf).to_have_attribute("data-released", "false")
            pulses = len(shared_device.ask("trace", "door")["pulses"])
            image.click("[data-swipe]")
            expect(image.get_by_text("reason=no uses left")).to_be_visible()
        assert verdicts(shared_device) == ["access/denied", *["access/granted"] * 10, "access/denied"]
        assert len(shared_device.ask("trace", "door")["pulses"]) == pulses
        page.get_by_role("button", name="Remove Bo").click()
        page.get_by_role("button", name="Remove", exact=True).click()
        expect(row).to_have_count(0)
    assert shared_device.api.get("/entries").json()["total"] == 0


def test_the_bits_of_a_card_are_shown_as_the_output_format_sends_them(browser: Browser, shared_device: Device) -> None:
    with person(browser, shared_device, viewport=DESK) as ada:
        ada.log_in(to="/reader")
        wish = {"data_format": "Wiegand26"}
        assert shared_device.api.patch("/params/controller", json=wish).status_code == 200
        shared_device.ask("swipe", "front", "H10301:42:1234")
        ada.sees("1 00101010 0000010011010010 0")
        ada.sees("P FFFFFFFF NNNNNNNNNNNNNNNN P")


def test_the_door_is_opened_and_locked_by_hand_and_a_port_shows_its_loop(
    browser: Browser, shared_device: Device
) -> None:
    with person(browser, shared_device, viewport=DESK) as ada:
        ada.log_in(to="/doors")
        page = ada.page
        page.get_by_role("button", name="Open door").click()
        ada.sees("released")
        assert until("the strike", lambda: shared_device.ask("state")["peers"]["relay:door"])
        page.get_by_role("button", name="Lock door").click()
        ada.sees("locked")
        until("the strike falls", lambda: not shared_device.ask("state")["peers"]["relay:door"])
        port = page.locator("section").filter(has_text="Port io1")
        shared_device.ask("input", "io1", "closed")
        expect(port.get_by_text("closed (normally open)")).to_be_visible()
        expect(port.get_by_text("active", exact=True)).to_be_visible()
