"""Every shipped product starts, says what it is, and shows that it is well."""

from __future__ import annotations

import pytest

from tests.bench.sim import SimBench


async def starts(bench: SimBench) -> None:
    state = (await bench.api("GET", "/state")).json()["states"]
    by_topic = {each["topic"]: each for each in state}
    assert by_topic["device/phase"]["phase"] == "normal"
    assert [each for each in state if each["topic"] == "station/service" and each["phase"] == "failed"] == []
    await bench.advance(1.0)
    assert bench.light("status").colour == "green"


@pytest.mark.board("door_station")
async def test_the_door_station_starts_and_shows_green(bench: SimBench) -> None:
    await starts(bench)
    bench.needs("reader:front", "relay:door", "port:io1", "port:io4", "contact:door", "input:rex", "button:control")


@pytest.mark.board("horn_speaker")
async def test_the_horn_speaker_starts_and_shows_green(bench: SimBench) -> None:
    await starts(bench)


@pytest.mark.board("network_speaker")
async def test_the_network_speaker_starts_and_shows_green_then_nothing(bench: SimBench) -> None:
    await starts(bench)
    await bench.advance(15.0)
    assert bench.light("status").colour == "off"


@pytest.mark.board("plate_camera")
async def test_the_plate_camera_starts_and_shows_green_for_ten_seconds(bench: SimBench) -> None:
    await starts(bench)
    await bench.advance(15.0)
    assert bench.light("status").colour == "off"


@pytest.mark.board("ptz_dome")
async def test_the_ptz_dome_starts_and_shows_green_for_ten_seconds(bench: SimBench) -> None:
    await starts(bench)
    await bench.advance(15.0)
    assert bench.light("status").colour == "off"


@pytest.mark.board("plate_camera")
async def test_a_camera_flashes_amber_and_red_while_its_cable_is_out_and_stops_when_it_is_back(
    bench: SimBench,
) -> None:
    async with bench.cable() as cable:
        cable.unplug()
        await bench.event("device/network", up=False)
        await bench.advance(5.0)
        assert bench.light("status").shown("red")
        assert bench.light("status").shown("amber")
        cable.plug()
        await bench.event("device/network", up=True)
        red = len(bench.light("status").shown("red"))
        await bench.advance(5.0)
        assert len(bench.light("status").shown("red")) <= red + 1
