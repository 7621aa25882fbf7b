"""A board with one camera, its world, and the camera's driver at work in virtual time."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hal.assemble_cameras import assemble_cameras
from hal.board import Board, parse_board
from hal.pictures import CameraMode, CameraPhase, CameraSettings, CameraStatus, Frame, Size
from hal.ports import Camera
from hal.sim.remote import WorldServer
from hal.sim.remote.cameras import RemoteCameraWires
from hal.sim.scene.peer import CameraPeer
from hal.sim.scene.wires import SimCameraWires
from hal.sim.time import VirtualClock
from hal.sim.world import World
from hal.wires import CameraWires

BOARD = """
[product]
name = "Camera bench"
model = "CAM-1"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
csi0 = { kind = "csi" }
[nodes]
relay1 = { compatible = "relay", line = "gpio0:5", alias = "door" }
camera1 = { compatible = "camera", bus = "csi0", alias = "entrance", width = 1280, height = 720, fps = 60 }
"""
MODE = CameraMode(size=Size(320, 180), fps=10, lores=Size(160, 90))
SETTINGS = CameraSettings()


def camera_board() -> Board:
    return parse_board(BOARD, "camera bench")


@dataclass
class CameraBench:
    """The camera, what stands in front of it, and everything it has said."""

    clock: VirtualClock
    world: World
    peer: CameraPeer
    camera: Camera
    frames: list[Frame] = field(default_factory=list)
    statuses: list[CameraStatus] = field(default_factory=list)

    @property
    def phases(self) -> list[CameraPhase]:
        return [status.phase for status in self.statuses]

    async def next_frame(self) -> Frame:
        """The next frame from now on; one of 30 s ago would not do."""
        count = len(self.frames)
        for _ in range(600):
            await self.clock.sleep(0.05)
            if len(self.frames) > count:
                return self.frames[-1]
        raise AssertionError(f"no frame for 30 s: {self.camera.status}")


@asynccontextmanager
async def camera_bench(clock: VirtualClock, way: str = "in process") -> AsyncIterator[CameraBench]:
    """The bench, with the camera off at first."""
    world = World(clock, camera_board())
    connect = WAYS[way]
    async with connect(world) as wires:
        async with at_work(world, wires, clock) as bench:
            yield bench
    world.close()


@asynccontextmanager
async def in_process(world: World) -> AsyncIterator[CameraWires]:
    wires = SimCameraWires(world)
    yield wires
    await wires.close()


@asynccontextmanager
async def over_a_socket(world: World) -> AsyncIterator[CameraWires]:
    with tempfile.TemporaryDirectory() as folder:
        server = WorldServer(world, Path(folder) / "world")
        await server.start()
        wires = await RemoteCameraWires.connect(Path(folder) / "world", world.clock)
        try:
            yield wires
        finally:
            await wires.close()
            await server.close()


WAYS = {"in process": in_process, "over a socket": over_a_socket}


@asynccontextmanager
async def at_work(world: World, wires: CameraWires, clock: VirtualClock) -> AsyncIterator[CameraBench]:
    """The camera's driver at work on these wires."""
    cameras = await assemble_cameras(world.board, wires, clock)
    peer = world.find("camera:entrance")
    assert isinstance(peer, CameraPeer)
    bench = CameraBench(clock, world, peer, cameras.ports["camera1"])
    bench.camera.watch(bench.frames.append)
    bench.camera.on_status(bench.statuses.append)
    work = asyncio.ensure_future(cameras.run())
    try:
        yield bench
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
