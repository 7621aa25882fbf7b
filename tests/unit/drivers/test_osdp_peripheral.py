"""We are the reader of somebody's panel: our port and its driver, and a panel with a mind of its own, on one bus."""

from __future__ import annotations

import itertools

import pytest
from osdp_scene import CARD, KEY, OTHER_KEY, Scene, play

from hal.errors import DeviceError, OutOfRange
from hal.osdp.facts import Outcome
from hal.sim.cards import card_bits
from hal.types import (
    BusFrame,
    Colour,
    LinkPhase,
    LinkSettings,
    LinkStatus,
    PanelBuzz,
    PanelFact,
    PanelKey,
    PanelLight,
    PanelOutput,
    PanelPlace,
    PanelText,
    Pattern,
)

BITS = card_bits(CARD)


def test_a_port_that_nobody_serves_is_silent_however_a_panel_polls() -> None:
    async def test(scene: Scene) -> None:
        scene.panel().plug()
        await scene.clock.sleep(5)
        assert scene.our_port().link.phase is LinkPhase.OFF
        assert scene.panel().status.phase is not LinkPhase.CONNECTED
        with pytest.raises(DeviceError, match="no panel listens"):
            scene.our_port().card(BITS)
        scene.panel().unplug()
        scene.our_port().stop()

    play(test)


def test_cards_and_keys_reach_the_panel_through_the_secure_channel_once_and_in_order() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.served()
        assert port.link.secure
        assert scene.panel().status.secure
        cards = [BITS, card_bits("H10304:118:1603"), "1" * 64]
        for bits in cards:
            port.card(bits)
        port.keys("12*34#")
        await scene.clock.sleep(3)
        assert list(scene.panel().cards) == cards
        assert scene.panel().pressed == "12*34#"
        with pytest.raises(OutOfRange, match="1 to 256 bits"):
            port.card("1" * 257)
        with pytest.raises(OutOfRange, match="0-9"):
            port.keys("12a")

    play(test)


def test_an_answer_leaves_at_once_so_that_the_wire_alone_takes_time() -> None:
    async def test(scene: Scene) -> None:
        await scene.served()
        await scene.clock.sleep(2)
        talks = scene.bus("rs485b").trace.points[-40:]
        ends = [(t_s, who) for t_s, who in talks]
        waits = [
            begin - end
            for (begin_s, who), (end_s, _) in zip(ends[1:], ends, strict=False)
            for begin, end in [(begin_s, end_s)]
            if who == "board"
        ]
        assert len(waits) > 5
        assert max(waits) < 0.003

    play(test)


def test_when_the_panel_goes_that_is_said_and_no_card_is_taken_for_it() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.served()
        scene.panel().unplug()
        await scene.until(lambda: port.link.phase is not LinkPhase.CONNECTED, 9.0)
        with pytest.raises(DeviceError, match="no panel listens"):
            port.card(BITS)
        scene.panel().plug()
        await scene.connected(port, 3.0)
        port.card(BITS)
        await scene.clock.sleep(1)
        assert list(scene.panel().cards) == [BITS]

    play(test)


def test_temporary_and_permanent_light_buzzer_text_and_output_come_with_their_timers_applied() -> None:
    async def test(scene: Scene) -> None:
        facts: list[PanelFact] = []
        await scene.served(facts=facts)
        panel = scene.panel()
        panel.light("red")
        await scene.clock.sleep(1)
        panel.light("green", for_s=2.0, flash=True)
        await scene.clock.sleep(4)
        lights = [fact for fact in facts if isinstance(fact, PanelLight)]
        assert lights[0].pattern == Pattern.steady(Colour.RED)
        assert [step.colour for step in lights[1].pattern.steps] == [Colour.GREEN, Colour.OFF]
        assert lights[2].pattern == Pattern.steady(Colour.RED)
        assert lights[2].t_ns - lights[1].t_ns == 2_000_000_000
        panel.buzz(3)
        await scene.clock.sleep(3)
        buzzes = [fact for fact in facts if isinstance(fact, PanelBuzz)]
        assert [fact.on for fact in buzzes] == [True, False] * 3
        assert {after.t_ns - before.t_ns for before, after in itertools.pairwise(buzzes)} == {200_000_000}
        panel.write("Hello", for_s=5)
        panel.switch(True, for_s=1.5)
        await scene.clock.sleep(4)
        [text] = [fact for fact in facts if isinstance(fact, PanelText) and fact.text]
        assert (text.text, text.for_s) == ("Hello", 5)
        on, off = [fact for fact in facts if isinstance(fact, PanelOutput)]
        assert (on.on, off.on, off.t_ns - on.t_ns) == (True, False, 1_500_000_000)

    play(test)


