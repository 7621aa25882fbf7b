"""What becomes of frames that are held when a stream ends, however it ends; and what is no whole frame.

The driver here writes over a buffer as soon as it is handed in.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hal.buses import v4l2_kernel as kernel
from hal.buses.mapped import Mapped
from hal.buses.v4l2_reader import PictureReader, Pictures
from hal.buses.v4l2_source import LENT_BUFFERS, V4l2Frames, _Opened
from hal.clock import SystemClock
from hal.errors import BusError
from hal.pictures import CameraMode, CameraSettings, Frame, Size
from hal.planes import samples
from tests.unit.camera.memory_driver import FILE, MemoryDriver, pixels_of
from tests.unit.camera.read_camera import Camera, values

# the end of a stream


def mapped() -> int:
    """How many mappings of a driver's memory this process has."""
    return sum(FILE in line for line in Path("/proc/self/maps").read_text().splitlines())


def test_a_camera_that_is_closed_leaves_what_is_held_as_it_was_and_nothing_of_the_driver_stays_mapped() -> None:
    before = mapped()
    camera = Camera(pixels_of("YU12"))
    numbers = [camera.shoot(), camera.shoot()]
    held = [samples(camera.latest.main.y), camera.latest.main.v] if camera.latest else []
    assert mapped() > before
    camera.close()
    assert mapped() == before
    assert [values(each) for each in held] == [{numbers[1]}] * 2
    camera.close()
    assert [values(each) for each in held] == [{numbers[1]}] * 2


def test_a_thread_that_reads_while_the_camera_is_closed_sees_no_other_picture() -> None:
    for _ in range(20):
        camera = Camera(pixels_of("YU12", 320, 240))
        camera.shoot()
        number = camera.shoot()
        assert camera.latest is not None
        rows = samples(camera.latest.main.y)
        seen: set[int] = set()
        reads, stop = threading.Event(), threading.Event()

        def read(
            rows: Any = rows, seen: set[int] = seen, reads: threading.Event = reads, stop: threading.Event = stop
        ) -> None:
            while not stop.is_set():
                seen.update(np.unique(rows).tolist())
                reads.set()

        thread = threading.Thread(target=read)
        thread.start()
        reads.wait()
        camera.close()
        reads.clear()
        reads.wait()
        stop.set()
        thread.join()
        assert seen == {number}


def test_memory_that_was_held_over_the_end_is_given_back_when_it_is_let_go_of() -> None:
    def size_kb() -> int:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmSize")).split()[1])

    def once() -> None:
        camera = Camera(pixels_of("YU12", 2048, 1024))
        camera.shoot()
        held = camera.latest
        camera.close()
        assert held is not None
        assert held.main.y.row(1000)[5] == 0

    once()
    before = size_kb()
    for _ in range(40):
        once()
    assert size_kb() - before < 20 * 3072  # of 40 pictures


def test_memory_that_cannot_be_mapped_is_an_error_that_says_why() -> None:
    with Path(os.devnull).open("rb") as nothing, pytest.raises(OSError, match="No such device"):
        Mapped(nothing.fileno(), 4096, 0)


def test_a_camera_that_is_closed_while_there_is_no_memory_for_copies_leaves_what_is_held_where_it_is() -> None:
    camera = Camera(pixels_of("YU12", 4096, 2048))
    number = camera.shoot()
    held = camera.latest
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    status = Path("/proc/self/status").read_text()
    now_kb = int(next(line for line in status.splitlines() if line.startswith("VmSize")).split()[1])
    resource.setrlimit(resource.RLIMIT_AS, ((now_kb + 4096) * 1024, hard))
    try:
        with pytest.raises(OSError, match="Cannot allocate memory"):
            camera.driver.close()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert camera.driver.fd == -1
    assert held is not None
    assert held.main.y.row(2000)[7] == number
    del held
    camera.close()


def test_one_buffer_without_memory_for_its_copy_keeps_no_other_from_being_parted() -> None:
    before = mapped()
    camera = Camera(pixels_of("YU12"))
    number = camera.shoot()
    large = os.memfd_create("larger-than-all-memory")
    os.ftruncate(large, 1 << 30)
    camera.driver.buffers.insert(0, Mapped(large, 1 << 30, 0))
    os.close(large)
    held, looked_at = camera.latest, camera.driver.buffers[0].whole[:1]
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    status = Path("/proc/self/status").read_text()
    now_kb = int(next(line for line in status.splitlines() if line.startswith("VmSize")).split()[1])
    resource.setrlimit(resource.RLIMIT_AS, ((now_kb + (512 << 10)) * 1024, hard))
    try:
        with pytest.raises(OSError, match="Cannot allocate memory"):
            camera.driver.close()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert mapped() == before
    assert camera.driver.fd == -1
    assert held is not None
    assert values(held) == {number}
    assert looked_at[0] == 0
    camera.close()


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV])
def test_a_camera_that_cannot_be_stopped_is_closed_all_the_same(number: int) -> None:
    async def main() -> None:
        camera = Camera(pixels_of("YU12"))
        camera.shoot()
        source = V4l2Frames("usb0", "/dev/video0", SystemClock())
        source._device, source._reader = camera.driver, camera.reader
        camera.driver.fails = number
        if number == errno.ENODEV:  # it is gone, so there is nothing to stop
            await source.stop()
        else:
            with pytest.raises(BusError, match="usb0: cannot be closed: Input/output error"):
                await source.stop()
        assert camera.driver.fd == -1
        await source.stop()

    asyncio.run(main())


