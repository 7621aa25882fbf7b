"""`lintel safe-outputs`: after control has died, every output of a board is where its drivers leave it."""

from __future__ import annotations

import pytest

from firmware.cli import run as lintel
from hal.assemble import assemble
from hal.board import Mcp23017Node, board_names, load_board
from hal.drivers.mcp23017 import Mcp23017
from hal.errors import LineInUse
from hal.safe_outputs import at_rest, make_safe
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import LineRef

# Who drives a net hard, in the simulator's words: the processor, and the expanders of the boards.
OURS = {"cpu", "exp0"}


def driven(world: World) -> dict[LineRef, bool]:
    """The level of every line that the device itself drives."""
    return {line: net.level for line, net in world.nets.items() if OURS & set(net.drivers())}


async def drive_all(world: World, lines: dict[LineRef, bool], clock: VirtualClock) -> None:
    """A control process that drove these levels and died: closing wires is what a death is."""
    wires = SimWires(world)
    for bus in {line.bus for line in lines}:
        mine = {line.offset: level for line, level in lines.items() if line.bus == bus}
        if bus in world.board.buses:
            await (await wires.gpio(bus)).outputs("control", tuple(mine), initial=tuple(mine.values()))
        else:
            node = world.board.nodes[bus]
            assert isinstance(node, Mcp23017Node)
            chip = await Mcp23017.open(bus, await wires.i2c(node.bus), node.address, clock)
            await chip.outputs("control", tuple(mine), initial=tuple(mine.values()))
            await chip.flush()
    await wires.close()


async def at_work(name: str, clock: VirtualClock) -> dict[LineRef, bool]:
    """What the drivers of a board drive while nobody wants anything of it."""
    world = World(clock, load_board(name))
    wires = SimWires(world)
    opened = await assemble(world.board, wires, clock)
    found = driven(world)
    await opened.close()
    await wires.close()
    world.close()
    return found


@pytest.mark.parametrize("name", board_names())
def test_after_a_death_every_output_of_a_board_is_where_its_drivers_leave_it(name: str) -> None:
    async def main(clock: VirtualClock) -> None:
        wanted = await at_work(name, clock)
        assert wanted
        world = World(clock, load_board(name))
        await drive_all(world, {line: not level for line, level in wanted.items()}, clock)
        assert {line: world.net(line).level for line in wanted} == {line: not level for line, level in wanted.items()}
        wires = SimWires(world)
        assert await make_safe(world.board, wires, clock) == ()
        await wires.close()
        assert {line: world.net(line).level for line in wanted} == wanted
        assert {rest.line for rest in at_rest(world.board)} == set(wanted)
        world.close()

    virtual_run(main)


def test_a_dead_expander_is_named_and_keeps_no_relay_from_its_rest() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board("door_station"))
        relay = LineRef("gpio0", 16)
        await drive_all(world, {relay: True}, clock)
        world.fault("exp0", "absent")
        wires = SimWires(world)
        (fault,) = await make_safe(world.board, wires, clock)
        assert "exp0" in str(fault)
        assert world.net(relay).level is False
        await wires.close()
        world.close()

    virtual_run(main)


def test_a_device_that_is_alive_is_left_alone() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board("door_station"))
        control = SimWires(world)
        lit = next(rest for rest in at_rest(world.board) if rest.line.bus == "exp0")
        node = world.board.nodes["exp0"]
        assert isinstance(node, Mcp23017Node)
        chip = await Mcp23017.open("exp0", await control.i2c(node.bus), node.address, clock)
        await chip.outputs("control", (lit.line.offset,), initial=(not lit.level,))
        await chip.flush()
        await (await control.gpio("gpio0")).outputs("control", (16,), initial=(True,))
        wires = SimWires(world)
        faults = await make_safe(world.board, wires, clock)
        assert any(isinstance(fault, LineInUse) for fault in faults)
        assert world.net(LineRef("gpio0", 16)).level is True
        assert world.net(lit.line).level is not lit.level
        await wires.close()
        await control.close()
        world.close()

    virtual_run(main)


def test_relays_come_before_everything_else_and_expanders_last() -> None:
    board = load_board("door_station")
    order = [(rest.node, rest.line.bus) for rest in at_rest(board)]
    assert [node for node, _ in order[:2]] == ["relay1", "relay2"]
    assert [bus for _, bus in order] == sorted((bus for _, bus in order), key=lambda bus: bus not in board.buses)


def test_the_command_says_once_what_is_missing_and_ends_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware.cli.safe_outputs.PATIENCE_S", 60.0)  # this process is not to be ended
    assert lintel(["safe-outputs", "--board", "network_speaker"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(set(said)) >= 1
    assert all("/dev/lintel/" in line for line in said)
    assert lintel(["safe-outputs", "--board", "door_statoin"]) == 1
    assert "did you mean 'door_station'" in capsys.readouterr().err