def test_our_tamper_switch_is_told_to_the_panel() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.served()
        port.tamper(True)
        await scene.until(lambda: scene.panel().tampered, 1.0)
        port.tamper(False)
        await scene.until(lambda: not scene.panel().tampered, 1.0)

    play(test)


def test_comset_moves_address_and_rate_on_both_ends_and_the_owner_is_told() -> None:
    async def test(scene: Scene) -> None:
        facts: list[PanelFact] = []
        port = await scene.served(facts=facts)
        scene.panel().move(17, 57600)
        await scene.until(lambda: bool([fact for fact in facts if isinstance(fact, PanelPlace)]), 1.0)
        await scene.until(lambda: scene.panel().address == 17, 1.0)
        await scene.until(lambda: scene.panel().status.phase is LinkPhase.CONNECTED, 3.0)
        await scene.connected(port)
        [place] = [fact for fact in facts if isinstance(fact, PanelPlace)]
        assert (place.address, place.baud) == (17, 57600)
        assert scene.bus("rs485b").baud == 57600
        assert (port.link.address, port.link.baud) == (17, 57600)
        port.card(BITS)
        await scene.clock.sleep(1)
        assert list(scene.panel().cards) == [BITS]

    play(test)


def test_a_move_that_the_loss_of_the_port_overtakes_is_made_when_the_port_is_back() -> None:
    async def test(scene: Scene) -> None:
        facts: list[PanelFact] = []
        port = await scene.served(facts=facts)
        scene.panel().move(17, 57600)
        while not any(isinstance(fact, PanelPlace) for fact in facts):
            await scene.clock.sleep(0.0005)
        scene.bus("rs485b").unplug()
        await scene.clock.sleep(1)
        scene.bus("rs485b").plug()
        await scene.clock.sleep(1)
        assert scene.bus("rs485b").baud == 57600
        scene.panel().address, scene.panel().baud = 17, 57600
        scene.panel().power_cycle()
        await scene.connected(port, 3.0)
        assert (port.link.address, port.link.baud) == (17, 57600)

    play(test)


@pytest.mark.parametrize("kept", [True, False, None])
def test_a_new_key_is_used_and_the_panel_told_only_after_its_owner_has_kept_it(kept: bool | None) -> None:
    async def test(scene: Scene) -> None:
        port = await scene.served()
        asked: list[PanelKey] = []

        async def keep(wish: PanelKey) -> bool:
            asked.append(wish)
            await scene.clock.sleep(0.6)
            assert ticket not in scene.panel().finished, "the panel was told before the key was kept"
            return bool(kept)

        if kept is not None:
            port.on_key(keep)
        ticket = scene.panel().set_key(OTHER_KEY)
        await scene.until(lambda: ticket in scene.panel().finished, 5.0)
        outcome = scene.panel().finished[ticket].outcome
        assert outcome is (Outcome.DONE if kept else Outcome.REFUSED)
        assert [wish.key for wish in asked] == ([] if kept is None else [OTHER_KEY])
        scene.panel().power_cycle()
        await scene.until(lambda: scene.panel().status.phase is LinkPhase.CONNECTED, 5.0)
        assert scene.panel().status.secure
        assert scene.panel().keys == ((OTHER_KEY,) if kept else (KEY,))

    play(test)


