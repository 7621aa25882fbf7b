"""The device image of a real device (this bench hands the pages no world): administrators press, others look."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.vocabulary.device import ButtonState, GestureKind
from tests.bench.sim import PASSWORD, USER, SimBench
from tests.unit.web.visit import Visit, visitors

BOARDS = ("door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome")


def touched(page: Visit) -> dict[str, Any]:
    """What can be pressed in the image, by its label."""
    return {
        element.props["aria-label"]: element
        for element in page.elements()
        if element.props.get("role") == "button" and "touch" in element.classes
    }


@pytest.mark.parametrize(
    "bench", [pytest.param(board, marks=pytest.mark.board(board)) for board in BOARDS], indirect=True
)
async def test_an_administrator_holds_the_control_button_of_every_product_and_its_mark_follows(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/")
        button = touched(page)["Button control"]
        (knob,) = [part for part in button.descendants() if "knob" in part.classes]
        await page.cause(button, "pointerdown")
        assert knob.props["data-on"] == "true"
        await bench.advance(3.5)
        await page.cause(button, "pointerup")
        assert knob.props["data-on"] == "false"
        gesture = await bench.event("device/button/gesture")
        assert gesture.gesture is GestureKind.LONG
        assert gesture.held_s >= 3.5
        assert bench.chain(gesture)[0] == "device/button/simulated"
        lines = (await bench.api("GET", "/logs/audit")).json()["lines"]
        said = [line["text"] for line in lines if line["topic"] == "device/button/simulated"]
        assert said == [f"button control simulated by {USER}: pressed {pressed}" for pressed in ("true", "false")]


async def test_a_press_that_was_refused_is_told_once_and_not_let_go(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/")
        bench.button("control").hold()
        await bench.advance(0.1)
        button = touched(page)["Button control"]
        await page.cause(button, "keydown.space.prevent")
        await page.cause(button, "keyup.space")
        assert page.told == ["Busy: button.hold: button 'control' is pressed already"]
        bench.button("control").release()


async def test_the_exit_button_of_the_image_opens_the_door_and_nothing_else_of_a_real_device_is_simulated(
    bench: SimBench,
) -> None:
    async with visitors(bench) as people:
        page = await people.open("/")
        assert sorted(touched(page)) == ["Button control", "Press rex"]
        await page.cause(touched(page)["Press rex"], "click")
        await bench.until(lambda: bench.relay("door").on)
        asked = await bench.event("door/exit")
        assert bench.chain(asked) == ["door/exit/simulated", "door/exit"]


@pytest.mark.parametrize("level", ["viewer", "operator"])
async def test_whoever_is_no_administrator_only_looks_at_the_image_of_a_real_device(
    bench: SimBench, level: str
) -> None:
    async with visitors(bench) as people:
        await people.account("otto", level)
        assert touched(await people.open("/", "otto")) == {}
        for action, params in (("button.hold", {"button": "control"}), ("exit.press", {"door": "door"})):
            answer = await bench.http("POST", f"/api/v1/actions/{action}", json=params, auth=("otto", PASSWORD))
            assert answer.status_code == 403
        assert not bench.control_bus.state(ButtonState, "control").pressed
