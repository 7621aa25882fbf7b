"""The way of a camera's JPEG files from its device to frames."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import gc
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

import numpy as np
import pytest

from hal.buses import motion_jpeg
from hal.buses import v4l2_kernel as kernel
from hal.buses.motion_jpeg import Decoder
from hal.buses.v4l2_reader import MotionReader
from hal.buses.v4l2_source import V4l2Frames, _Opened
from hal.clock import SystemClock
from hal.drivers.camera import VideoCamera
from hal.pictures import CameraMode, CameraPhase, CameraSettings, CameraStatus, Frame, Picture
from hal.planes import samples
from tests.unit.camera.jpegs import SIZE, coloured, decoder, expected, jpeg, scan_of
from tests.unit.camera.memory_driver import MemoryDriver, pixels_of

GOOD = jpeg(coloured(64, 48))


class Camera:
    """A reader of files on a driver that writes over each buffer as soon as it is handed in."""

    def __init__(self, decodes: Decoder | None = None) -> None:
        self.driver = MemoryDriver(pixels_of("YUYV"), 4)
        self.frames: list[Frame] = []
        self.losses: list[str] = []
        self.reader = MotionReader(
            "usb0",
            SystemClock(),
            self.driver,
            decodes or decoder(),
            self.frames.append,
            lambda error: self.losses.append(str(error)),
        )

    def send(self, file: bytes, flags: int = 0) -> None:
        """The camera sends a file, and the loop calls."""
        self.driver.shoot(file=file, flags=flags)
        self.reader.ready()
        assert self.driver.with_driver == 4

    async def seen(self, seq: int) -> Frame:
        """The frame of that number, which comes."""
        async with asyncio.timeout(30):
            while not any(frame.seq == seq for frame in self.frames):
                await SystemClock().sleep(0.005)
        return next(frame for frame in self.frames if frame.seq == seq)


def against(test: Callable[[Camera], Awaitable[None]], decodes: Decoder | None = None) -> Camera:
    """Run a test with a camera; nothing comes after it."""

    async def main() -> Camera:
        camera = Camera(decodes)
        try:
            await test(camera)
        finally:
            camera.reader.end()
            camera.driver.close()
            await camera.reader.ended()
        count = len(camera.frames)
        await SystemClock().sleep(0)
        assert len(camera.frames) == count
        return camera

    return asyncio.run(main())


def test_files_are_decoded_one_after_the_other_and_torn_ones_are_missed_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shades = {1: 0, 4: 30, 7: 60}

    async def test(camera: Camera) -> None:
        for seq in range(1, 8):
            if seq in shades:
                camera.send(jpeg(coloured(64, 48, shades[seq])))
                await camera.seen(seq)
            else:
                camera.send(GOOD[: seq * 100])
                async with asyncio.timeout(30):
                    while camera.reader._busy is not None:
                        await SystemClock().sleep(0.005)

    with caplog.at_level(logging.WARNING, "hal.camera"):
        camera = against(test)
    assert [frame.seq for frame in camera.frames] == [1, 4, 7]
    for frame in camera.frames:
        wanted = expected(coloured(64, 48, shades[frame.seq]))
        assert np.abs(samples(frame.main.y) - wanted[0]).mean() < 2
    assert len(caplog.records) == 1
    assert "usb0: a torn picture is left out" in caplog.text
    assert not camera.losses


def test_torn_files_keep_no_memory_until_the_garbage_collector_comes() -> None:
    begins, ends = scan_of(GOOD)
    torn = GOOD[: (begins + ends) // 2] + GOOD[-2:]
    places: set[int] = set()

    async def test(camera: Camera) -> None:
        for seq in range(1, 40, 2):
            camera.send(GOOD)
            places.add(samples((await camera.seen(seq)).main.y).ctypes.data)
            camera.frames.clear()
            camera.send(torn)
            async with asyncio.timeout(30):
                while camera.reader._busy is not None:
                    await SystemClock().sleep(0.001)

    gc.disable()
    try:
        against(test)
    finally:
        gc.enable()
    assert len(places) <= 2


def test_why_nothing_is_a_picture_is_known_until_the_next_one_comes() -> None:
    seen: list[str] = []

    async def test(camera: Camera) -> None:
        async def refused(why: str) -> None:
            async with asyncio.timeout(30):
                while camera.reader.refused != why:
                    await SystemClock().sleep(0.005)
            seen.append(why)

        await refused("")
        camera.send(jpeg(coloured(48, 64)))
        await refused("its size is 48 x 64 instead of 64 x 48")
        camera.send(GOOD[:-500])
        await refused("Premature end of JPEG file")
        camera.send(GOOD)
        await camera.seen(3)
        await refused("")
        camera.send(GOOD, flags=kernel.BUFFER_ERROR)
        await refused("the driver says that some of it is missing")
        camera.send(GOOD)
        await camera.seen(5)
        await refused("")

    against(test)
    assert len(seen) == 6


class WatchedDriver(MemoryDriver):
    """With a descriptor that a loop can watch: it is readable while a buffer is full."""

    def __init__(self) -> None:
        super().__init__(pixels_of("YUYV"), 4)
        event = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
        os.dup2(event, self.fd)
        os.close(event)

    def send(self, file: bytes) -> None:
        self.shoot(file=file)
        os.eventfd_write(self.fd, 1)

    def ioctl(self, fd: int, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:  # type: ignore[override]
        super().ioctl(fd, request, argument)
        if request == kernel.DQBUF:
            os.eventfd_read(self.fd)


class PluggedIn(V4l2Frames):
    """A camera that sends files and is there."""

    driver: WatchedDriver

    def _open(self, mode: CameraMode, settings: CameraSettings) -> _Opened:
        del settings
        pixels = pixels_of("MJPG")
        self.driver = WatchedDriver()
        return _Opened(self.driver, pixels, False, mode.fps, frozenset())


def test_a_camera_all_of_whose_pictures_are_refused_is_lost_with_the_reason_until_one_is_whole() -> None:
    async def main() -> None:
        clock = SystemClock()
        source = PluggedIn("usb0", "/dev/video0", clock)
        camera = VideoCamera("camera1", source, clock, CameraMode(size=SIZE, fps=30))
        work = asyncio.ensure_future(camera.run())

        async def sends(file: bytes, until: Callable[[CameraStatus], bool]) -> None:
            async with asyncio.timeout(60):
                while not until(camera.status):
                    if source._device is not None and source.driver.empty:
                        source.driver.send(file)
                    await clock.sleep(0.02)

        wanted = "no whole picture for 1 s: its size is 48 x 64 instead of 64 x 48"
        try:
            camera.start(CameraMode(size=SIZE, fps=30), CameraSettings())
            await sends(jpeg(coloured(48, 64)), lambda status: status.reason == wanted)
            assert camera.status.phase is CameraPhase.LOST
            await sends(GOOD, lambda status: status.phase is CameraPhase.RUNNING)
            assert camera.status.reason == ""
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    asyncio.run(main())


class Broken(Decoder):
    """Fails in a way that nobody has thought of."""

    def picture(self, file: bytes) -> Picture:
        del file
        raise ZeroDivisionError("nobody has thought of that")


def test_a_decoder_that_fails_unexpectedly_is_a_loss_of_the_camera_that_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    library = motion_jpeg.load()
    assert library is not None
    trouble: list[dict[str, object]] = []

    async def test(camera: Camera) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
        camera.send(GOOD)
        camera.send(GOOD)
        async with asyncio.timeout(30):
            while not camera.losses:
                await SystemClock().sleep(0.005)
        camera.driver.fails = errno.ENODEV
        camera.reader.ready()  # which the loop had on its list already
        await SystemClock().sleep(0.05)

    with caplog.at_level(logging.DEBUG):
        camera = against(test, Broken(SIZE, library))
    assert camera.losses == ["usb0: its pictures cannot be decoded: ZeroDivisionError: nobody has thought of that"]
    assert not camera.frames
    assert not trouble
    assert not [record for record in caplog.records if record.name == "asyncio" and record.levelno >= logging.WARNING]


class Held(Decoder):
    """Decodes when it is told to, as on a machine that is busy."""

    def __init__(self) -> None:
        library = motion_jpeg.load()
        assert library is not None
        super().__init__(SIZE, library)
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def picture(self, file: bytes) -> Picture:
        self.begun.release()
        self.go.acquire()
        return super().picture(file)


def test_of_what_comes_while_one_is_decoded_only_the_newest_waits() -> None:
    held = Held()

    async def test(camera: Camera) -> None:
        for _ in range(5):
            camera.send(GOOD)
        held.go.release()
        held.go.release()
        await camera.seen(5)

    camera = against(test, held)
    assert [frame.seq for frame in camera.frames] == [1, 5]


def test_a_camera_that_is_stopped_while_a_file_is_decoded_delivers_nothing_more() -> None:
    held = Held()

    async def test(camera: Camera) -> None:
        camera.send(GOOD)
        camera.send(GOOD)
        await asyncio.to_thread(held.begun.acquire)
        asyncio.get_running_loop().call_soon(held.go.release)

    camera = against(test, held)
    assert not camera.frames
    assert not camera.losses


def test_what_is_decoded_when_the_camera_is_lost_is_not_delivered_after_that() -> None:
    held = Held()

    async def test(camera: Camera) -> None:
        camera.send(GOOD)
        camera.send(GOOD)
        await asyncio.to_thread(held.begun.acquire)
        camera.driver.fails = errno.ENODEV
        camera.reader.ready()
        held.go.release()
        async with asyncio.timeout(30):
            while camera.reader._busy is not None:
                await SystemClock().sleep(0.005)

    camera = against(test, held)
    assert camera.losses == ["usb0: the camera was unplugged"]
    assert not camera.frames


def test_a_camera_of_files_that_is_unplugged_is_lost_and_what_the_driver_calls_torn_is_missed() -> None:
    async def test(camera: Camera) -> None:
        camera.send(GOOD)
        await camera.seen(1)

        camera.send(GOOD, flags=kernel.BUFFER_ERROR)
        camera.send(GOOD)
        await camera.seen(3)
        camera.driver.fails = errno.ENODEV
        camera.reader.ready()

    camera = against(test)
    assert [frame.seq for frame in camera.frames] == [1, 3]
    assert camera.losses == ["usb0: the camera was unplugged"]
