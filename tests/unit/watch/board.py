"""A board with everything that feels and sees, its world, and the real drivers on it in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from hal.assemble import Assembled, assemble
from hal.board import parse_board
from hal.ports import Hardware
from hal.sim.chips import Lis3dh, Opt3001
from hal.sim.peers.optics import CutFilterPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World

BOARD = """
[product]
name = "Watch bench"
model = "WATCH-1"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
i2c1 = { kind = "i2c", device = "/dev/lintel/i2c-1" }
csi0 = { kind = "csi" }
[nodes]
relay1 = { compatible = "relay", line = "gpio0:5", alias = "door" }
shock1 = { compatible = "lis3dh", bus = "i2c1", address = 0x18 }
shock2 = { compatible = "lis3dh", bus = "i2c1", address = 0x19, interrupt = "gpio0:6", alias = "lid" }
light1 = { compatible = "opt3001", bus = "i2c1" }
filter1 = { compatible = "ir-cut", before = "gpio0:16", away = "gpio0:17", pulse_ms = 100 }
filter2 = { compatible = "ir-cut", line = "gpio0:18", active = "low", alias = "held" }
lamp1 = { compatible = "illumination", line = "gpio0:19" }
camera1 = { compatible = "camera", bus = "csi0", alias = "entrance" }
"""


@dataclass
class Bench:
    clock: VirtualClock
    world: World
    assembled: Assembled

    @property
    def hardware(self) -> Hardware:
        return self.assembled.hardware

    def shock_chip(self, name: str) -> Lis3dh:
        peer = self.world.find(f"accelerometer:{name}")
        assert isinstance(peer, Lis3dh)
        return peer

    @property
    def light_chip(self) -> Opt3001:
        peer = self.world.find("light_sensor:light1")
        assert isinstance(peer, Opt3001)
        return peer

    def filter(self, name: str) -> CutFilterPeer:
        peer = self.world.find(f"ir_cut:{name}")
        assert isinstance(peer, CutFilterPeer)
        return peer


def new_world(clock: VirtualClock) -> World:
    return World(clock, parse_board(BOARD, "watch bench"))


@asynccontextmanager
async def at_work(clock: VirtualClock, world: World) -> AsyncIterator[Bench]:
    wires = SimWires(world)
    assembled = await assemble(world.board, wires, clock)
    work = asyncio.ensure_future(assembled.run())
    try:
        yield Bench(clock, world, assembled)
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await assembled.close()
        await wires.close()
        world.close()


def on_the_bench(scene: Callable[[Bench], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        async with at_work(clock, new_world(clock)) as bench:
            await scene(bench)

    virtual_run(main)
