"""Two readers on one bus: what happens to one is nothing to the other."""

from __future__ import annotations

import pytest
from osdp_scene import CARD, CARD_BITS, KEY, OTHER_KEY, TWO_READERS, Notes, Scene, play

from hal.errors import OutOfRange
from hal.types import LinkPhase, LinkSettings


async def both(scene: Scene) -> tuple[Notes, Notes]:
    """Both readers connected, each with a key of its own."""
    outside, inside = scene.reader("outside"), scene.reader("inside")
    outside.memory.key = KEY
    inside.memory.address, inside.memory.key = 1, OTHER_KEY
    outside.power_cycle()
    inside.power_cycle()
    notes = Notes.of(scene.port("reader1")), Notes.of(scene.port("reader2"))
    scene.port("reader1").connect(LinkSettings(keys=(KEY,)))
    scene.port("reader2").connect(LinkSettings(address=1, keys=(OTHER_KEY,)))
    await scene.connected(scene.port("reader1"))
    await scene.connected(scene.port("reader2"))
    return notes


def test_each_reader_reports_its_own_cards_whoever_comes_first() -> None:
    async def test(scene: Scene) -> None:
        one, two = await both(scene)
        scene.reader("inside").swipe("H10301:2:2")
        await scene.reader("outside").swipe(CARD)
        await scene.clock.sleep(0.5)
        assert one.cards == [CARD_BITS]
        assert len(two.cards) == 1
        assert two.cards != one.cards

    play(test, TWO_READERS)


@pytest.mark.parametrize("how", ["unplug", "dead", "garbage"])
def test_row_7_a_cut_cable_is_offline_within_two_seconds_and_the_rest_of_the_bus_continues(how: str) -> None:
    async def test(scene: Scene) -> None:
        _, two = await both(scene)
        if how == "unplug":
            scene.reader("outside").unplug()
        else:
            scene.reader("outside").fault(how)
        await scene.until(lambda: scene.port("reader1").link.phase is LinkPhase.NOT_CONNECTED, 2.0)
        assert LinkPhase.NOT_CONNECTED not in two.phases
        for _ in range(5):
            await scene.reader("inside").swipe(CARD)
            await scene.clock.sleep(1)
        assert two.cards == [CARD_BITS] * 5
        scene.reader("outside").plug() if how == "unplug" else scene.reader("outside").clear()
        await scene.connected(scene.port("reader1"), 1.0)
        assert scene.port("reader1").link.secure

    play(test, TWO_READERS)


@pytest.mark.parametrize("how", ["short", "garbage"])
def test_row_7_on_a_shorted_bus_every_reader_is_offline_within_two_seconds_and_back_afterwards(how: str) -> None:
    async def test(scene: Scene) -> None:
        one, two = await both(scene)
        scene.bus().fault(how)
        for node in ("reader1", "reader2"):
            await scene.until(lambda node=node: scene.port(node).link.phase is LinkPhase.NOT_CONNECTED, 2.0)  # type: ignore[misc]
        await scene.clock.sleep(20)
        scene.bus().clear()
        for node in ("reader1", "reader2"):
            await scene.connected(scene.port(node), 1.5)
        assert one.facts == two.facts == []

    play(test, TWO_READERS)


def test_two_readers_of_one_bus_need_two_addresses_and_one_rate() -> None:
    async def test(scene: Scene) -> None:
        await both(scene)
        with pytest.raises(OutOfRange, match="address 1 of rs485 is already that of reader2"):
            scene.port("reader1").connect(LinkSettings(address=1))
        with pytest.raises(OutOfRange, match="19200 baud, but reader2 on the same bus has 9600"):
            scene.port("reader1").connect(LinkSettings(address=0, baud=19200))
        await scene.clock.sleep(2)
        for node in ("reader1", "reader2"):
            assert scene.port(node).link.phase is LinkPhase.CONNECTED
        scene.port("reader1").disconnect()
        await scene.clock.sleep(5)
        assert scene.port("reader2").link.phase is LinkPhase.CONNECTED

    play(test, TWO_READERS)


def test_a_reader_moves_to_another_address_of_the_same_bus_without_disturbing_the_other() -> None:
    async def test(scene: Scene) -> None:
        _, two = await both(scene)
        outside = scene.reader("outside")
        outside.memory.address = 9
        outside.power_cycle()
        scene.port("reader1").connect(LinkSettings(address=9, keys=(KEY,)))
        await scene.connected(scene.port("reader1"))
        assert scene.port("reader1").link.address == 9
        assert two.phases[-1] is LinkPhase.CONNECTED
        assert LinkPhase.NOT_CONNECTED not in two.phases

    play(test, TWO_READERS)
