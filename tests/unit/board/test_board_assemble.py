"""Every board on simulated wires: its drivers open, do what the nodes say, and close with every output safe."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hal.assemble import Assembled, assemble
from hal.board import Board, WiegandReaderNode, board_names, load_board, parse_board
from hal.errors import Absent, LineInUse
from hal.ports import Hardware
from hal.sim.peers.base import Peer
from hal.sim.peers.light import LightPeer
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.switch import StrikePeer, SwitchPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import Colour, Direction, LoopState, Pattern
from hal.wires import I2c

NAMES = board_names()

# Every compatible, each with the polarity that is not its default, some of it behind an expander.
ODD = """
[product]
name = "Odd"
model = "ODD"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
i2c1  = { kind = "i2c", device = "/dev/lintel/i2c-1" }
[nodes]
exp0    = { compatible = "mcp23017", bus = "i2c1", address = 0x27 }
adc0    = { compatible = "ads1115", bus = "i2c1", address = 0x4b }
bell    = { compatible = "digital-output", line = "gpio0:4", active = "low" }
lamp    = { compatible = "led", line = "exp0:1", colour = "amber", active = "low" }
two     = { compatible = "bicolour-led", red = "gpio0:5", green = "gpio0:6", active = "low" }
three   = { compatible = "rgb-led", red = "exp0:2", green = "exp0:3", blue = "exp0:4" }
push    = { compatible = "button", line = "gpio0:10", active = "high", pull = "down" }
plain   = { compatible = "digital-input", line = "gpio0:11", active = "high", pull = "down" }
wide    = { compatible = "supervised-input", adc = "adc0:2", eol_ohm = 2200, supply_v = 5.0, pullup_ohm = 4700 }
term    = { compatible = "io-port", output = "exp0:8", input = "exp0:9" }
[nodes.strike]
compatible = "relay"
line = "exp0:0"
active = "low"
max_on_s = 2
readback = "gpio0:9"
readback_active = "low"
[nodes.reader]
compatible = "wiegand-reader"
d0 = "gpio0:20"
d1 = "gpio0:21"
led_green = "gpio0:22"
beeper = "gpio0:23"
led_active = "high"
"""


@asynccontextmanager
async def running(board: Board, clock: VirtualClock) -> AsyncIterator[tuple[World, Assembled]]:
    """A board on a world with its drivers at work; the drivers stop at the end, and are not yet closed."""
    world = World(clock, board)
    wires = SimWires(world)
    assembled = await assemble(board, wires, clock)
    try:
        async with asyncio.TaskGroup() as group:
            work = group.create_task(assembled.run())
            await clock.sleep(0.1)
            yield world, assembled
            work.cancel()
    finally:
        await assembled.close()
        await wires.close()
        world.close()


async def drive_everything(hardware: Hardware) -> None:
    """Every output into the state in which it does something."""
    for output in (*hardware.relays.values(), *hardware.outputs.values()):
        output.on()
    for led in hardware.leds.values():
        led.show(Pattern.steady(next(iter(sorted(led.colours - {Colour.OFF})))))
    for reader in hardware.readers.values():
        if reader.led is not None:
            reader.led.show(Pattern.flash(Colour.GREEN, on_ms=100))
        if reader.beeper is not None:
            reader.beeper.on()
    for terminal in hardware.terminals.values():
        if terminal.configurable:
            await terminal.configure(Direction.OUTPUT, supervised=False)
        if terminal.direction is Direction.OUTPUT:
            terminal.close_circuit(True)


def doing(world: World) -> set[str]:
    """The things at the far end of an output that are doing something now."""
    active = set()
    for peer in world.everybody():
        if isinstance(peer, StrikePeer | SwitchPeer) and peer.trace.value:
            active.add(peer.title)
        if isinstance(peer, LightPeer) and peer.colour != "off":
            active.add(peer.title)
    for name, node in world.board.nodes.items():
        if node.kind == "port" and node.output is not None and world.net(node.output).level:
            active.add(f"port:{name}")
    return active


def outputs_of(board: Board) -> int:
    """How many things on a board can be driven, the lamp and beeper of a reader on lines included.

    A serial reader's are no lines of ours, and nothing is told to a reader that nobody has connected.
    """
    count = 0
    for node in board.nodes.values():
        if node.kind in ("relay", "output", "led"):
            count += 1
        elif node.kind == "port":
            count += node.output is not None
        elif isinstance(node, WiegandReaderNode):
            count += (node.led_red is not None or node.led_green is not None) + (node.beeper is not None)
    return count


@pytest.mark.parametrize("board", [*map(load_board, NAMES), parse_board(ODD, "odd")], ids=[*NAMES, "odd"])
def test_every_board_opens_drives_all_it_has_and_closes_with_every_output_safe(board: Board) -> None:
    async def main(clock: VirtualClock) -> None:
        async with running(board, clock) as (world, assembled):
            assert doing(world) == set()
            await drive_everything(assembled.hardware)
            await clock.sleep(0.05)
            assert len(doing(world)) == outputs_of(board)
        assert doing(world) == set()
        assert world.contentions == ()

    virtual_run(main)


@pytest.mark.parametrize("name", NAMES)
def test_every_port_of_a_board_has_its_node_name(name: str) -> None:
    async def main(clock: VirtualClock) -> None:
        board = load_board(name)
        async with running(board, clock) as (_, assembled):
            hardware = assembled.hardware
            found = {
                "relay": hardware.relays,
                "output": hardware.outputs,
                "input": hardware.inputs,
                "button": hardware.buttons,
                "led": hardware.leds,
                "reader": hardware.readers,
                "port": hardware.terminals,
                "panel": hardware.panels,
            }
            for kind, ports in found.items():
                assert set(ports) == {name for name, node in board.nodes.items() if node.kind == kind}
                assert all(port.name == name for name, port in ports.items())
            assert hardware.aliases == board.aliases

    virtual_run(main)


def test_inputs_follow_the_polarity_and_the_resistors_of_their_nodes() -> None:
    async def main(clock: VirtualClock) -> None:
        async with running(parse_board(ODD, "odd"), clock) as (world, assembled):
            hardware = assembled.hardware
            assert hardware.inputs["plain"].state() is LoopState.OPEN
            assert not hardware.buttons["push"].pressed()
            world.find("push").hold()  # type: ignore[attr-defined]
            plain, wide, term = world.find("plain"), world.find("wide"), world.find("term")
            assert isinstance(plain, LoopPeer)
            assert isinstance(wide, LoopPeer)
            plain.set(LoopState.CLOSED)
            term.set(LoopState.CLOSED)  # type: ignore[attr-defined]
            for state in (LoopState.CUT, LoopState.CLOSED, LoopState.SHORT, LoopState.OPEN):
                wide.set(state)
                await clock.sleep(0.3)
                assert hardware.inputs["wide"].state() is state
            assert hardware.inputs["plain"].state() is LoopState.CLOSED
            assert hardware.buttons["push"].pressed()
            assert hardware.terminals["term"].circuit() is LoopState.CLOSED
            world.find("push").release()  # type: ignore[attr-defined]

    virtual_run(main)


def test_a_relay_keeps_the_longest_on_time_of_its_node() -> None:
    async def main(clock: VirtualClock) -> None:
        async with running(parse_board(ODD, "odd"), clock) as (world, assembled):
            assembled.hardware.relays["strike"].on()
            await clock.sleep(3.0)
            peer = world.find("strike")
            assert isinstance(peer, StrikePeer)
            [pulse] = peer.trace.pulses()
            assert pulse.width_s == pytest.approx(2.0, abs=0.01)

    virtual_run(main)


@pytest.mark.parametrize("name", NAMES)
def test_opening_and_closing_a_board_moves_no_output(name: str) -> None:
    async def main(clock: VirtualClock) -> None:
        board = load_board(name)
        async with running(board, clock) as (world, _):
            pass
        for node_name, node in board.nodes.items():
            for field, line in node.lines():
                if node.kind in ("relay", "port", "led") and field not in ("readback", "input"):
                    assert len(world.net(line).trace.points) == 1, f"{node_name}.{field} moved"

    virtual_run(main)


def test_a_line_in_use_names_the_node_and_leaves_nothing_open() -> None:
    async def main(clock: VirtualClock) -> None:
        board = load_board("door_station")
        world = World(clock, board)
        stranger, wires = SimWires(world), SimWires(world)
        taken = await (await stranger.gpio("gpio0")).inputs("stranger", [4])
        with pytest.raises(LineInUse) as raised:
            await assemble(board, wires, clock)
        assert raised.value.where == "control"
        assert "stranger" in str(raised.value)
        taken.close()
        assembled = await assemble(board, wires, clock)  # every line was given back, or this would fail
        await assembled.close()
        world.close()

    virtual_run(main)


def test_a_chip_that_is_not_there_is_named_by_its_node() -> None:
    async def main(clock: VirtualClock) -> None:
        board = load_board("door_station")
        world = World(clock, board)
        world.fault("adc1", "absent")
        with pytest.raises(Absent) as raised:
            await assemble(board, SimWires(world), clock)
        assert str(raised.value) == "adc1: no converter answers at 0x49"
        world.clear("adc1")
        await (await assemble(board, SimWires(world), clock)).close()
        world.close()

    virtual_run(main)


def test_a_dead_expander_keeps_no_relay_on_while_closing(caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: VirtualClock) -> None:
        async with running(load_board("door_station"), clock) as (world, assembled):
            assembled.hardware.relays["relay1"].on()
            await assembled.hardware.terminals["io1"].configure(Direction.OUTPUT, supervised=False)
            assembled.hardware.terminals["io1"].close_circuit(True)
            await clock.sleep(0.05)
            world.fault("exp0", "absent")
        assert "relay:door" not in doing(world)
        assert "port:io1" in doing(world)

    with caplog.at_level(logging.ERROR, "hal.assemble"):
        virtual_run(main)
    assert [record.getMessage() for record in caplog.records if record.name == "hal.assemble"] == [
        "exp0: its outputs may not be safe, the last levels were not carried out: i2c1:0x20: no acknowledge"
    ]


def test_closing_twice_is_harmless() -> None:
    async def main(clock: VirtualClock) -> None:
        async with running(load_board("ptz_dome"), clock) as (_, assembled):
            pass
        await assembled.close()

    virtual_run(main)


def test_the_work_of_a_board_without_polling_ends_only_by_cancellation() -> None:
    async def main(clock: VirtualClock) -> None:
        board = load_board("horn_speaker")
        world = World(clock, board)
        assembled = await assemble(board, SimWires(world), clock)
        work = asyncio.ensure_future(assembled.run())
        await clock.sleep(3600.0)
        assert not work.done()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await assembled.close()
        world.close()

    virtual_run(main)


class CountingWires(SimWires):
    """Simulated wires that note which buses were asked for."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.asked: list[str] = []

    async def i2c(self, bus: str) -> I2c:
        self.asked.append(bus)
        return await super().i2c(bus)


@pytest.mark.parametrize(("name", "expected"), [("door_station", ["i2c1"]), ("horn_speaker", [])])
def test_a_bus_is_opened_once_and_only_when_a_node_needs_it(name: str, expected: list[str]) -> None:
    async def main(clock: VirtualClock) -> None:
        board = load_board(name)
        world = World(clock, board)
        wires = CountingWires(world)
        await (await assemble(board, wires, clock)).close()
        assert wires.asked == expected
        world.close()

    virtual_run(main)


def test_the_simulated_world_has_a_peer_for_every_node() -> None:
    async def main(clock: VirtualClock) -> None:
        for name in NAMES:
            board = load_board(name)
            world = World(clock, board)
            assert set(world.peers) == set(board.nodes)
            assert all(isinstance(peer, Peer) for peer in world.peers.values())
            world.close()

    virtual_run(main)
