"""The external reader: our port and its driver on a byte-paced bus, the reader on the wall with a mind of its own."""

from __future__ import annotations

import asyncio
import logging

import pytest
from osdp_scene import CARD, CARD_BITS, Notes, Scene, play

from hal.errors import DeviceError, NoReply, OutOfRange
from hal.osdp.panel import Panel
from hal.sim.cards import card_bits
from hal.types import OFF, Colour, LinkPhase, LinkSettings, Pattern


def test_a_reader_is_silent_until_it_is_connected_and_again_afterwards() -> None:
    async def test(scene: Scene) -> None:
        port, bus = scene.port(), scene.bus()
        await scene.clock.sleep(60)
        assert port.link.phase is LinkPhase.OFF
        assert bus.state()["path"] is None
        await scene.keyed()
        port.disconnect()
        port.disconnect()
        await scene.clock.sleep(0.5)  # what was on the line has been said
        talked = len(bus.trace.points)
        await scene.clock.sleep(60)
        assert port.link.phase is LinkPhase.OFF
        assert len(bus.trace.points) == talked

    play(test)


@pytest.mark.parametrize("baud", [9600, 115200])
def test_cards_and_keys_come_through_the_secure_channel_with_all_their_bits_in_order(baud: int) -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed(baud)
        notes = Notes.of(port)
        assert port.link.secure
        assert (port.link.key, port.link.address, port.link.baud) == (0, 0, baud)
        assert port.link.serial
        assert scene.bus().baud == baud
        cards = [CARD, "H10304:118:1603", "1" * 64, "10" * 100]
        for card in cards:
            await scene.reader().swipe(card)
        await scene.reader().keys("12*34#")
        await scene.clock.sleep(0.5)
        assert notes.cards == [card_bits(card) for card in cards]
        assert notes.keys == "12*34#"
        assert {fact.reader for fact in notes.facts} == {"reader2"}
        assert port.link.retries == port.link.check_errors == 0
        assert 0 < port.link.round_trip_us < 200_000

    play(test)


def test_a_card_longer_than_any_in_use_is_counted_and_not_a_card() -> None:
    async def test(scene: Scene) -> None:
        notes = Notes.of(await scene.keyed())
        scene.reader()._report(_raw(300))
        await scene.reader().swipe(CARD)
        await scene.clock.sleep(0.5)
        assert notes.cards == [CARD_BITS]
        assert len(notes.facts) == 2

    play(test)


def _raw(count: int) -> object:
    from hal.osdp.replies import Raw

    return Raw(0, 0, "1" * count)


def test_a_dead_reader_is_noticed_within_two_seconds_and_back_within_one_of_answering_again() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        notes = Notes.of(port)
        scene.reader().fault("dead")
        await scene.until(lambda: port.link.phase is LinkPhase.NOT_CONNECTED, 2.0)
        assert port.link.reason
        await scene.clock.sleep(30)
        scene.reader().clear()
        await scene.connected(port, 1.0)
        assert port.link.secure
        assert notes.phases[-2:] == [LinkPhase.NOT_CONNECTED, LinkPhase.CONNECTED]
        await scene.reader().swipe(CARD)
        assert notes.cards == [CARD_BITS]

    play(test)


def test_a_reader_that_lost_its_supply_for_a_moment_is_back_within_three_seconds_with_its_light() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        assert port.led is not None
        port.led.show(Pattern.steady(Colour.BLUE))
        await scene.clock.sleep(0.5)
        scene.reader().power_cycle()
        assert scene.reader().led.colour == "off"
        await scene.until(lambda: scene.reader().led.colour == "blue", 3.0)
        assert port.link.phase is LinkPhase.CONNECTED
        assert port.link.secure

    play(test)


@pytest.mark.parametrize(("share", "outage_s"), [(0.01, 2.0), (0.05, 5.0)])
def test_light_noise_costs_no_card_at_one_and_doubles_none_at_five_in_a_hundred(share: float, outage_s: float) -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        notes = Notes.of(port)
        bus = scene.bus()
        bus.flip_share = share
        bus.fault("flips")
        shown = [f"H10301:7:{number}" for number in range(1, 41)]
        away_s = [0.0]

        def look() -> None:
            away_s[-1] += 0.05
            if port.link.phase is LinkPhase.CONNECTED:
                away_s.append(0.0)

        for card in shown:
            await scene.reader().swipe(card)
            for _ in range(24):
                await scene.clock.sleep(0.05)
                look()
        bus.clear()
        await scene.connected(port, outage_s)
        await scene.clock.sleep(1.0)
        bits = [card_bits(card) for card in shown]
        assert len(notes.cards) == len(set(notes.cards))
        assert [card for card in bits if card in notes.cards] == notes.cards
        assert max(away_s) <= outage_s
        if share == 0.01:
            assert notes.cards == bits
        assert port.link.retries > 0

    play(test)


