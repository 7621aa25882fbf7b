"""The V4L2 source on a real kernel's simulated camera (vivid): pictures, rates, controls, loss and return."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hal.buses import v4l2_kernel as kernel
from hal.buses.v4l2_setup import choose_format, choose_rate
from hal.buses.v4l2_source import V4l2Frames
from hal.clock import SystemClock
from hal.drivers.camera import VideoCamera
from hal.errors import BusError
from hal.pictures import CameraMode, CameraPhase, CameraSettings, Frame, Size, Tuning
from hal.planes import samples, scaled

DEVICE = "/dev/video0"
DRIVER = Path("/sys/bus/platform/drivers/vivid")
MODE = CameraMode(size=Size(640, 360), fps=25, lores=Size(160, 90))

pytestmark = pytest.mark.skipif(not Path(DEVICE).exists(), reason="this kernel has no /dev/video0 (vivid)")


async def watch(source: V4l2Frames, mode: CameraMode, settings: CameraSettings, count: int) -> list[Frame]:
    """Start, collect frames, stop."""
    frames: list[Frame] = []
    losses: list[BusError] = []
    await source.start(mode, settings, frames.append, losses.append)
    try:
        async with asyncio.timeout(30):
            while len(frames) < count:
                assert not losses
                await SystemClock().sleep(0.01)
    finally:
        await source.stop()
    return frames


def test_the_bars_of_the_simulated_camera_are_seen_in_both_streams() -> None:
    frames = asyncio.run(watch(V4l2Frames("usb0", DEVICE, SystemClock()), MODE, CameraSettings(), 5))
    for frame in frames:
        assert frame.lores is None
        for picture in (frame.main, scaled(frame.main, Size(160, 90))):
            # vivid's bars: white, yellow, cyan, green, magenta, red, blue, black, from left to right
            row = samples(picture.y)[int(picture.height * 0.8)].astype(int)
            bars = [row[int((number + 0.5) * picture.width / 8)] for number in range(8)]
            assert bars == sorted(bars, reverse=True), bars
            assert bars[0] > 150
            assert bars[7] < 30
            hues = samples(picture.v)[int(picture.v.height * 0.8)].astype(int)
            assert hues[int(5.5 * picture.v.width / 8)] > 180  # red
            assert hues[int(3.5 * picture.v.width / 8)] < 90  # green
    assert (frames[0].main.width, frames[0].main.height) == (640, 360)


def test_frames_are_numbered_and_stamped_in_monotonic_time() -> None:
    before = SystemClock().now_ns()
    frames = asyncio.run(watch(V4l2Frames("usb0", DEVICE, SystemClock()), MODE, CameraSettings(), 20))
    stamps = [frame.t_ns for frame in frames]
    assert stamps == sorted(set(stamps))
    assert before <= stamps[0] <= stamps[-1] <= SystemClock().now_ns()
    numbers = [frame.seq for frame in frames]
    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))


def test_every_buffer_keeps_the_kernels_own_stamp_and_number() -> None:
    device = kernel.Device(DEVICE)
    try:
        choose_format("usb0", device, MODE.size, MODE.fps)
        assert choose_rate(device, 25) == 25
        device.map_buffers(4)
        device.stream(True)
        seen: list[tuple[int, int]] = []
        while len(seen) < 20:
            assert select.select([device.fd], [], [], 10)[0]
            buffer = device.fetch()
            assert buffer.bytesused == 640 * 360 * 3 // 2
            assert buffer.flags & kernel.MONOTONIC
            seen.append((buffer.sequence, buffer.timestamp.s * 1_000_000 + buffer.timestamp.us))
            device.hand_in(buffer.index)
        device.stream(False)
    finally:
        device.close()
    numbers = [number for number, _ in seen]
    assert numbers == sorted(set(numbers))
    # vivid stamps by its own schedule, not by when we came to look
    period_us = (seen[-1][1] - seen[0][1]) / (numbers[-1] - numbers[0])
    assert period_us == pytest.approx(40_000, rel=0.1)


def mappings() -> list[range]:
    """Where memory of the camera's lies in this process."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if DEVICE in line]
    return [range(*(int(end, 16) for end in line[0].split("-"))) for line in lines]


