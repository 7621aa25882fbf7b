"""The kernel's video interface without a kernel that has one: numbers, formats, and clear errors.

The same source on the kernel's simulated camera (vivid): tests/guest/test_guest_camera.py.
"""

from __future__ import annotations

import asyncio
import platform
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.buses import v4l2_kernel as kernel
from hal.buses.stamps import OLDEST_NS, taken_ns
from hal.buses.v4l2_reader import copies_of
from hal.buses.v4l2_setup import slid
from hal.buses.v4l2_source import V4l2Frames
from hal.clock import SystemClock
from hal.errors import Absent, BusError
from hal.pictures import CameraMode, CameraSettings, Size
from hal.planes import samples
from tests.unit.camera.memory_driver import room_of

MODE = CameraMode(size=Size(64, 48), fps=10)


@pytest.mark.skipif(platform.architecture()[0] != "64bit", reason="these numbers are those of 64-bit processors")
def test_the_request_numbers_are_those_of_the_kernel() -> None:
    # As strace shows them on a 64-bit kernel.
    assert kernel.QUERYCAP == 0x8068_5600
    assert kernel.G_FMT == 0xC0D0_5604
    assert kernel.S_FMT == 0xC0D0_5605
    assert kernel.REQBUFS == 0xC014_5608
    assert kernel.QUERYBUF == 0xC058_5609
    assert kernel.QBUF == 0xC058_560F
    assert kernel.DQBUF == 0xC058_5611
    assert (kernel.STREAMON, kernel.STREAMOFF) == (0x4004_5612, 0x4004_5613)
    assert kernel.S_PARM == 0xC0CC_5616
    assert kernel.S_CTRL == 0xC008_561C
    assert kernel.QUERYCTRL == 0xC044_5624
    assert kernel.ENUM_FRAMEINTERVALS == 0xC034_564B


def test_a_pixel_format_is_its_four_letters() -> None:
    assert kernel.fourcc("YUYV") == 0x56595559


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 16).map(lambda half: 2 * half), st.booleans())
def test_a_drivers_buffer_is_read_with_its_own_stride_and_range(w: int, h: int, padding: int, full: bool) -> None:
    width, height = 2 * w, 2 * h
    stride = width + padding
    data = bytes(number * 31 % 253 for number in range(stride * height * 3 // 2))
    pixels = kernel.Pixels(
        width=width,
        height=height,
        pixelformat=kernel.fourcc("YU12"),
        bytesperline=stride,
        quantization=1 if full else 2,
    )
    room = room_of(data)
    picture = copies_of(pixels).picture(room, len(data))
    assert picture.limited is not full
    assert samples(picture.y)[-1].tobytes() == data[stride * (height - 1) : stride * (height - 1) + width]
    with pytest.raises(ValueError, match="needs"):
        copies_of(pixels).picture(room, stride * height // 2)


@given(st.integers(0, 100), st.integers(-1000, 0), st.integers(0, 1000))
def test_a_slider_stays_in_the_cameras_range_and_has_its_default_in_the_middle(value: int, low: int, high: int) -> None:
    own = (low + high) // 2
    query = kernel.Query(minimum=low, maximum=high, default_value=own)
    assert low <= slid(value, query) <= high
    assert (slid(0, query), slid(50, query), slid(100, query)) == (low, own, high)


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_a_stamp_of_another_clock_is_not_believed(stamp: int, now: int) -> None:
    taken = taken_ns(stamp, now)
    assert taken in (stamp, now)
    assert now - OLDEST_NS <= taken <= now


@pytest.mark.parametrize(("kind", "error"), [("absent", Absent), ("file", BusError)])
def test_what_is_no_camera_is_refused_by_name_and_stays_closed(
    tmp_path: Path, kind: str, error: type[BusError]
) -> None:
    path = tmp_path / "video0"
    if kind == "file":
        path.write_bytes(b"")

    async def main() -> None:
        source = V4l2Frames("usb0", str(path), SystemClock())
        with pytest.raises(
            error, match=r"usb0: (no camera at .*video0: No such file|is not a video device: Inappropriate)"
        ):
            await source.start(MODE, CameraSettings(), lambda _: None, lambda _: None)
        await source.stop()

    asyncio.run(main())
