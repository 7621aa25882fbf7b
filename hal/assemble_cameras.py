"""The cameras of a board, for the media role: board and camera wires in, camera ports out.

Control assembles everything else (`hal.assemble`) and is never handed camera wires, so that a camera that hangs,
floods or crashes its library cannot reach the door.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from hal.board import Board, CameraNode
from hal.clock import Clock
from hal.drivers.camera import VideoCamera
from hal.pictures import CameraMode, Size
from hal.ports import Camera
from hal.wires import CameraWires


class Cameras:
    """The cameras of a board by node name, and their life. The wires stay their owner's to close."""

    def __init__(self, cameras: Mapping[str, VideoCamera]) -> None:
        self._cameras = cameras

    @property
    def ports(self) -> Mapping[str, Camera]:
        """The cameras as services see them, all off at first."""
        return MappingProxyType(self._cameras)

    async def run(self) -> None:
        """Let the cameras work; ends only by cancellation, with every camera closed."""
        async with asyncio.TaskGroup() as group:
            for camera in self._cameras.values():
                group.create_task(camera.run())
            await asyncio.get_running_loop().create_future()


async def assemble_cameras(board: Board, wires: CameraWires, clock: Clock) -> Cameras:
    """A driver for every camera node; nothing is opened before somebody starts a camera. Raises BoardError."""
    cameras: dict[str, VideoCamera] = {}
    for name, node in board.nodes.items():
        if isinstance(node, CameraNode):
            largest = CameraMode(size=Size(node.width, node.height), fps=node.fps)
            cameras[name] = VideoCamera(name, await wires.frames(node.bus), clock, largest)
    return Cameras(cameras)
