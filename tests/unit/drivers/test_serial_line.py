"""A serial port that comes and goes: it is open while it is wanted and there, and its loss is a reason in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from wires_in_memory import running

from hal.board import parse_board
from hal.drivers.serial_line import SerialLine
from hal.sim.serial import SerialBus
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World

BOARD = """
base = "_rpi.toml"
[product]
name = "Only a serial port"
model = "PORT-1"
"""

Scene = tuple[VirtualClock, SerialBus, SerialLine, list[bool], bytearray]


def on_a_line(test: Callable[[Scene], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(BOARD, "port"))
        wires = SimWires(world)
        changes: list[bool] = []
        heard = bytearray()

        def changed() -> None:
            changes.append(line.is_open)

        line = SerialLine(
            "reader2",
            partial(wires.uart, "rs485"),
            clock,
            heard=lambda _t_ns, data: heard.extend(data),
            changed=changed,
        )
        async with running(line.run()):
            await test((clock, world.uart("rs485"), line, changes, heard))
        line.leave()
        await wires.close()
        world.close()

    virtual_run(main)


def test_nothing_is_opened_before_it_is_wanted_and_nothing_kept_when_it_is_left() -> None:
    async def test(scene: Scene) -> None:
        clock, bus, line, changes, _ = scene
        await clock.sleep(60)
        assert bus.state()["path"] is None
        line.want(9600)
        await clock.sleep(0.1)
        assert line.is_open
        assert line.write(b"hello")
        await clock.sleep(0.1)
        assert bus.trace.points[-2][1] == "board"
        line.leave()
        assert not line.write(b"hello")
        assert (changes, line.trouble) == ([True], "")

    on_a_line(test)


def test_a_pulled_adapter_is_a_reason_and_the_port_is_opened_again_within_a_second() -> None:
    async def test(scene: Scene) -> None:
        clock, bus, line, changes, heard = scene
        line.want(19200)
        await clock.sleep(0.1)
        bus.unplug()
        await clock.sleep(5)
        assert not line.is_open
        assert "not plugged in" in line.trouble
        assert not line.write(b"lost")
        bus.plug()
        await clock.sleep(1)
        assert (line.is_open, line.trouble) == (True, "")
        assert (changes[0], changes[-1]) == (True, True)
        assert bus.baud == 19200
        bus.say(_Someone(19200), b"back")
        await clock.sleep(0.1)
        assert bytes(heard) == b"back"

    on_a_line(test)


def test_a_port_that_is_not_there_is_said_once_however_often_it_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    async def test(scene: Scene) -> None:
        clock, bus, line, changes, _ = scene
        bus.unplug()
        line.want(9600)
        await clock.sleep(60)
        assert changes == [False]
        assert line.trouble

    on_a_line(test)
    assert len([record for record in caplog.records if "cannot be opened" in record.getMessage()]) == 1


def test_a_rate_wanted_while_the_port_is_away_is_the_rate_it_opens_at() -> None:
    async def test(scene: Scene) -> None:
        clock, bus, line, _, _ = scene
        bus.unplug()
        line.want(9600)
        await clock.sleep(2)
        line.want(57600)
        bus.plug()
        await clock.sleep(1)
        assert bus.baud == 57600
        line.want(115200)
        assert bus.baud == 115200

    on_a_line(test)


class _Someone:
    """Somebody else on the bus."""

    def __init__(self, baud: int) -> None:
        self.baud = baud

    def hear(self, t_ns: int, data: bytes) -> None:
        """Hears nothing."""
