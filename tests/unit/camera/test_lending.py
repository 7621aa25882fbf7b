"""Frames that are lent or copied: a picture never changes while anybody holds anything of it.

The driver here writes over a buffer as soon as it is handed in, and watches that it never runs out of buffers.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.buses import v4l2_kernel as kernel
from hal.buses.v4l2_reader import STAY, Pictures
from hal.buses.v4l2_source import LENT_BUFFERS
from hal.pictures import Frame
from hal.planes import samples
from tests.effort import examples
from tests.unit.camera.memory_driver import MemoryDriver, pixels_of
from tests.unit.camera.read_camera import Camera, values

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


@pytest.fixture(scope="module", autouse=True)
def a_collector_that_looks_at_new_things_only() -> Iterator[None]:
    """What other tests of this process left makes a collection take a third of a second."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


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


@pytest.mark.parametrize(("letters", "lends"), [("YU12", True), ("YU12", False), ("YUYV", False)])
def test_a_driver_whose_buffers_are_smaller_than_its_pictures_is_refused(letters: str, lends: bool) -> None:
    pixels = pixels_of(letters)
    pixels.sizeimage -= 1
    with closing(MemoryDriver(pixels, 4)) as driver, pytest.raises(ValueError, match="smaller than a picture"):
        Pictures(driver, pixels, lends=lends)
