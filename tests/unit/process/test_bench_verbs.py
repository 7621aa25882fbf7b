"""The verbs of `lintel bench` on serial readers and panels, as a person writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from firmware.board_process.verbs import Verbs
from firmware.core.errors import Invalid
from hal.assemble import Assembled, assemble
from hal.board import load_board
from hal.errors import OutOfRange
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import CardBits, LinkPhase, LinkSettings, PanelFact, PanelLight, PanelPlace, PanelText, ReaderFact

KEY = bytes.fromhex("8D2C5E91F07A4B36C1D84E0F7B92A365")
OTHER = bytes.fromhex("17F3A86B2D905CE4B79E01C85A46D23F")

Say = Callable[..., Awaitable[Any]]
Test = Callable[[VirtualClock, World, Assembled, Say], Awaitable[None]]


def at_the_bench(test: Test) -> None:
    """Run a test with the verbs of a door station whose drivers work."""

    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board("door_station"))
        wires = SimWires(world)
        assembled = await assemble(world.board, wires, clock)
        verbs = Verbs(world, cast(Any, None), cast(Any, None), clock)  # no roles run, and no verb here asks for them

        async def say(*words: str) -> Any:
            return [answer async for answer in verbs.run(list(words))][-1]

        async with asyncio.TaskGroup() as group:
            work = group.create_task(assembled.run())
            await test(clock, world, assembled, say)
            work.cancel()
        await assembled.close()
        await wires.close()
        world.close()

    virtual_run(main)


def test_a_serial_reader_is_driven_by_the_same_verbs_as_one_on_two_wires() -> None:
    async def test(clock: VirtualClock, world: World, assembled: Assembled, say: Say) -> None:
        facts: list[ReaderFact] = []
        port = assembled.hardware.serial_readers["reader2"]
        port.watch(facts.append)
        port.connect(LinkSettings())
        await clock.sleep(1)
        await port.install(KEY)
        await clock.sleep(1)
        assert world.states()["reader:external"]["keyed"] is True  # type: ignore[index]
        await say("swipe", "external", "H10301:1:2")
        await say("keys", "external", "12#")
        await clock.sleep(1)
        assert [type(fact) for fact in facts[:1]] == [CardBits]
        assert "".join(getattr(fact, "key", "") for fact in facts) == "12#"
        assert (await say("trace", "external"))["pulses"]
        assert port.beeper is not None
        port.beeper.on()
        await clock.sleep(0.5)
        assert [value for _, value in (await say("trace", "external.beeper"))["points"]] == [False, True]
        assert (await say("trace", "external.led"))["name"] == "led:reader2.led"
        await say("tamper", "external")
        await say("unplug", "external")
        await clock.sleep(2)
        assert port.link.phase is LinkPhase.NOT_CONNECTED
        await say("plug", "external")
        await say("fault", "external", "dead")
        await say("fault", "external", "none")
        await clock.sleep(2)
        assert port.link.phase is LinkPhase.CONNECTED
        with pytest.raises(OutOfRange, match="no_secur"):
            await say("fault", "external", "no_secur")

    at_the_bench(test)


def test_the_panel_does_what_it_is_told_and_a_mistake_is_named() -> None:
    async def test(clock: VirtualClock, world: World, assembled: Assembled, say: Say) -> None:
        facts: list[PanelFact] = []
        kept: list[bytes] = []

        async def keep(wish: Any) -> bool:
            kept.append(wish.key)
            return True

        port = assembled.hardware.panels["panel1"]
        port.watch(facts.append)
        port.on_key(keep)
        port.serve(LinkSettings(), install=True)
        await say("panel", "panel", "use")
        await say("plug", "panel")
        await say("panel", "panel", "install", KEY.hex())
        await clock.sleep(2)
        assert kept == [KEY]
        await say("panel", "panel", "light", "red")
        await say("panel", "panel", "text", "Come", "in")
        await say("panel", "panel", "buzz", "2")
        await say("panel", "panel", "output", "on", "1")
        await say("panel", "panel", "key", OTHER.hex())
        await clock.sleep(3)
        assert kept == [KEY, OTHER]
        await say("panel", "panel", "move", "3", "19200")
        await clock.sleep(3)
        assert [fact for fact in facts if isinstance(fact, PanelLight)]
        assert [fact.text for fact in facts if isinstance(fact, PanelText)] == ["Come in"]
        assert [(fact.address, fact.baud) for fact in facts if isinstance(fact, PanelPlace)] == [(3, 19200)]
        port.card("1" * 26)
        await clock.sleep(1)
        panel = world.find("panel:panel")
        assert isinstance(panel, OsdpPanelPeer)
        assert list(panel.cards) == ["1" * 26]
        assert (await say("trace", "panel.card"))["pulses"]
        for words, message in (
            (("panel", "panel"), "write: panel PANEL"),
            (("panel", "panel", "ligth", "red"), "did you mean 'light'?"),
            (("panel", "panel", "buzz", "many"), "'many' is not a whole number from 0 to 255"),
            (("panel", "panel", "move", "3", "1200"), "unknown rate '1200'"),
            (("panel", "panel", "key", "1234"), "a key is 32 hexadecimal digits"),
            (("panel", "front", "buzz", "1"), "no panel 'front'"),
        ):
            with pytest.raises((Invalid, LookupError), match=message.replace("?", r"\?")):
                await say(*words)
        await say("unplug", "panel")
        with pytest.raises(OutOfRange, match="not plugged in"):
            await say("panel", "panel", "buzz", "1")

    at_the_bench(test)
