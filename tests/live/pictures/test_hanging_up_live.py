"""A watcher that hangs up in the very moment in which a picture comes, in the loop of either role."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from firmware.child import loop_of
from firmware.core.stream.server import FrameServer
from firmware.core.stream.wire import Cut, Jpeg, pack, pack_cut
from hal.clock import SystemClock

TIMES = 30
PICTURE = bytes(60_000)


def picture(number: int) -> bytes:
    return pack(Jpeg(PICTURE, 640, 360, number, number))


@pytest.mark.parametrize("role", ["media", "network"])
def test_a_watcher_that_hangs_up_as_a_picture_comes_is_no_trouble_of_the_source(tmp_path: Path, role: str) -> None:
    async def main() -> None:
        clock, server = SystemClock(), FrameServer(tmp_path / "frames", lambda watcher: None)
        camera, shutter = os.pipe()

        def shoot() -> None:
            os.read(camera, 1)
            server.watchers[0].offer(picture(2))

        asyncio.get_running_loop().add_reader(camera, shoot)
        await server.start()
        serving = asyncio.ensure_future(server.run())
        for _ in range(TIMES):
            with socket.socket(socket.AF_UNIX) as far:
                far.connect(str(tmp_path / "frames"))
                far.sendall(pack_cut(Cut()))
                while not server.watchers or server.watchers[0].cut is None:
                    await clock.sleep(0.001)
                server.watchers[0].offer(picture(1))  # which it leaves unread
                await clock.sleep(0.005)
            os.write(shutter, b"x")  # one round of the loop sees both
            while server.watchers and not serving.done():
                await clock.sleep(0.001)
            assert not serving.done(), serving.exception()
        serving.cancel()
        await asyncio.wait((serving,))
        await server.stop()
        asyncio.get_running_loop().remove_reader(camera)
        os.close(camera)
        os.close(shutter)

    with asyncio.Runner(loop_factory=loop_of(role)) as runner:
        runner.run(asyncio.wait_for(main(), 60))
