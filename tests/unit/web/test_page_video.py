"""Video: the picture is live, tampering is told, settings are refused beside their fields."""

from __future__ import annotations

import pytest
from nicegui.element import Element

from tests.bench.sim import SimBench
from tests.unit.web.visit import Visit, visitors

CAMERA = "entrance"


def picture(page: Visit) -> Element:
    return next(element for element in page.elements() if element.tag == "img")


async def test_the_live_picture_and_the_snapshot_come_from_the_native_api(bench: SimBench) -> None:
    camera = await bench.camera(CAMERA)
    await camera.shows("running")
    async with visitors(bench) as people:
        await people.account("vic", "viewer")
        page = await people.open("/video", "vic")
        live = picture(page).props["data-live"]
        assert "/mjpeg?fps=" in live
        snapshot = next(link for link in page.links() if link.endswith("/snapshot"))
        taken = await bench.http("GET", snapshot)
        assert taken.content.startswith(b"\xff\xd8")
        assert live.startswith(snapshot.removesuffix("/snapshot"))
        await page.type("Live view", False)
        assert picture(page).props["data-live"] == ""
        assert page.buttons("Save") == []
        camera.unplug()
        await camera.shows("no_signal")
        await page.sees("no signal")


async def test_an_administrator_turns_the_picture_and_what_no_camera_can_is_told_beside_its_field(
    bench: SimBench,
) -> None:
    camera = await bench.camera(CAMERA)
    await camera.shows("running")
    async with visitors(bench) as people:
        page = await people.open("/video")
        await page.type("Turn (degrees)", 90)
        await page.press("Save")
        assert next(iter((await bench.param("image")).values()))["rotate"] == 90
        await page.type("Trigger delay (s)", "0")
        await page.press("Save", nth=2)
        assert "(got 0" in page.fault("Trigger delay (s)")
        await page.press("Learn the scene anew")
        await page.sees("learning the scene")


@pytest.mark.board("network_speaker")
async def test_a_board_without_a_camera_has_no_video_page(bench: SimBench) -> None:
    async with visitors(bench) as people:
        assert await people.status("/video") == 404
        assert "/video" not in (await people.open("/")).links()
