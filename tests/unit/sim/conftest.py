"""One board with everything, and the two ways to reach its world: in process, and over a socket."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from hal.board import parse_board
from hal.clock import Clock
from hal.sim.remote import RemoteWires, WorldServer
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.wires import Wires

BOARD = """
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio", size = 28 }
i2c1 = { kind = "i2c", device = "/dev/lintel/i2c-1" }
rs485 = { kind = "uart", device = "/dev/lintel/rs485", rs485 = true }

[product]
name = "Bench board"
model = "BENCH-1"

[nodes]
relay1 = { compatible = "relay", line = "gpio0:5", readback = "gpio0:6", alias = "door" }
relay2 = { compatible = "relay", line = "gpio0:12", active = "low", alias = "aux" }
reader1 = { compatible = "wiegand-reader", d0 = "gpio0:23", d1 = "gpio0:24", led_red = "gpio0:25", \
led_green = "gpio0:8", beeper = "gpio0:7", alias = "front" }
reader2 = { compatible = "wiegand-reader", d0 = "gpio0:18", d1 = "gpio0:19", keypad = false, alias = "back" }
control = { compatible = "button", line = "gpio0:4" }
status = { compatible = "rgb-led", red = "gpio0:9", green = "gpio0:10", blue = "gpio0:11" }
lamp = { compatible = "led", line = "gpio0:20", colour = "blue", alias = "front" }
horn = { compatible = "digital-output", line = "gpio0:21" }
lid = { compatible = "digital-input", line = "gpio0:22" }
contact1 = { compatible = "supervised-input", adc = "adc0:0", alias = "door" }
adc0 = { compatible = "ads1115", bus = "i2c1", address = 0x48 }
exp0 = { compatible = "mcp23017", bus = "i2c1", address = 0x20, interrupt = "gpio0:13" }
io1 = { compatible = "io-port", output = "exp0:0", adc = "adc0:1", pullup_ohm = 15000 }
io2 = { compatible = "io-port", output = "exp0:1", input = "exp0:2" }
io3 = { compatible = "io-port", adc = "adc0:2" }
"""

Connect = Callable[[World], AbstractAsyncContextManager[Wires]]


def new_world(clock: Clock) -> World:
    """A world around the board with everything."""
    return World(clock, parse_board(BOARD, "bench board"))


@contextlib.asynccontextmanager
async def in_process(world: World) -> AsyncIterator[Wires]:
    wires = SimWires(world)
    try:
        yield wires
    finally:
        await wires.close()
        world.close()


@contextlib.asynccontextmanager
async def over_a_socket(world: World) -> AsyncIterator[Wires]:
    with tempfile.TemporaryDirectory() as folder:
        server = WorldServer(world, Path(folder) / "world")
        await server.start()
        wires = await RemoteWires.connect(Path(folder) / "world", world.clock)
        try:
            yield wires
        finally:
            await wires.close()
            await server.close()
            world.close()


@pytest.fixture(params=[in_process, over_a_socket])
def connect(request: pytest.FixtureRequest) -> Connect:
    connect: Connect = request.param
    return connect
