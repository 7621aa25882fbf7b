"""The cameras of a simulated world; implements CameraWires."""

from __future__ import annotations

from hal.sim.scene.source import SceneFrames
from hal.sim.world import World


class SimCameraWires:
    """The cameras of one world, in its process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._opened: list[SceneFrames] = []

    async def frames(self, bus: str) -> SceneFrames:
        """The camera on that bus. Raises BoardError."""
        frames = SceneFrames(self._world.camera(bus), self._world.clock)
        self._opened.append(frames)
        return frames

    async def close(self) -> None:
        """Stop every camera."""
        for frames in self._opened:
            await frames.stop()
        self._opened.clear()
