"""Keys of the external reader: clear text refused, first keys, rotations, what the reader remembers (rows 1 to 5)."""

from __future__ import annotations

import asyncio

import pytest
from osdp_scene import CARD, CARD_BITS, KEY, OTHER_KEY, Notes, Scene, play

from hal.errors import DeviceError, NoReply, OutOfRange
from hal.types import LinkPhase, LinkSettings


def test_row_1_a_reader_without_secure_channel_is_refused_unless_clear_text_is_allowed() -> None:
    async def test(scene: Scene) -> None:
        port, reader = scene.port(), scene.reader()
        reader.fault("no_secure")
        notes = Notes.of(port)
        port.connect(LinkSettings(keys=(KEY,)))
        await scene.until(lambda: port.link.phase is LinkPhase.NOT_CONNECTED, 2.0)
        assert "secure" in port.link.reason
        await reader.swipe(CARD)
        await scene.clock.sleep(10)
        assert notes.cards == []
        port.connect(LinkSettings())
        await scene.clock.sleep(10)
        assert port.link.phase is LinkPhase.NOT_CONNECTED
        assert notes.cards == []
        port.connect(LinkSettings(plain=True))
        await scene.connected(port)
        assert not port.link.secure
        await reader.swipe(CARD)
        await scene.clock.sleep(0.5)
        assert notes.cards[-1:] == [CARD_BITS]

    play(test)


