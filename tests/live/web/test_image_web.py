"""The device image of every product in a browser: drawn, pressed and held by mouse and keyboard, its lights alive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from firmware.interfaces.web.plan import Kind
from firmware.plan import plan_of
from hal.board import load_board
from tests.live.device import Device, running
from tests.live.web.browser import PHONE, person

BOARDS = ("door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome")


@pytest.fixture(scope="module", params=BOARDS)
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """One device of every product, with its administrator."""
    with running(tmp_path_factory.mktemp("product") / "state", request.param) as device:
        device.set_up()
        yield device


def pressed(device: Device) -> bool:
    """Whether a finger is on the control button itself."""
    found: bool = device.ask("state")["peers"]["button:control"]
    return found


def test_the_image_of_every_product_is_drawn_pressed_and_held_and_its_light_follows(
    browser: Browser, product: Device
) -> None:
    plan = plan_of(load_board(product.board))
    with person(browser, product, viewport=PHONE) as ada:
        ada.log_in()
        page = ada.page
        assert ada.fits()
        for thing in plan.of(Kind.LIGHT):
            expect(page.locator(f"[data-light='{thing.name}']")).to_be_visible()
        for thing in plan.of(Kind.RELAY, Kind.PORT):
            expect(page.locator(f"[data-mark='{thing.name}']")).to_be_visible()
        assert page.locator("[data-door]").count() == len(plan.doors)
        button = page.get_by_role("button", name="Button control")
        knob = button.locator(".knob")
        expect(knob).to_have_attribute("data-on", "false")
        button.hover()
        page.mouse.down()
        expect(knob).to_have_attribute("data-on", "true")
        assert pressed(product) is True
        page.mouse.up()
        expect(knob).to_have_attribute("data-on", "false")
        assert pressed(product) is False
        ada.tab_to("Button control")
        for key in ("Space", "Enter"):
            page.keyboard.down(key)
            expect(knob).to_have_attribute("data-on", "true")
            page.keyboard.up(key)
            expect(knob).to_have_attribute("data-on", "false")
        light = page.locator("[data-light=status]")
        for active, flashing in ((True, 1), (False, 0)):
            answer = product.api.post("/actions/device.identify", json={"active": active})
            assert answer.status_code == 200, answer.text
            expect(light.locator("animate")).to_have_count(flashing)
