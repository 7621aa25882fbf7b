"""The media role: what it is built from, and the services of sound and pictures that a board needs.

Composition of the one role that opens cameras, speakers and microphones. Its wires are not those of control: what
hangs, floods or crashes here cannot reach the door. numpy and what stands on it are imported here and nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from firmware.app import Parts, Role, guest_role
from firmware.core.context import Core
from firmware.core.link.channel import Connect
from firmware.core.service import Service
from firmware.core.vocabulary.device import DeviceInfo
from firmware.paths import RuntimeDir
from firmware.roles import duties_on

if TYPE_CHECKING:
    from hal.assemble_cameras import Cameras
    from hal.wires import CameraWires, SoundWires


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaWires:
    """What the media role is handed, real or simulated; None for what its board has not."""

    cameras: CameraWires | None = None
    sound: SoundWires | None = None

    async def close(self) -> None:
        """Give everything back."""
        async with AsyncExitStack() as whatever_fails:
            if self.cameras is not None:
                whatever_fails.push_async_callback(self.cameras.close)
            if self.sound is not None:
                whatever_fails.push_async_callback(self.sound.close)


class CamerasService:
    """The camera drivers' own work; a crash of theirs ends the media role, and nothing else."""

    name: ClassVar[str] = "cameras"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"camera"})

    def __init__(self, cameras: Cameras) -> None:
        self._cameras = cameras

    async def start(self) -> None:
        """Nothing is opened before a service starts a camera."""

    async def run(self) -> None:
        """Let the drivers work."""
        await self._cameras.run()

    async def stop(self) -> None:
        """The drivers close their cameras when `run` ends."""


@asynccontextmanager
async def media_role(
    parts: Parts, wires: MediaWires, connect: Connect | Path, runtime: RuntimeDir | None = None
) -> AsyncIterator[Role]:
    """Build media on these wires; it joins control at `connect`. Raises BoardError, BusError, Unavailable.

    Pictures are served in `runtime`; without one only inside this process.
    """
    cameras = None
    if wires.cameras is not None:
        from hal.assemble_cameras import assemble_cameras

        cameras = await assemble_cameras(parts.board, wires.cameras, parts.clock)

    def make(core: Core, info: DeviceInfo) -> tuple[Service, ...]:
        return media_services(parts, core, cameras, wires.sound, runtime)

    async with guest_role(parts, "media", connect, make) as role:
        yield role


def media_services(
    parts: Parts, core: Core, cameras: Cameras | None, sound: SoundWires | None, runtime: RuntimeDir | None
) -> tuple[Service, ...]:
    """The services of media that this board needs, in the order of their start."""
    makers: dict[str, Callable[[], tuple[Service, ...]]] = {}
    if sound is not None:
        from firmware.media_sound import sound_makers

        makers |= sound_makers(parts, core, sound, None if runtime is None else runtime.voices)
    if cameras is not None:
        from firmware.video.night import NightPicturesService
        from firmware.video.service import PicturesService
        from firmware.video.source import Source
        from firmware.video.tampering import TamperingService

        sources = {
            name: Source(name, parts.board.nodes[name].alias or name, camera, core.bus)
            for name, camera in cameras.ports.items()
        }

        def path(source: str) -> Path | None:
            return None if runtime is None else runtime.video(source)

        def hands(source: str) -> Path | None:
            return None if runtime is None else runtime.viewers(source)

        makers["pictures"] = lambda: (CamerasService(cameras), PicturesService(core, sources, path, hands))
        makers["tampering"] = lambda: (TamperingService(core, sources),)
        makers["night_pictures"] = lambda: (NightPicturesService(core, sources),)
    on = duties_on(parts.board, "media")
    return tuple(service for name, make in makers.items() if name in on for service in make())
