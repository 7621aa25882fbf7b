"""The drivers of a whole door station on simulated wires: the far ends were written by somebody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import cast

from wires_in_memory import running

from hal.assemble import assemble
from hal.board import load_board
from hal.ports import Hardware, LoopChange, OutputChange, OutputTrouble
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.reader import ReaderPeer
from hal.sim.peers.switch import StrikePeer
from hal.sim.peers.terminal import TerminalPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import CardBits, Colour, Direction, Key, LoopState, Pattern, ReaderFact


def on_the_board(test: Callable[[VirtualClock, World, Hardware], Awaitable[None]]) -> None:
    """Run a test with the drivers of a door station working."""

    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board("door_station"))
        wires = SimWires(world)
        assembled = await assemble(world.board, wires, clock)
        async with running(assembled.run()):
            await clock.sleep(0.5)
            await test(clock, world, assembled.hardware)
        await assembled.close()
        await wires.close()
        world.close()

    virtual_run(main)


def test_a_swiped_card_and_pressed_keys_arrive_as_sent() -> None:
    async def test(clock: VirtualClock, world: World, hardware: Hardware) -> None:
        facts: list[ReaderFact] = []
        hardware.readers["reader1"].watch(facts.append)
        front = cast(ReaderPeer, world.find("reader:front"))
        await front.swipe("H10301:1:1")
        await clock.sleep(0.1)
        await front.keys("1234#")
        await clock.sleep(0.1)
        assert [fact.bits for fact in facts if isinstance(fact, CardBits)] == ["10000000100000000000000010"]
        assert [fact.key for fact in facts if isinstance(fact, Key)] == list("1234#")
        assert len(facts) == 6

    on_the_board(test)


def test_row_9_half_frames_and_noise_of_a_reader_never_become_a_card() -> None:
    async def test(clock: VirtualClock, world: World, hardware: Hardware) -> None:
        facts: list[ReaderFact] = []
        hardware.readers["reader1"].watch(facts.append)
        front = cast(ReaderPeer, world.find("reader:front"))
        front.fault("half")
        await front.swipe("H10301:1:1")
        await clock.sleep(1)
        front.clear()
        await front.swipe("H10301:1:1")
        await clock.sleep(1)
        assert [fact.bits for fact in facts if isinstance(fact, CardBits)] == ["10000000100000000000000010"]
        assert len(facts) == 2

    on_the_board(test)


def test_row_12_a_door_contact_shows_all_four_circuits() -> None:
    async def test(clock: VirtualClock, world: World, hardware: Hardware) -> None:
        changes: list[LoopChange] = []
        contact = hardware.inputs["contact1"]
        contact.watch(changes.append)
        loop = cast(LoopPeer, world.find("contact:door"))
        seen = [contact.state()]
        for state in (LoopState.CUT, LoopState.OPEN, LoopState.SHORT, LoopState.CLOSED):
            loop.set(state)
            await clock.sleep(0.1)
            assert contact.state() is state
            seen.append(state)
        assert [change.state for change in changes] == [now for was, now in pairwise(seen) if was is not now]

    on_the_board(test)


def test_row_13_a_welded_strike_is_reported_and_a_sound_one_is_not() -> None:
    async def test(clock: VirtualClock, world: World, hardware: Hardware) -> None:
        relay = hardware.relays["relay1"]
        troubles: list[OutputTrouble] = []
        changes: list[OutputChange] = []
        relay.on_trouble(troubles.append)
        relay.watch(changes.append)
        for _ in range(3):
            relay.on()
            await clock.sleep(7)
            relay.off()
            await clock.sleep(3)
        assert troubles == []
        strike = cast(StrikePeer, world.find("relay:door"))
        assert [pulse.width_s for pulse in strike.trace.pulses()] == [7.0] * 3
        relay.on()
        strike.fault("welded")
        await clock.sleep(1)
        relay.off()
        await clock.sleep(2)
        assert [(trouble.stuck, trouble.commanded) for trouble in troubles] == [(True, False)]
        assert len(changes) == 8

    on_the_board(test)


def test_lights_and_terminals_do_what_their_far_ends_see() -> None:
    async def test(clock: VirtualClock, world: World, hardware: Hardware) -> None:
        front = cast(ReaderPeer, world.find("reader:front"))
        led = hardware.readers["reader1"].led
        assert led is not None
        for colour in (Colour.RED, Colour.GREEN, Colour.AMBER, Colour.OFF):
            led.show(Pattern.steady(colour))
            assert front.led.colour == colour.value
        terminal = hardware.terminals["io1"]
        await terminal.configure(Direction.INPUT, supervised=True)
        far = cast(TerminalPeer, world.find("port:io1"))
        far.fit()
        far.set(LoopState.CLOSED)
        await clock.sleep(0.1)
        closed = terminal.circuit()
        far.set(LoopState.CUT)
        await clock.sleep(0.1)
        assert (closed, terminal.circuit()) == (LoopState.CLOSED, LoopState.CUT)
        await terminal.configure(Direction.OUTPUT, supervised=False)
        terminal.close_circuit(True)
        await clock.sleep(0.1)
        assert terminal.circuit() is LoopState.CLOSED

    on_the_board(test)
