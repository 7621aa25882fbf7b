"""Network, discovery, time and location: what is so, what may be set, and what is wrong with it."""

from __future__ import annotations

import json

from nicegui.element import Element

from firmware.core.vocabulary.device import NetworkState
from tests.bench.sim import SimBench
from tests.unit.web.visit import Visit, visitors


def forms(page: Visit) -> dict[str, Element]:
    return {each.props["data-path"]: each for each in page.elements() if "data-path" in each.props}


async def test_a_static_address_is_checked_beside_its_field_and_saved(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/network")
        assert "127.0.0.1/8" in page.text
        await page.type("Address by", "static")
        await page.press("Save")
        await page.sees("boot_proto static needs an address")
        await page.type("Static address", "192.0.2.400")
        await page.press("Save")
        assert "such as 192.168.0.90" in page.fault("Static address")
        await page.type("Static address", "192.0.2.40")
        await page.type("Name servers, one a line", "192.0.2.1\n192.0.2.2")
        await page.press("Save")
        kept = await bench.param("network")
        assert (kept["boot_proto"], kept["address"]) == ("static", "192.0.2.40")
        assert kept["dns"] == ["192.0.2.1", "192.0.2.2"]


async def test_a_cable_that_is_pulled_is_told_at_once(bench: SimBench) -> None:
    async with visitors(bench) as people, bench.cable() as cable:
        page = await people.open("/network")
        await bench.until(lambda: any(state.up for state in bench.states(NetworkState.topic)))
        cable.unplug()
        await bench.until(lambda: not any(state.up for state in bench.states(NetworkState.topic)))
        down = bench.states(NetworkState.topic)[0]
        await page.sees(down.detail or "no network")


async def test_what_a_ping_found_is_told(bench: SimBench) -> None:
    answer = {"host": "gate", "address": "192.0.2.9", "sent": 4, "received": 2}
    echoes = [{"took_ms": 2.0, "trouble": ""}, {"took_ms": None, "trouble": ""}, {"took_ms": 4.0, "trouble": ""}]
    async with visitors(bench) as people:
        page = await people.open("/network")
        assert set(forms(page)) == {"/api/v1/ping", "/api/v1/port-check"}
        body = json.dumps({**answer, "echoes": echoes})
        await page.cause(forms(page)["/api/v1/ping"], "sent", {"status": 200, "body": body})
        assert "gate (192.0.2.9): 2 of 4 answered, 3.0 ms" in page.text
        await people.account("otto", "operator")
        assert [await people.status(path, "otto") for path in ("/network", "/time")] == [403, 403]


async def test_the_time_is_shown_in_the_time_zone_that_is_chosen(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/time")
        assert "UTC (UTC+0 h)" in page.text
        await page.type("Time zone", "Asia/Kathmandu")
        await page.type("What people call this device", "Back door")
        await page.press("Save")
        kept = await bench.param("place")
        assert (kept["name"], kept["time_zone"]) == ("Back door", "Asia/Kathmandu")
        await page.sees("Asia/Kathmandu (UTC+5.75 h)")
        await bench.params("place", name="Side door")
        await page.sees(lambda _: page.field("What people call this device").value == "Side door")


async def test_a_change_of_the_network_that_is_tried_is_shown_and_can_be_taken_back(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/network")
        await page.sees("in use")
        await bench.change_from_inside("network", boot_proto="static", address="10.1.2.3")
        await page.sees("being tried; taken back in 120 s")
        await page.press("Go back")
        await bench.until(lambda: bench.kept("network")["address"] == "")
        await page.sees("the last change was taken back: as asked")


async def test_the_clock_is_set_by_hand_in_the_zone_of_the_place_or_it_is_said_why_not(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/time")
        label = "Date and time at the device, such as 2026-01-31 12:00:00"
        await page.type(label, "yesterday")
        await page.press("Set the clock")
        assert any("'yesterday' is not like" in said for said in page.told)
        await page.type(label, "2026-07-01 12:00:00")
        await page.press("Set the clock")
        await bench.until(lambda: any("switch clock.ntp off first" in said for said in page.told))
