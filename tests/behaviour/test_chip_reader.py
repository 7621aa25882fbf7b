"""A door whose reader tells chips: serial numbers and data on cards, from the module's serial line to the strike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.sim import SimBench

pytestmark = pytest.mark.board(str(Path(__file__).parent / "boards" / "chip_door.toml"))
KEY = "A0A1A2A3A4A5"
BADGE = {
    "name": "badge",
    "chip": "block-chip",
    "required": True,
    "offset_bits": 8,
    "length_bits": 32,
    "place": {"kind": "block", "block": 4, "key": "site"},
}


async def test_a_serial_number_opens_and_is_the_latest_card(bench: SimBench) -> None:
    await bench.enrol(card="UID:04A1B2C3")
    await bench.reader("built_in").swipe("page-chip:04A1B2C3")
    bench.measure("door.release_s", (await bench.relay("door").pulse()).width_s, 7.0)
    latest = (await bench.api("GET", "/readers/latest?reverse=1")).json()
    assert (latest["chip"], latest["uid"], latest["reversed"]) == ("page-chip", "C3B2A104", True)
    await bench.params("chips", reverse_csn=True)
    await bench.reader("built_in").swipe("page-chip:C3B2A104")
    await bench.settle()
    assert len(bench.events("access/granted")) == 2


async def test_data_behind_a_key_opens_and_a_card_without_it_is_denied(bench: SimBench) -> None:
    await bench.enrol(card="UID:11223344")
    changed = await bench.params("chips", keys={"site": KEY}, data_sets=[BADGE])
    assert changed.status_code == 200, changed.text
    assert KEY not in changed.text
    await bench.settle()
    reader, door = bench.reader("built_in"), bench.relay("door")
    await reader.swipe(f"block-chip:01020304;b4@{KEY}=FF1122334455")
    bench.measure("door.release_s", (await door.pulse()).width_s, 7.0)
    await reader.swipe("block-chip:11223344;b4@FFFFFFFFFFFF=FF1122334455")
    denied = await bench.event("access/denied")
    assert denied.reason == "required card data is missing"
    await bench.restart()
    await bench.settle()
    await reader.swipe(f"block-chip:01020305;b4@{KEY}=001122334400")
    await bench.event("access/granted")


async def test_a_chip_type_that_is_not_active_is_not_there(bench: SimBench) -> None:
    await bench.params("chips", active=["page-chip"])
    await bench.reader("built_in").swipe("block-chip:01020304")
    await bench.advance(2.0)
    assert bench.events("access/card") == []


async def test_a_pin_at_the_modules_keypad_opens(bench: SimBench) -> None:
    await bench.enrol(card="UID:04A1B2C3", pin="4711")
    await bench.reader("built_in").swipe("page-chip:04A1B2C3")
    await bench.reader("built_in").keys("4711#")
    bench.measure("door.release_s", (await bench.relay("door").pulse()).width_s, 7.0)
