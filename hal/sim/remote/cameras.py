"""The cameras of a world in another process; implements CameraWires.

Only the scene crosses the socket, when it changes; the pictures are painted here, in the process that wants them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hal.clock import Clock, SystemClock
from hal.sim.remote.client import Link, Lost, open_link
from hal.sim.remote.lines import Message
from hal.sim.remote.scenes import scene_of
from hal.sim.scene.eye import SceneState
from hal.sim.scene.source import SceneFrames


class RemoteEye:
    """A copy of one camera's scene; implements Eye. Without its world there is no camera."""

    def __init__(self, link: Link, bus: str) -> None:
        self.bus = bus
        self._link = link
        self._scene: SceneState | None = None

    def take(self, data: Message) -> None:
        """Note the scene as it is now."""
        self._scene = scene_of(data)

    def scene(self) -> SceneState:
        """What was heard last."""
        assert self._scene is not None  # it is handed out only once it has heard
        return self._scene if self._link.connected else replace(self._scene, present=False)

    def looking(self, on: bool) -> None:
        """Tell the world whether the firmware looks."""
        if self._link.connected:
            self._link.tell({"op": "looking", "bus": self.bus, "on": on})


class RemoteCameraWires:
    """The cameras behind the socket of a `WorldServer`, over a stream of their own."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._opened: list[SceneFrames] = []

    @classmethod
    async def connect(
        cls, path: Path | str, clock: Clock | None = None, *, lost: Lost | None = None, within_s: float = 0.0
    ) -> RemoteCameraWires:
        """Connect, trying for `within_s` seconds while the world is not up yet. Raises BusError."""
        clock = clock or SystemClock()
        return cls(await open_link(path, clock, lost, within_s=within_s), clock)

    async def frames(self, bus: str) -> SceneFrames:
        """The camera on that bus. Raises BoardError, BusError."""
        eye = RemoteEye(self._link, bus)
        self._link.eyes[bus] = eye.take
        await self._link.ask({"op": "eye", "bus": bus}, eye.take)
        frames = SceneFrames(eye, self._clock)
        self._opened.append(frames)
        return frames

    async def close(self) -> None:
        """Stop every camera and hang up."""
        for frames in self._opened:
            await frames.stop()
        self._opened.clear()
        self._link.close()
