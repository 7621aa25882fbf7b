"""The wires of a simulated board behave the same in process and over a socket."""

from __future__ import annotations

import pytest

from hal.errors import BoardError, BusError, LineInUse, NoReply
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.world import DEFAULT_IDENTITY
from hal.types import Drive, Edge, EdgeKind, Pull
from hal.wires import Wires
from tests.unit.sim.conftest import Connect, new_world

GROUP = (23, 24)


async def arrive(wires: Wires) -> None:
    """Wait until everything sent before has been carried out."""
    await wires.identity()


def test_a_line_is_at_its_first_level_in_the_same_step(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            gpio = await wires.gpio("gpio0")
            lines = await gpio.outputs("relay2", [12], initial=[True])
            assert lines.levels() == (True,)
            assert world.find("line:gpio0:12").traces[""].points == ((0.0, True),)
            lines.set(False)
            await arrive(wires)
            assert world.find("aux").state() is True

    virtual_run(main)


def test_a_line_in_use_names_its_owner(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        async with connect(new_world(clock)) as wires:
            gpio = await wires.gpio("gpio0")
            lines = await gpio.outputs("relay1", [5], initial=[False])
            with pytest.raises(LineInUse, match="gpio0:5: in use by 'relay1'"):
                await gpio.inputs("thief", [4, 5])
            lines.close()
            lines.close()
            (await gpio.inputs("heir", [4, 5])).close()

    virtual_run(main)


def test_a_closed_output_keeps_its_level_and_the_next_owner_moves_nothing(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            gpio = await wires.gpio("gpio0")
            lines = await gpio.outputs("relay1", [5], initial=[True])
            lines.close()
            await arrive(wires)
            assert world.find("relay:door").state() is True
            again = await gpio.outputs("relay1", [5], initial=[True])
            assert len(world.find("relay:door").traces[""].points) == 2
            with pytest.raises(BusError, match="given back"):
                lines.set(False)
            again.close()

    virtual_run(main)


def test_lines_of_closed_wires_stay_as_they_are_and_become_free(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            gpio = await wires.gpio("gpio0")
            await gpio.outputs("relay1", [5], initial=[True])
            await wires.close()
            await clock.sleep(0.1)
            assert world.gpio("gpio0").owner(5) is None
            assert world.find("relay:door").state() is True

    virtual_run(main)


def test_edges_of_a_group_come_in_one_order_with_their_times(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            gpio = await wires.gpio("gpio0")
            lines = await gpio.inputs("reader1", GROUP, pull=Pull.UP, edges=EdgeKind.FALLING)
            assert lines.levels() == (True, True)
            edges: list[Edge] = []
            lines.watch(edges.append)
            began_ns = clock.now_ns()
            await world.find("front").swipe("0110")
            await clock.sleep(0.025)
            assert edges == [
                Edge(began_ns + 2_000_000 * index, line, False, index + 1) for index, line in enumerate((0, 1, 1, 0))
            ]
            lines.watch(None)
            await world.find("front").swipe("01")
            assert len(edges) == 4
            await arrive(wires)
            assert lines.levels() == (True, True)
            lines.close()

    virtual_run(main)


def test_an_input_that_bounces_is_reported_when_it_has_settled(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            gpio = await wires.gpio("gpio0")
            lines = await gpio.inputs("control", [4], pull=Pull.UP, debounce_us=10_000)
            edges: list[Edge] = []
            lines.watch(edges.append)
            button = world.find("button:control")
            button.fault("bounce")
            began_ns = clock.now_ns()
            await button.press(0.5)
            await clock.sleep(0.1)
            assert [edge.level for edge in edges] == [False, True]
            assert 10_000_000 <= edges[0].t_ns - began_ns <= 15_000_000
            assert len(world.find("line:gpio0:4").traces[""].points) > 4
            lines.close()

    virtual_run(main)


def test_a_raw_input_sees_every_bounce(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            lines = await (await wires.gpio("gpio0")).inputs("control", [4], pull=Pull.UP)
            edges: list[Edge] = []
            lines.watch(edges.append)
            world.fault("control", "bounce")
            await world.find("control").press(0.1)
            await clock.sleep(0.1)
            assert len(edges) == 14
            assert [edge.seq for edge in edges] == list(range(1, 15))
            lines.close()

    virtual_run(main)


def test_an_open_drain_line_lets_go_when_it_is_high(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            lines = await (await wires.gpio("gpio0")).outputs("d0", [23], initial=[True], drive=Drive.OPEN_DRAIN)
            await world.find("front").swipe("0")
            assert world.contentions == ()
            assert len(world.find("line:gpio0:23").traces[""].pulses()) == 1
            lines.set(False)
            await arrive(wires)
            assert world.find("line:gpio0:23").state() is False
            lines.close()

    virtual_run(main)


def test_driving_against_a_peer_is_recorded(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            lines = await (await wires.gpio("gpio0")).outputs("d0", [23], initial=[True])
            await world.find("front").swipe("0")
            assert [(fight.net, fight.high, fight.low) for fight in world.contentions] == [
                ("gpio0:23", ("cpu",), ("reader1",))
            ]
            lines.close()

    virtual_run(main)


def test_what_cannot_be_requested_is_refused_with_its_place(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        async with connect(new_world(clock)) as wires:
            with pytest.raises(BoardError, match=r"no bus 'gpio1'; did you mean 'gpio0'\?"):
                await wires.gpio("gpio1")
            with pytest.raises(BoardError, match=r"buses.i2c1: is a i2c bus, not gpio"):
                await wires.gpio("i2c1")
            gpio = await wires.gpio("gpio0")
            with pytest.raises(BusError, match="gpio0:28: no such line; the chip has 0 to 27"):
                await gpio.inputs("x", [28])
            with pytest.raises(BusError, match="twice"):
                await gpio.inputs("x", [4, 4])
            with pytest.raises(BusError, match="2 lines, but 1 first levels"):
                await gpio.outputs("x", [4, 5], initial=[True])
            lines = await gpio.outputs("x", [4, 5], initial=[True, True])
            with pytest.raises(BusError, match="2 lines, but 1 levels"):
                lines.set(True)
            lines.close()

    virtual_run(main)


def test_chips_answer_in_the_byte_order_of_the_wire(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            i2c = await wires.i2c("i2c1")
            assert await i2c.read_word(0x48, 1) == 0x8385
            assert await i2c.read_block(0x48, 1, 2) == b"\x85\x83"
            assert await i2c.read_byte(0x20, 0x00) == 0xFF
            await i2c.write_block(0x20, 0x00, b"\xfe\x7f")
            assert await i2c.read_word(0x20, 0x00) == 0x7FFE
            assert await i2c.read_words(0x48, (1, 0)) == (0x8385, 0)
            with pytest.raises(NoReply, match="i2c1:0x50"):
                await i2c.read_byte(0x50, 0)
            with pytest.raises(NoReply, match="i2c1:0x50"):
                await i2c.read_words(0x50, (0, 1))
            with pytest.raises(BusError, match="256 does not fit"):
                await i2c.write_byte(0x20, 0, 256)
            with pytest.raises(BusError, match="valid: 1 to 32"):
                await i2c.read_block(0x20, 0, 33)
            world.fault("adc0", "absent")
            with pytest.raises(NoReply):
                await i2c.read_word(0x48, 1)
            world.clear("adc0")
            assert await i2c.read_word(0x48, 1) == 0x8385
            i2c.close()
            with pytest.raises(BusError, match="given back"):
                await i2c.read_word(0x48, 1)

    virtual_run(main)


def test_the_identity_is_the_one_the_world_was_given(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        async with connect(new_world(clock)) as wires:
            assert await wires.identity() == DEFAULT_IDENTITY
            assert int(DEFAULT_IDENTITY.serial[:2], 16) & 3 == 2

    virtual_run(main)


def test_power_off_lets_every_line_go_to_its_pull(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            gpio = await wires.gpio("gpio0")
            lines = await gpio.outputs("relays", [5, 12], initial=[True, False])
            assert (world.find("door").state(), world.find("aux").state()) == (True, True)
            world.find("control").hold()
            await clock.sleep(1.0)
            world.power(False)
            assert (world.find("door").state(), world.find("aux").state()) == (False, False)
            assert world.find("line:gpio0:12").state() is True
            assert world.find("control").state() is True
            lines.set(True, False)
            await arrive(wires)
            assert world.find("door").state() is False
            with pytest.raises(BusError, match="no power"):
                await gpio.inputs("late", [4])
            world.power(True)
            again = await gpio.inputs("control", [4], pull=Pull.UP)
            assert again.levels() == (False,)
            assert world.find("door").traces[""].pulses()[0].width_s == 1.0
            again.close()

    virtual_run(main)