class SlowToOpen(V4l2Frames):
    """A camera that takes until `go` to open."""

    def __init__(self) -> None:
        super().__init__("usb0", "/dev/video0", SystemClock())
        self.begun, self.go, self.ends = threading.Event(), threading.Event(), threading.Event()
        self.opened: list[MemoryDriver] = []

    def _open(self, mode: CameraMode, settings: CameraSettings) -> _Opened:
        del settings
        pixels = pixels_of("YU12")
        self.begun.set()
        self.go.wait()
        self.opened.append(MemoryDriver(pixels, 4))
        self.ends.set()
        return _Opened(self.opened[-1], pixels, True, mode.fps, frozenset())


@pytest.mark.parametrize("after", [False, True])
def test_a_camera_that_is_no_longer_wanted_while_it_opens_is_closed_when_it_has_opened(after: bool) -> None:
    before = mapped()

    async def main() -> SlowToOpen:
        source = SlowToOpen()
        work = asyncio.ensure_future(
            source.start(CameraMode(size=Size(64, 48), fps=30), CameraSettings(), lambda _: None, lambda _: None)
        )
        async with asyncio.timeout(30):
            while not source.begun.is_set():
                await SystemClock().sleep(0.001)
            if after:  # it has opened by then, which the loop has not heard of
                source.go.set()
                source.ends.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            source.go.set()
            while not source.opened or source.opened[0].memory >= 0:
                await SystemClock().sleep(0.001)
        return source

    source = asyncio.run(main())
    assert source.opened[0].fd == -1
    assert mapped() == before


@contextmanager
def unplugged(camera: Camera) -> Iterator[None]:
    """From now on the driver knows nothing of a camera; the loop is there, which is told to look no more."""
    camera.driver.fails = errno.ENODEV

    async def main() -> None:
        camera.reader.ready()

    yield
    asyncio.run(main())


def test_a_camera_that_is_unplugged_while_frames_are_held_is_lost_once_and_leaves_them_as_they_were() -> None:
    camera = Camera(pixels_of("YU12"))
    camera.shoot()
    number = camera.shoot()
    first = camera.latest
    with unplugged(camera):
        pass
    assert camera.losses == ["usb0: the camera was unplugged"]
    handed_in = list(camera.driver.handed_in)
    camera.close()
    assert first is not None
    assert values(first) == {number}
    del first
    assert camera.driver.handed_in == handed_in  # whoever lets go then speaks with no driver


def test_a_camera_that_goes_while_a_frame_is_handed_out_is_lost_too() -> None:
    async def main() -> None:
        with closing(Camera(pixels_of("YU12"))) as camera:

            def goes(frame: Frame) -> None:
                assert values(frame) == {0}
                camera.driver.fails = errno.ENODEV

            camera.take = goes
            camera.shoot()
            assert camera.losses == ["usb0: the camera was unplugged"]

    asyncio.run(main())


def test_what_was_held_of_the_stream_before_goes_to_no_driver() -> None:
    old = Camera(pixels_of("YU12"))
    old_numbers = [old.shoot() for _ in range(3)]
    held = old.latest
    old.close()
    handed_in = list(old.driver.handed_in)
    with closing(Camera(pixels_of("YU12", 32, 32))) as new:
        for _ in range(5):
            new.shoot()
        assert held is not None
        assert values(held) == {old_numbers[-1]}
        del held
        for _ in range(5):
            new.shoot()
        assert new.driver.with_driver == LENT_BUFFERS - 1
        assert old.driver.handed_in == handed_in


# what is no whole frame


def test_half_a_picture_that_the_driver_knows_of_is_handed_in_at_once_and_counts_as_missed() -> None:
    with closing(Camera(pixels_of("YU12"))) as camera:
        camera.shoot()
        camera.shoot(flags=kernel.BUFFER_ERROR, used=7)
        assert camera.driver.handed_in == [1]
        camera.shoot()
        assert camera.latest is not None
        assert camera.latest.seq == 3


@pytest.mark.parametrize(("letters", "lends"), [("YU12", True), ("YU12", False), ("YUYV", False)])
def test_half_a_picture_is_an_error_of_the_camera_after_which_it_can_be_closed_at_once(
    letters: str, lends: bool
) -> None:
    async def main() -> None:
        pixels = pixels_of(letters)
        camera = Camera(pixels, lends=lends)

        def lost(error: BusError) -> None:
            camera.losses.append(str(error))
            camera.driver.close()

        camera.reader = PictureReader(
            "usb0", SystemClock(), Pictures(camera.driver, pixels, lends=lends), camera.keep, lost
        )
        camera.shoot()
        asyncio.get_running_loop().add_reader(_readable(camera), lambda: None)
        camera.shoot(used=pixels.sizeimage // 2)
        assert camera.latest is not None
        assert camera.latest.seq == 1
        assert len(camera.losses) == 1
        assert "needs" in camera.losses[0]
        assert camera.driver.fd == -1
        assert 1 in camera.driver.handed_in

    asyncio.run(main())


def test_when_nothing_has_come_nothing_happens() -> None:
    with closing(Camera(pixels_of("YU12"))) as camera:
        camera.reader.ready()
        assert (camera.latest, camera.losses) == (None, [])


def test_one_frame_is_taken_each_time_and_the_next_one_the_next_time() -> None:
    with closing(Camera(pixels_of("YU12"))) as camera:
        camera.driver.shoot()
        camera.driver.shoot()
        camera.reader.ready()
        assert camera.latest is not None
        assert values(camera.latest) == {0}
        camera.reader.ready()
        assert values(camera.latest) == {1}


def _readable(camera: Camera) -> int:
    """The driver's descriptor, made one that a loop can watch."""
    left, right = socket.socketpair()
    os.dup2(left.fileno(), camera.driver.fd)
    left.close()
    right.close()
    return camera.driver.fd
