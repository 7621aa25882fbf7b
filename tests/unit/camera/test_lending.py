"""Frames that are lent or copied: a picture never changes while anybody holds anything of it.

The driver here writes over a buffer as soon as it is handed in, and watches that it never runs out of buffers.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.buses import v4l2_kernel as kernel
from hal.buses.mapped import Mapped
from hal.buses.v4l2_reader import STAY, PictureReader, Pictures
from hal.buses.v4l2_source import LENT_BUFFERS, V4l2Frames
from hal.clock import SystemClock
from hal.errors import BusError
from hal.pictures import Frame, Plane
from hal.planes import samples
from tests.effort import examples
from tests.unit.camera.memory_driver import FILE, MemoryDriver, pixels_of


class Camera:
    """A reader on that driver, whose frames go to `take`; the newest is kept, as those above do."""

    def __init__(self, pixels: kernel.Pixels, buffers: int = LENT_BUFFERS, *, lends: bool = True) -> None:
        self.driver = MemoryDriver(pixels, buffers)
        self.buffers = buffers
        self.latest: Frame | None = None
        self.losses: list[str] = []
        self.take: Callable[[Frame], None] = self.keep
        self.reader = PictureReader(
            "usb0", SystemClock(), Pictures(self.driver, pixels, lends=lends), lambda frame: self.take(frame), self.lost
        )

    def keep(self, frame: Frame) -> None:
        self.latest = frame

    def lost(self, error: BusError) -> None:
        self.losses.append(str(error))

    def shoot(self, *, used: int | None = None, flags: int = 0) -> int:
        """A picture is taken, and the loop calls; the number in the picture."""
        number = self.driver.shoot(used=used, flags=flags)
        self.reader.ready()
        return number

    def close(self) -> None:
        """As the source does: nobody hands on what came."""
        self.latest = None
        self.driver.close()


def values(held: object) -> set[int]:
    """The different samples that are seen in what is held."""
    if isinstance(held, Frame):
        return values(held.main.y) | values(held.main.u) | values(held.main.v)
    if isinstance(held, Plane):
        return set(np.unique(samples(held)).tolist())
    if isinstance(held, bytes):
        return set(held)
    return set(np.unique(np.asarray(held)).tolist())


# Every way to hold something of a frame.
WAYS: dict[str, Callable[[Frame], Any]] = {
    "frame": lambda frame: frame,
    "plane": lambda frame: frame.main.v,
    "view": lambda frame: frame.main.u.data,
    "slice": lambda frame: frame.main.y.data[5:9],
    "slice of a slice": lambda frame: frame.main.y.data[5:90][2:],
    "every other": lambda frame: frame.main.y.data[::2],
    "shaped": lambda frame: memoryview(frame.main.y.data).cast("B", (2, frame.main.y.data.nbytes // 2)),
    "row": lambda frame: frame.main.y.row(7),
    "array": lambda frame: samples(frame.main.y),
    "array of an array": lambda frame: samples(frame.main.y)[::2, 1::2].T,
    "view of an array": lambda frame: memoryview(samples(frame.main.u)),
    "array of a view": lambda frame: np.asarray(frame.main.v.data),
    "from buffer": lambda frame: np.frombuffer(frame.main.y.data, np.uint8)[7:],
    "what lies below": lambda frame: frame.main.y.data.obj,
    "contiguous": lambda frame: np.ascontiguousarray(samples(frame.main.y)),
    "iterator": lambda frame: np.nditer(samples(frame.main.y)).operands[0],
}


@pytest.mark.parametrize("way", WAYS)
def test_whoever_holds_any_part_of_a_frame_keeps_the_driver_out_of_it_and_lets_it_in_at_the_end(way: str) -> None:
    with closing(Camera(pixels_of("YU12"))) as camera:
        camera.shoot()
        number = camera.shoot()
        assert camera.latest is not None
        held = WAYS[way](camera.latest)
        for _ in range(3 * LENT_BUFFERS):
            camera.shoot()
            assert values(held) == {number}
        assert camera.driver.with_driver == LENT_BUFFERS - 2  # it and the newest
        assert camera.driver.handed_in.count(1) == 0
        del held
        camera.shoot()
        assert camera.driver.with_driver == LENT_BUFFERS - 1
        assert camera.driver.handed_in.count(1) == 1


@pytest.mark.parametrize("letters", ["YU12", "YUYV"])
@pytest.mark.parametrize("way", WAYS)
def test_whoever_holds_any_part_of_a_copied_frame_keeps_others_out_of_its_memory(way: str, letters: str) -> None:
    with closing(Camera(pixels_of(letters), 4, lends=False)) as camera:
        camera.shoot()
        number = camera.shoot()
        assert camera.latest is not None
        held = WAYS[way](camera.latest)
        for _ in range(12):
            camera.shoot()
            assert camera.driver.with_driver == 4
            assert values(held) == {number}


@pytest.mark.parametrize("letters", ["YU12", "YUYV"])
def test_copies_that_nobody_holds_any_more_are_written_over(letters: str) -> None:
    with closing(Camera(pixels_of(letters), 4, lends=False)) as camera:
        kept: list[Frame] = []
        places: list[int] = []
        for turn in range(40):
            camera.shoot()
            assert camera.latest is not None
            places.append(samples(camera.latest.main.y).ctypes.data)
            if turn in (3, 9):
                kept.append(camera.latest)
        assert len(set(places)) == 4
        assert [values(frame) for frame in kept] == [{3}, {9}]


def test_frames_are_the_drivers_own_memory_as_long_as_enough_of_it_stays_with_the_driver_and_copies_then() -> None:
    with closing(Camera(pixels_of("YU12"))) as camera:
        held = []
        for _ in range(LENT_BUFFERS + 3):
            camera.shoot()
            assert camera.latest is not None
            held.append(camera.latest)
        buffers = [buffer.whole for buffer in camera.driver.buffers]
        lent = [any(frame.main.y.data.obj is buffer for buffer in buffers) for frame in held]
        assert lent == [True] * (LENT_BUFFERS - STAY) + [False] * (STAY + 3)
        assert camera.driver.with_driver == STAY
        assert [values(frame) for frame in held] == [{number} for number in range(LENT_BUFFERS + 3)]


@pytest.mark.parametrize("buffers", [1, 2, 3])
def test_a_driver_that_gives_few_buffers_has_them_back_at_once(buffers: int) -> None:
    with closing(Camera(pixels_of("YU12"), buffers)) as camera:
        held = []
        for _ in range(8):
            camera.shoot()
            held.append(camera.latest)
            assert camera.driver.with_driver >= min(buffers, STAY)
        assert [values(frame) for frame in held] == [{number} for number in range(8)]


@pytest.mark.parametrize(("letters", "lends"), [("YU12", True), ("YU12", False), ("YUYV", False)])
def test_a_picture_stays_as_it_was_when_the_camera_writes_the_next_ones_in_its_place(letters: str, lends: bool) -> None:
    with closing(Camera(pixels_of(letters), 3, lends=lends)) as camera:
        frames: list[Frame] = []
        camera.take = frames.append
        numbers = [camera.shoot() for _ in range(7)]
    assert [values(frame) for frame in frames] == [{number} for number in numbers]
    assert [frame.seq for frame in frames] == list(range(1, 8))


acts = st.one_of(
    st.tuples(st.just("shoot"), st.just(0)),
    st.tuples(st.sampled_from(sorted(WAYS)), st.just(0)),
    st.tuples(st.sampled_from(["let go", "in a circle", "torn"]), st.integers(0, 9)),
)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(acts, max_size=50),
    st.integers(1, LENT_BUFFERS + 2),
    st.integers(0, 8).map(lambda half: 2 * half),
    st.sampled_from([("YU12", True), ("YU12", True), ("YU12", False), ("YUYV", False)]),
)
def test_in_whatever_order_frames_are_held_and_let_go_of_none_changes_and_the_driver_is_never_starved(
    steps: list[tuple[str, int]], buffers: int, padding: int, kind: tuple[str, bool]
) -> None:
    letters, lends = kind
    with closing(Camera(pixels_of(letters, 16, 8, padding=padding), buffers, lends=lends)) as camera:
        held: list[tuple[object, int]] = []
        newest = camera.shoot()
        for act, which in steps:
            if act == "shoot":
                newest = camera.shoot()
            elif act == "torn":
                camera.shoot(flags=kernel.BUFFER_ERROR)
            elif act in WAYS and camera.latest is not None:
                held.append((WAYS[act](camera.latest), newest))
            elif held:
                gone, _ = held.pop(which % len(held))
                if act == "in a circle":
                    circle: list[object] = [gone]
                    circle.append(circle)
                    del circle
                del gone
            assert camera.driver.with_driver >= min(buffers, STAY)
            assert [values(each) for each, _ in held] == [{number} for _, number in held]
        held.clear()
        gc.collect()
        camera.take = lambda _: None
        camera.latest = None
        camera.shoot()
        assert camera.driver.with_driver == buffers
        assert not camera.losses


def test_what_only_the_garbage_collector_can_let_go_of_is_handed_in_after_it_has() -> None:
    gc.disable()
    try:
        with closing(Camera(pixels_of("YU12"))) as camera:
            camera.shoot()
            circle: list[object] = [camera.latest]
            circle.append(circle)
            del circle
            camera.shoot()
            camera.shoot()
            assert camera.driver.with_driver == LENT_BUFFERS - 2
            gc.collect()
            camera.shoot()
            assert camera.driver.with_driver == LENT_BUFFERS - 1
    finally:
        gc.enable()


def test_threads_that_hold_frames_see_none_change_and_whichever_lets_go_last_does_no_harm() -> None:
    wrong: list[str] = []

    def look(inbox: list[tuple[Frame, int]], ready: threading.Semaphore, seed: int) -> None:
        draw = Random(seed)
        held: list[tuple[Frame, int]] = []
        for _ in range(150):
            ready.acquire()
            held.append(inbox.pop(0))
            for frame, number in held:
                if values(frame) != {number}:
                    wrong.append(f"{number} became {values(frame)}")
            while len(held) > draw.randrange(5):
                del held[draw.randrange(len(held))]

    with closing(Camera(pixels_of("YU12"))) as camera:
        boxes: list[list[tuple[Frame, int]]] = [[], []]
        counts = [threading.Semaphore(0), threading.Semaphore(0)]
        threads = [threading.Thread(target=look, args=(boxes[n], counts[n], n)) for n in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(150):
            number = camera.shoot()
            assert camera.latest is not None
            for box, ready in zip(boxes, counts, strict=True):
                box.append((camera.latest, number))
                ready.release()
            assert camera.driver.with_driver >= STAY
        for thread in threads:
            thread.join()
        camera.latest = None
        camera.take = lambda _: None
        camera.shoot()
        assert camera.driver.with_driver == LENT_BUFFERS
    assert not wrong


def test_a_driver_whose_buffers_are_smaller_than_its_pictures_is_refused() -> None:
    pixels = pixels_of("YU12")
    pixels.sizeimage -= 1
    with closing(MemoryDriver(pixels, 4)) as driver, pytest.raises(ValueError, match="smaller than a picture"):
        Pictures(driver, pixels, lends=True)


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
