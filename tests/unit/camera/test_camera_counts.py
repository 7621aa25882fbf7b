"""What a camera's status counts: frames that came and frames that are missing between them, since it was off."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hal.drivers.camera import VideoCamera
from hal.pictures import CameraMode, CameraPhase, CameraSettings, Frame, Picture, Size, Tuning
from hal.sim.time import VirtualClock, virtual_run
from hal.wires import FrameHandler, LostHandler

MODE = CameraMode(size=Size(64, 48), fps=10)
PICTURE = Picture.of(bytes(64 * 48 * 3 // 2), 64, 48)


class Numbered:
    """Frames with whatever numbers are asked for; implements Frames."""

    tunings: frozenset[Tuning] = frozenset()
    refused = ""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._handler: FrameHandler | None = None

    async def start(
        self, mode: CameraMode, settings: CameraSettings, handler: FrameHandler, lost: LostHandler
    ) -> CameraMode:
        self._handler = handler
        return mode

    async def stop(self) -> None:
        self._handler = None

    async def tune(self, settings: CameraSettings) -> None:
        pass

    def send(self, *numbers: int) -> None:
        assert self._handler is not None
        for number in numbers:
            self._handler(Frame(self._clock.now_ns(), number, PICTURE))


def test_frames_are_counted_and_those_that_a_gap_in_the_numbers_tells_of_until_the_camera_is_off() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Numbered(clock)
        camera = VideoCamera("camera1", wire, clock, MODE)
        running = asyncio.ensure_future(camera.run())
        found = []

        async def after(*numbers: int) -> None:
            await clock.sleep(0.01)
            wire.send(*numbers)
            found.append((camera.status.frames, camera.status.missed))

        camera.start(MODE, CameraSettings())
        await after(1, 2)
        await after(5)
        await after(6, 8)
        camera.stop()
        await clock.sleep(0.01)
        assert (camera.status.phase, camera.status.frames, camera.status.missed) == (CameraPhase.OFF, 0, 0)
        camera.start(MODE, CameraSettings())
        await after(3)
        assert found == [(2, 0), (3, 2), (5, 3), (1, 2)]
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    virtual_run(main)