def test_row_2_a_reader_seen_secure_never_gets_clear_text_however_its_abilities_are_edited(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        notes = Notes.of(port)
        scene.reader().fault("downgrade")
        scene.reader().power_cycle()
        port.connect(LinkSettings(plain=True))
        await scene.clock.sleep(5)
        await scene.reader().swipe(CARD)
        await scene.clock.sleep(5)
        assert port.link.phase is LinkPhase.NOT_CONNECTED
        assert port.link.reason
        assert notes.cards == []

    play(test)
    assert [record for record in caplog.records if "tampers" in record.getMessage()]


def test_row_3_a_fresh_reader_gets_its_first_key_only_when_it_is_installed_and_uses_it_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(scene: Scene) -> None:
        port, reader = scene.port(), scene.reader()
        port.connect(LinkSettings())
        await scene.clock.sleep(5)
        assert port.link.phase is LinkPhase.NOT_CONNECTED
        assert reader.memory.key is None
        await port.install(KEY)
        assert reader.memory.key == KEY
        await scene.connected(port)
        assert port.link.secure
        reader.power_cycle()
        await scene.clock.sleep(3)
        assert port.link.phase is LinkPhase.CONNECTED
        assert port.link.secure
        with pytest.raises((DeviceError, NoReply)):
            await port.install(OTHER_KEY)
        assert reader.memory.key == KEY

    play(test)
    assert [record for record in caplog.records if "tampers" in record.getMessage()] == []


def test_an_installation_may_follow_the_connection_at_once_and_without_a_port_it_says_so() -> None:
    async def test(scene: Scene) -> None:
        port = scene.port()
        port.connect(LinkSettings())
        waiting = asyncio.ensure_future(port.install(KEY))
        await scene.clock.sleep(0)
        port.disconnect()
        with pytest.raises(NoReply, match="switched off"):
            await waiting
        port.connect(LinkSettings())
        await port.install(KEY)
        assert scene.reader().memory.key == KEY
        scene.bus().unplug()
        await scene.clock.sleep(1)
        with pytest.raises(NoReply, match="plugged"):
            await port.install(OTHER_KEY)

    play(test)


def test_row_4_a_weak_key_is_refused_and_the_link_stays_as_it_was() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        for weak in (bytes(16), bytes(range(16)), bytes(range(0x30, 0x40))):
            with pytest.raises(OutOfRange, match="key"):
                port.connect(LinkSettings(keys=(weak,)))
            with pytest.raises(OutOfRange, match="key"):
                await port.set_key(weak)
        await scene.clock.sleep(1)
        assert port.link.phase is LinkPhase.CONNECTED
        assert scene.reader().memory.key == KEY

    play(test)


def test_row_5_a_key_is_rotated_inside_the_secure_channel_and_no_frame_shown_holds_it() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        notes = Notes.of(port, frames=True)
        heard = _Ear(scene)
        await port.set_key(OTHER_KEY)
        assert scene.reader().memory.key == OTHER_KEY
        await scene.clock.sleep(2)
        assert port.link.phase is LinkPhase.CONNECTED
        scene.reader().power_cycle()
        await scene.clock.sleep(3)
        assert port.link.phase is LinkPhase.CONNECTED
        assert port.link.secure
        assert any("KEYSET" in frame.text for frame in notes.frames)
        for frame in notes.frames:
            assert frame.bus == "rs485"
            assert OTHER_KEY not in frame.data
            assert OTHER_KEY.hex() not in frame.text.lower()
        assert OTHER_KEY not in bytes(heard.heard)

    play(test)


class _Ear:
    """Somebody who listens on the bus."""

    def __init__(self, scene: Scene) -> None:
        self.baud = 9600
        self.heard = bytearray()
        scene.bus().stations.append(self)

    def hear(self, t_ns: int, data: bytes) -> None:
        self.heard += data


def test_a_key_that_the_reader_does_not_have_is_a_reason_and_the_spare_key_of_a_rotation_works() -> None:
    async def test(scene: Scene) -> None:
        port, reader = scene.port(), scene.reader()
        reader.memory.key = KEY
        reader.power_cycle()
        port.connect(LinkSettings(keys=(OTHER_KEY,)))
        await scene.until(lambda: port.link.phase is LinkPhase.NOT_CONNECTED, 3.0)
        assert "key" in port.link.reason
        port.connect(LinkSettings(keys=(OTHER_KEY, KEY)))
        await scene.connected(port, 5.0)
        assert (port.link.secure, port.link.key) == (True, 1)

    play(test)


@pytest.mark.parametrize("taken", [True, False])
def test_a_rotation_that_the_port_interrupts_leaves_a_link_whichever_key_the_reader_has(taken: bool) -> None:
    async def test(scene: Scene) -> None:
        port, reader = await scene.keyed(), scene.reader()
        rotation = asyncio.ensure_future(port.set_key(OTHER_KEY))
        if taken:
            await scene.until(lambda: reader.memory.key == OTHER_KEY, 1.0)
        else:
            await scene.clock.sleep(0.01)
        scene.bus().unplug()
        with pytest.raises(NoReply):
            await rotation
        assert reader.memory.key == (OTHER_KEY if taken else KEY)
        await scene.clock.sleep(2)
        scene.bus().plug()
        await scene.connected(port, 5.0)
        assert port.link.secure

    play(test)


def test_row_3_a_reader_that_forgot_its_key_is_refused_and_never_given_one_by_itself() -> None:
    async def test(scene: Scene) -> None:
        port, reader = scene.port(), scene.reader()
        notes = Notes.of(port)
        port.connect(LinkSettings())
        reader.fault("forgets_key")
        await port.install(KEY)
        await scene.connected(port)
        reader.power_cycle()
        await scene.clock.sleep(10)
        assert port.link.phase is LinkPhase.NOT_CONNECTED
        assert port.link.reason
        assert reader.memory.key is None
        await reader.swipe(CARD)
        await scene.clock.sleep(1)
        assert notes.cards == []

    play(test)


def test_a_reader_keeps_its_memory_without_power_and_loses_it_only_when_it_is_reset() -> None:
    async def test(scene: Scene) -> None:
        port, reader = await scene.keyed(), scene.reader()
        reader.tamper()
        scene.world.power(False)
        assert (reader.led.colour, reader.state()["keyed"]) == ("off", True)
        scene.world.power(True)
        await scene.connected(port, 4.0)
        assert port.link.secure
        assert reader.state()["tampered"]
        reader.factory_reset()
        assert (reader.state()["keyed"], reader.memory.address) == (False, 0)

    play(test)
