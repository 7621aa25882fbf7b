"""The media role on the bench, and the cameras as a test has them: what people do to one, and what it shows.

It runs in the same virtual time as the rest, so every picture of a long wait is painted: only tests that need pictures
start it.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
from PIL import Image

from firmware.app import Parts, Role
from firmware.core.link.channel import Channel, Connect
from firmware.media import MediaWires, media_role
from firmware.video.service import PicturesService
from hal.sim.scene.peer import CameraPeer
from hal.sim.scene.wires import SimCameraWires

if TYPE_CHECKING:
    from tests.bench.sim import SimBench


class Media:
    """The media role of a bench, not running at first."""

    def __init__(self, bench: SimBench) -> None:
        self._bench = bench
        self._role: Role | None = None
        self._of: Parts | None = None
        self.parts: Parts | None = None  # of this start of the firmware

    async def start(self) -> None:
        """Start it, unless it runs."""
        assert self.parts is not None
        if self._of is self.parts:
            return
        self._of = self.parts
        wires = MediaWires(cameras=SimCameraWires(self._bench.world))
        self._role = await self._bench.enter(media_role(self.parts, wires, self._bench.join))

    def reach(self, source: str) -> Connect:
        """The way to the pictures of a source."""
        return partial(self._connect, source)

    async def _connect(self, source: str) -> Channel:
        if self._role is None or self._of is not self.parts:
            raise ConnectionRefusedError("no media role runs")
        for service in self._role.services:
            if isinstance(service, PicturesService):
                return await service.join(source)
        raise ConnectionRefusedError("this board has no pictures")


class CameraFace:
    """One camera."""

    def __init__(self, bench: SimBench, peer: CameraPeer) -> None:
        self._bench = bench
        self._peer = peer

    @property
    def state(self) -> Any:
        """What the device says of it; None before it has said anything."""
        found = [each for each in self._bench.states("video/source") if each.alias == self._peer.alias]
        return found[0] if found else None

    async def shows(self, phase: str) -> Any:
        """Wait until the device says so; returns what it says."""
        await self._bench.until(lambda: self.state is not None and self.state.phase == phase)
        return self.state

    async def ask(self, **query: object) -> httpx.Response:
        """Ask for a snapshot."""
        words = "&".join(f"{name}={value}" for name, value in query.items())
        return await self._bench.api("GET", f"/video/{self._peer.alias}/snapshot?{words}")

    async def snapshot(self, **query: object) -> Image.Image:
        """A snapshot, decoded."""
        answer = await self.ask(**query)
        assert answer.status_code == 200, answer.text
        return Image.open(io.BytesIO(answer.content))

    def cover(self) -> None:
        """Tape over the lens."""
        self._peer.fault("covered")

    def blur(self) -> None:
        """Out of focus."""
        self._peer.fault("blurred")

    def turn(self) -> None:
        """Push it aside."""
        self._peer.fault("turned")

    def uncover(self) -> None:
        """Free, in focus, and where it was."""
        self._peer.put_right()

    def light(self, on: bool) -> None:
        """The light before the camera."""
        self._peer.light(on)

    def hang(self, on: bool = True) -> None:
        """It answers, but sends nothing."""
        if on:
            self._peer.fault("hung")
        else:
            self._peer.clear("hung")

    def unplug(self) -> None:
        """Pull its cable."""
        self._peer.unplug()

    def plug(self) -> None:
        """Put its cable back."""
        self._peer.plug()
