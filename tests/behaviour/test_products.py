"""Every shipped product starts on the simulator, says what it is, shows it is well, and explains itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.app import explain
from firmware.interfaces.carrier import CarrierService
from hal.board import board_names
from tests.bench.sim import SimBench

PRODUCTS = [name for name in board_names() if not name.startswith("_")]
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_explains_itself_as_its_golden_file_says(product: str) -> None:
    """A change of a golden file goes with a line in CHANGELOG.md (tests/unit/test_changelog.py)."""
    assert explain(product) == (GOLDEN / f"{product}.txt").read_text()


def test_there_is_a_golden_file_for_every_product_and_no_other() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted(PRODUCTS)


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
    bench: SimBench, tmp_path: Path
) -> None:
    cable = tmp_path / "eth0"
    cable.mkdir()
    (cable / "type").write_text("1\n")
    (cable / "carrier").write_text("0\n")
    async with bench.also(lambda core: CarrierService(core, tmp_path)):
        await bench.advance(5.0)
        assert bench.light("status").shown("red")
        assert bench.light("status").shown("amber")
        (cable / "carrier").write_text("1\n")
        await bench.event("device/network", up=True)
        red = len(bench.light("status").shown("red"))
        await bench.advance(5.0)
        assert len(bench.light("status").shown("red")) <= red + 1
