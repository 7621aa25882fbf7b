"""The cameras of a simulated world; implements CameraWires."""

from __future__ import annotations

from hal.errors import BoardError, nearest
from hal.sim.scene.peer import CameraPeer
from hal.sim.scene.source import SceneFrames
from hal.sim.world import World


class SimCameraWires:
    """The cameras of one world, in its process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._opened: list[SceneFrames] = []

    async def frames(self, bus: str) -> SceneFrames:
        """The camera on that bus. Raises BoardError."""
        cameras = {peer.bus: peer for peer in self._world.peers.values() if isinstance(peer, CameraPeer)}
        if bus not in cameras:
            raise BoardError("buses", f"no camera on a bus {bus!r}{nearest(bus, cameras)}")
        frames = SceneFrames(cameras[bus], self._world.clock)
        self._opened.append(frames)
        return frames

    async def close(self) -> None:
        """Stop every camera."""
        for frames in self._opened:
            await frames.stop()
        self._opened.clear()