def test_a_light_is_steady_or_two_colours_in_turn_and_starts_as_soon_as_the_reader_is_there() -> None:
    async def test(scene: Scene) -> None:
        port, lamp = scene.port(), scene.reader().led
        led = port.led
        assert led is not None
        led.show(Pattern.steady(Colour.AMBER))
        assert led.shown() == Pattern.steady(Colour.AMBER)
        await scene.clock.sleep(5)
        assert lamp.colour == "off"
        await scene.keyed()
        await scene.until(lambda: lamp.colour == "amber", 0.5)
        for colour in sorted(led.colours - {Colour.OFF}):
            led.show(Pattern.steady(colour))
            await scene.until(lambda colour=colour: lamp.colour == colour.value, 0.5)  # type: ignore[misc]
        led.show(Pattern.flash(Colour.RED, Colour.GREEN, on_ms=300))
        await scene.clock.sleep(0.3)
        begin_s = scene.world.now_s
        await scene.clock.sleep(3)
        pulses = [pulse for pulse in lamp.trace.pulses(begin_s) if pulse.t_s > begin_s]
        assert {pulse.value for pulse in pulses} == {"red", "green"}
        assert {round(pulse.width_s, 6) for pulse in pulses} == {0.3}
        led.show(OFF)
        await scene.until(lambda: lamp.colour == "off", 0.5)
        with pytest.raises(OutOfRange, match="two colours"):
            led.show(Pattern.flash(Colour.RED, Colour.GREEN, Colour.BLUE, on_ms=100))
        assert led.shown() == OFF

    play(test)


def test_of_many_wishes_in_a_hurry_the_last_one_stands() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        assert port.led is not None
        for _ in range(500):
            for colour in (Colour.RED, Colour.GREEN, Colour.BLUE):
                port.led.show(Pattern.steady(colour))
        port.led.show(Pattern.steady(Colour.WHITE))
        await scene.until(lambda: scene.reader().led.colour == "white", 1.0)

    play(test)


def test_the_beeper_sounds_until_it_is_told_otherwise() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        beeper = port.beeper
        assert beeper is not None
        beeper.on()
        await scene.until(lambda: scene.reader().beeper.trace.value, 0.5)
        await scene.clock.sleep(5)
        assert len(scene.reader().beeper.trace.points) == 2
        beeper.off()
        await scene.until(lambda: not scene.reader().beeper.trace.value, 0.5)
        assert not beeper.is_on()

    play(test)


def test_text_and_outputs_reach_the_reader_and_what_it_cannot_do_is_said() -> None:
    async def test(scene: Scene) -> None:
        port, reader = scene.port(), scene.reader()
        with pytest.raises(NoReply, match="switched off"):
            await port.show_text("hello")
        await scene.keyed()
        await port.show_text("Welcome home")
        assert reader.text.trace.value == "Welcome home"
        await port.show_text("One moment", for_s=2)
        await scene.clock.sleep(3)
        assert "One moment" in [value for _, value in reader.text.trace.points]
        assert reader.text.trace.value != "One moment"
        await port.set_output(0, True)
        assert reader.output.trace.value
        await port.set_output(0, False)
        await port.set_output(0, True, for_s=1.5)
        await scene.clock.sleep(3)
        assert round(reader.output.trace.pulses()[-1].width_s, 6) == 1.5
        with pytest.raises(OutOfRange, match="output 7; the reader has outputs 0 to 0"):
            await port.set_output(7, True)
        with pytest.raises(OutOfRange, match="32 printable"):
            await port.show_text("x" * 33)
        with pytest.raises(OutOfRange, match="32 printable"):
            await port.show_text("Grüezi")
        scene.reader().fault("dead")
        with pytest.raises(NoReply):
            await port.show_text("lost")

    play(test)


def test_tamper_and_inputs_are_told_once_and_when_they_change() -> None:
    async def test(scene: Scene) -> None:
        notes = Notes.of(scene.port())
        await scene.keyed()
        await scene.clock.sleep(0.5)
        assert notes.conditions[-1].tamper is False
        scene.reader().tamper()
        await scene.until(lambda: notes.conditions[-1].tamper, 1.0)
        scene.reader().set_input(True)
        await scene.until(lambda: notes.conditions[-1].inputs == (True,), 1.0)
        count = len(notes.conditions)
        await scene.clock.sleep(10)
        assert len(notes.conditions) == count
        scene.reader().tamper()
        await scene.until(lambda: not notes.conditions[-1].tamper, 1.0)

    play(test)


