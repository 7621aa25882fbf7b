"""Maintenance: what cannot be undone asks first, an upload that is refused says why, an upgrade is seen as it goes."""

from __future__ import annotations

import json
from typing import Any

from nicegui.element import Element

from firmware.core.vocabulary.upgrade import SlotView, UpgradeStage, UpgradeState
from tests.bench.sim import SimBench
from tests.unit.web.visit import Visit, visitors


def marked(page: Visit, name: str) -> list[Any]:
    return [element.props[name] for element in page.elements() if name in element.props]


def form(page: Visit) -> Element:
    return next(element for element in page.elements() if "data-path" in element.props)


async def test_a_restart_asks_first_and_then_restarts_the_device(bench: SimBench) -> None:
    starts = bench.starts
    async with visitors(bench) as people:
        page = await people.open("/maintenance")
        await page.press("Restart")
        await page.press("Cancel")
        await bench.settle()
        assert bench.starts == starts
        await page.press("Restart")
        await page.press("Restart", nth=1)
    await bench.restarted(starts)


async def test_a_restore_forgets_the_settings_but_those_of_the_network(bench: SimBench) -> None:
    await bench.params("network", router="192.0.2.1")
    await bench.enrol("H10301:1:2")
    starts = bench.starts
    async with visitors(bench) as people:
        page = await people.open("/maintenance")
        await page.press("Restore")
        await page.press("Restore", nth=1)
    await bench.restarted(starts)
    assert (await bench.param("network"))["router"] == "192.0.2.1"
    assert (await bench.api("GET", "/entries")).json()["total"] == 0


async def test_an_upload_goes_to_the_native_api_and_its_refusal_is_told_in_the_form(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/maintenance")
        assert form(page).props["data-path"] == "/api/v1/upgrade"
        refused = {"error": {"code": "busy", "where": "upgrade", "message": "an upgrade is under way"}}
        await page.cause(form(page), "sent", {"status": 409, "body": json.dumps(refused)})
        assert "Busy: upgrade: an upgrade is under way" in page.text
        await page.cause(form(page), "sent", {"status": 0, "body": ""})
        assert "The file did not arrive. Is the device still there?" in page.text
        await page.cause(form(page), "sent", {"status": 202, "body": '{"version": "2.0.0"}'})
        assert page.told == ["The device restarts into version 2.0.0."]
        assert "The file did not arrive. Is the device still there?" not in page.text


async def test_an_upgrade_shows_its_progress_and_counts_down_until_it_is_confirmed(bench: SimBench) -> None:
    slots = (SlotView(slot="A", state="good", version="1"), SlotView(slot="B", state="trial", version="2"))
    async with visitors(bench) as people:
        page = await people.open("/maintenance")
        assert page.buttons("Confirm the firmware") == []
        bus = bench.control_bus
        bus.publish(
            UpgradeState(stage=UpgradeStage.INSTALLING, running="A", slots=slots, rollback_ok=False, progress=40)
        )
        await page.sees("being installed")
        assert 40 in marked(page, "value")
        trial = UpgradeState(
            stage=UpgradeStage.TRIAL, running="B", slots=slots, rollback_ok=False, target="2", confirm_left_s=125
        )
        bus.publish(trial)
        await page.sees("on trial (2)")
        assert marked(page, "data-left") == [125]
        await page.press("Confirm the firmware")
        await page.sees("no firmware is on trial")


async def test_whoever_is_no_administrator_neither_sees_nor_gets_maintenance(bench: SimBench) -> None:
    async with visitors(bench) as people:
        await people.account("otto", "operator")
        assert await people.status("/maintenance", "otto") == 403
        assert "/maintenance" not in (await people.open("/", "otto")).links()