def test_row_3_a_first_key_is_taken_only_while_an_installation_was_asked_for() -> None:
    async def test(scene: Scene) -> None:
        port, panel = scene.our_port(), scene.panel()
        kept: list[bytes] = []

        async def keep(wish: PanelKey) -> bool:
            kept.append(wish.key)
            return True

        port.on_key(keep)
        port.serve(LinkSettings())
        panel.plain = False
        panel.plug()
        await scene.clock.sleep(1)
        ticket = panel.install(KEY)
        await scene.clock.sleep(65)
        assert panel.finished[ticket].outcome is not Outcome.DONE
        assert kept == []
        port.serve(LinkSettings(), install=True)
        ticket = panel.install(KEY)
        await scene.until(lambda: ticket in panel.finished, 10.0)
        assert panel.finished[ticket].outcome is Outcome.DONE
        assert kept == [KEY]
        await scene.connected(port, 5.0)
        assert port.link.secure
        with pytest.raises(OutOfRange, match="holds a key already"):
            port.serve(LinkSettings(keys=(KEY,)), install=True)

    play(test)


def test_row_3_an_installation_that_nobody_used_is_over_after_ten_minutes() -> None:
    async def test(scene: Scene) -> None:
        port, panel = scene.our_port(), scene.panel()
        port.serve(LinkSettings(), install=True)
        await scene.clock.sleep(601)
        panel.plain = False
        panel.plug()
        ticket = panel.install(KEY)
        await scene.clock.sleep(65)
        assert panel.finished[ticket].outcome is not Outcome.DONE

    play(test)


def test_row_5_frames_are_shown_with_keys_masked_and_only_while_somebody_looks() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.served()
        frames: list[BusFrame] = []

        async def keep(_wish: PanelKey) -> bool:
            return True

        port.on_key(keep)
        port.on_frame(frames.append)
        scene.panel().set_key(OTHER_KEY)
        port.card(BITS)
        await scene.clock.sleep(3)
        port.on_frame(None)
        count = len(frames)
        await scene.clock.sleep(3)
        assert len(frames) == count > 10
        assert {frame.sent for frame in frames} == {True, False}
        assert any("KEYSET" in frame.text for frame in frames)
        for frame in frames:
            assert frame.bus == "rs485b"
            assert OTHER_KEY not in frame.data
            assert OTHER_KEY.hex() not in frame.text.lower()

    play(test)


def test_row_7_a_pulled_adapter_is_a_reason_and_the_panel_is_served_again_afterwards() -> None:
    async def test(scene: Scene) -> None:
        links: list[LinkStatus] = []
        port = await scene.served()
        port.on_link(links.append)
        scene.bus("rs485b").unplug()
        await scene.until(lambda: port.link.phase is LinkPhase.NOT_CONNECTED, 1.0)
        assert port.link.reason
        with pytest.raises(DeviceError, match="no panel listens"):
            port.card(BITS)
        await scene.clock.sleep(10)
        scene.bus("rs485b").plug()
        await scene.connected(port, 5.0)
        assert links[0].phase is LinkPhase.NOT_CONNECTED
        port.card(BITS)
        await scene.clock.sleep(1)
        assert list(scene.panel().cards) == [BITS]

    play(test)


def test_light_noise_doubles_no_card_and_loses_none_on_the_way_to_the_panel() -> None:
    async def test(scene: Scene) -> None:
        port = await scene.served()
        bus = scene.bus("rs485b")
        bus.fault("flips")
        sent = []
        for number in range(1, 41):
            bits = card_bits(f"H10301:7:{number}")
            await scene.until(lambda: port.link.phase is LinkPhase.CONNECTED, 2.0)
            port.card(bits)
            sent.append(bits)
            await scene.clock.sleep(1)
        bus.clear()
        await scene.clock.sleep(3)
        assert list(scene.panel().cards) == sent

    play(test)