def test_settings_a_bus_cannot_do_are_refused_with_the_valid_ones() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        with pytest.raises(OutOfRange, match="address 127 is not between 0 and 126"):
            port.connect(LinkSettings(address=127))
        with pytest.raises(OutOfRange, match="1200 baud; valid: 9600, 19200"):
            port.connect(LinkSettings(baud=1200))
        await scene.clock.sleep(2)
        assert port.link.phase is LinkPhase.CONNECTED

    play(test)


def test_a_search_finds_address_and_rate_and_is_refused_while_the_link_is_on() -> None:
    async def test(scene: Scene) -> None:
        port, reader = scene.port(), scene.reader()
        reader.memory.address, reader.memory.baud = 5, 38400
        reader.power_cycle()
        found = await port.find(range(8), (9600, 38400, 115200))
        assert [(peer.address, peer.baud, peer.can_secure) for peer in found] == [(5, 38400, True)]
        assert found[0].serial
        assert scene.bus().state()["path"] is not None
        assert port.link.phase is LinkPhase.OFF
        port.connect(LinkSettings(address=5, baud=38400, plain=True))
        await scene.connected(port)
        with pytest.raises(DeviceError, match="is on"):
            await port.find((5,), (38400,))
        with pytest.raises(OutOfRange, match="1200 baud"):
            await port.find((5,), (1200,))

    play(test)


def test_row_7_a_pulled_adapter_is_a_reason_within_a_second_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        notes = Notes.of(port)
        assert port.led is not None
        scene.bus().unplug()
        await scene.until(lambda: port.link.phase is LinkPhase.NOT_CONNECTED, 1.0)
        assert "gone" in port.link.reason or "plugged" in port.link.reason
        port.led.show(Pattern.steady(Colour.GREEN))
        with pytest.raises(NoReply):
            await port.show_text("nobody")
        await scene.clock.sleep(10)
        scene.hardware.relays["relay1"].on()
        assert scene.hardware.relays["relay1"].is_on()
        scene.hardware.relays["relay1"].off()
        scene.bus().plug()
        await scene.connected(port, 3.0)
        await scene.until(lambda: scene.reader().led.colour == "green", 1.0)
        await scene.reader().swipe(CARD)
        assert notes.cards == [CARD_BITS]

    play(test)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_an_error_of_our_own_in_the_engine_is_a_reason_and_the_link_is_back_soon(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(scene: Scene) -> None:
        port = await scene.keyed()
        notes = Notes.of(port)
        asked = asyncio.ensure_future(port.show_text("hello"))
        await scene.clock.sleep(0)
        with monkeypatch.context() as broken:
            broken.setattr(Panel, "receive", _fails)
            await scene.until(lambda: port.link.phase is LinkPhase.NOT_CONNECTED, 0.5)
        assert "error of our own" in port.link.reason
        with pytest.raises(NoReply):
            await asked
        await scene.connected(port, 3.0)
        await scene.reader().swipe(CARD)
        assert notes.cards == [CARD_BITS]

    play(test)
    assert any("made anew" in record.getMessage() and record.exc_info for record in caplog.records)


def _fails(*_: object) -> None:
    raise ZeroDivisionError("a mistake of ours")


def test_a_search_that_a_link_interrupts_ends_and_so_does_one_without_a_port() -> None:
    async def test(scene: Scene) -> None:
        port = scene.port()
        search = asyncio.ensure_future(port.find(range(20), (9600, 19200)))
        await scene.clock.sleep(1)
        with pytest.raises(DeviceError, match="a search is running"):
            await port.find((0,), (9600,))
        port.connect(LinkSettings(plain=True))
        with pytest.raises(DeviceError, match="a link was switched on"):
            await search
        await scene.connected(port)
        port.disconnect()
        search = asyncio.ensure_future(port.find(range(20), (9600, 19200)))
        await scene.clock.sleep(1)
        scene.bus().unplug()
        with pytest.raises(NoReply):
            await search
        scene.bus().plug()
        assert len(await port.find((0,), (9600,))) == 1

    play(test)


def test_counts_are_told_at_most_once_a_second() -> None:
    async def test(scene: Scene) -> None:
        notes = Notes.of(scene.port())
        await scene.keyed()
        before = len(notes.links)
        scene.bus().flip_share = 0.2
        scene.bus().fault("flips")
        await scene.clock.sleep(5)
        told = [status for status in notes.links[before:] if status.phase is LinkPhase.CONNECTED]
        assert 1 <= len(told) <= 12
        assert notes.links[-1].retries > 0

    play(test)