def test_a_frame_is_the_cameras_own_memory_and_stays_as_it_was_while_it_is_held_and_after_the_camera_is_closed() -> (
    None
):
    def seen(frame: Frame) -> bytes:
        return b"".join(samples(plane).tobytes() for plane in (frame.main.y, frame.main.u, frame.main.v))

    async def main() -> None:
        first: list[tuple[Frame, bytes]] = []
        later: list[Frame] = []
        lent: list[bool] = []

        def take(frame: Frame) -> None:
            if not first:  # not so many that with the newest and the next all are lent that may be
                first.append((frame, seen(frame)))
            later[:] = [frame]
            at = samples(frame.main.y).ctypes.data
            lent.append(any(at in each for each in mappings()))

        source = V4l2Frames("usb0", DEVICE, SystemClock())
        for _ in range(2):  # the second time while frames of the first are held
            lent.clear()
            await source.start(MODE, CameraSettings(), take, lambda _: None)
            try:
                async with asyncio.timeout(30):
                    while len(lent) < 40:
                        await SystemClock().sleep(0.01)
                assert all(lent), lent
                assert [seen(frame) == before for frame, before in first] == [True]
            finally:
                await source.stop()
            assert not mappings()
            assert [seen(frame) == before for frame, before in first] == [True]
        assert len({before for _, before in first} | {seen(later[0])}) == 2  # it writes another picture each time

    asyncio.run(main())


def test_brightness_is_the_cameras_own_control() -> None:
    async def main() -> None:
        means = []
        for brightness in (20, 50, 80):
            source = V4l2Frames("usb0", DEVICE, SystemClock())
            frames = await watch(source, MODE, CameraSettings(brightness=brightness), 4)
            means.append(float(samples(frames[-1].main.y)[300:].mean()))
        assert np.all(np.diff(means) > 10), means

    asyncio.run(main())


def test_what_can_be_set_is_what_the_camera_has() -> None:
    async def main() -> None:
        source = V4l2Frames("usb0", DEVICE, SystemClock())
        taken = await source.start(MODE, CameraSettings(), lambda _: None, lambda _: None)
        assert source.tunings == {Tuning.BRIGHTNESS, Tuning.CONTRAST, Tuning.SATURATION}
        assert taken.fps > 0
        await source.tune(CameraSettings(saturation=0))
        await source.stop()
        assert source.tunings == frozenset()

    asyncio.run(main())


def test_a_size_the_camera_has_not_got_is_refused_with_what_it_offers() -> None:
    async def main() -> None:
        source = V4l2Frames("usb0", DEVICE, SystemClock())
        with pytest.raises(
            BusError, match=r"usb0: the camera cannot do 642 x 362 in YU12, YUYV or MJPG; it offers \d+ x \d+"
        ):
            await source.start(replace(MODE, size=Size(642, 362)), CameraSettings(), lambda _: None, lambda _: None)
        await watch(source, MODE, CameraSettings(), 1)

    asyncio.run(main())


def scene_of(
    act: Callable[[VideoCamera, list[Frame], Callable[[CameraPhase], Awaitable[None]]], Awaitable[None]],
) -> None:
    async def main() -> None:
        clock = SystemClock()
        camera = VideoCamera("camera1", V4l2Frames("usb0", DEVICE, clock), clock, replace(MODE, lores=None))
        frames: list[Frame] = []
        camera.watch(frames.append)
        work = asyncio.ensure_future(camera.run())

        async def until(phase: CameraPhase) -> None:
            async with asyncio.timeout(30):
                while camera.status.phase is not phase:
                    await clock.sleep(0.02)

        try:
            camera.start(MODE, CameraSettings())
            await until(CameraPhase.RUNNING)
            await act(camera, frames, until)
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    asyncio.run(main())


@pytest.mark.skipif(not (DRIVER / "unbind").exists(), reason="vivid cannot be unbound here")
def test_an_unplugged_camera_is_lost_and_comes_back_when_it_is_plugged_in() -> None:
    async def act(camera: VideoCamera, frames: list[Frame], until: Callable[[CameraPhase], Awaitable[None]]) -> None:
        await asyncio.to_thread((DRIVER / "unbind").write_text, "vivid.0")
        try:
            await until(CameraPhase.LOST)
            count = len(frames)
            assert "unplugged" in camera.status.reason or "no camera at /dev/video0" in camera.status.reason
        finally:
            await asyncio.to_thread((DRIVER / "bind").write_text, "vivid.0")
        await until(CameraPhase.RUNNING)
        assert len(frames) > count
        assert camera.status.losses == 1

    scene_of(act)
