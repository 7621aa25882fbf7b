"""The external reader on RS-485: to whoever stands before the door it is a reader like any other."""

from __future__ import annotations

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
KEY = bytes.fromhex("8D2C5E91F07A4B36C1D84E0F7B92A365")


async def test_a_known_card_at_the_external_reader_opens_the_door_with_green_light_there(bench: SimBench) -> None:
    bench.needs("reader:external", "relay:door")
    await bench.pair("external", KEY)
    await bench.enrol(card=CARD)
    await bench.reader("external").swipe(CARD)
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    await bench.settle()
    assert len(bench.reader("external").led.shown("green")) == 1
    assert bench.relay("door").edges() == 2
    [card] = bench.events("access/card")
    assert (card.reader, card.door) == ("reader2", "door")


async def test_an_unknown_card_and_a_pin_at_the_external_reader_are_decided_as_anywhere(bench: SimBench) -> None:
    await bench.pair("external", KEY)
    await bench.enrol(pin="4711")
    await bench.reader("external").swipe(CARD)
    await bench.event("access/denied", reader="reader2")
    assert bench.relay("door").edges() == 0
    await bench.reader("external").keys("4711#")
    await bench.event("access/granted", reader="reader2")
    await bench.relay("door").pulse()


async def test_row_7_whatever_happens_to_its_cable_the_door_stays_locked_and_the_other_reader_works(
    bench: SimBench,
) -> None:
    await bench.pair("external", KEY)
    await bench.enrol(card=CARD)
    external = bench.reader("external")
    external.unplug()
    await bench.advance(2.0)
    external.plug()
    external.fault("garbage")
    await bench.advance(2.0)
    external.fault("none")
    bench.world.find("serial:rs485").unplug()
    await bench.advance(2.0)
    assert bench.relay("door").edges() == 0
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    bench.world.find("serial:rs485").plug()
    await bench.advance(3.0)
    edges = bench.relay("door").edges()
    await external.swipe(CARD)
    await bench.until(lambda: bench.relay("door").edges() == edges + 2)
