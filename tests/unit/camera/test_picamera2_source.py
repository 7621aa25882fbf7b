"""The picamera2 source against the strict stand-in: real threads, bounded, and what is in the frames is looked at."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from hal.board import parse_board
from hal.buses.cameras import RealCameraWires
from hal.buses.picamera2_source import Picamera2Frames
from hal.clock import SystemClock
from hal.errors import Absent, BoardError, BusError
from hal.pictures import CameraMode, CameraSettings, Frame, Size, Tuning
from hal.planes import samples
from tests.unit.camera.bench import BOARD
from tests.unit.camera.strict_picamera2 import CONTROLS, Picamera2, modules

MODE = CameraMode(size=Size(200, 120), fps=50, lores=Size(100, 60))


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Picamera2]]:
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(Picamera2, "made", [])
    monkeypatch.setattr(Picamera2, "now_ns", staticmethod(SystemClock().now_ns))
    yield Picamera2
    assert not any(camera.is_open or camera.started for camera in Picamera2.made)


class Ears:
    """What the source said."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.losses: list[BusError] = []

    async def wait(self, frames: int) -> None:
        async with asyncio.timeout(60):
            while len(self.frames) < frames and not self.losses:
                await SystemClock().sleep(0.01)


def with_source(scene: Callable[[Picamera2Frames, Ears], Awaitable[None]], port: int = 0) -> None:
    async def main() -> None:
        source = Picamera2Frames("csi0", port, SystemClock())
        try:
            await scene(source, Ears())
        finally:
            await source.stop()

    asyncio.run(main())


def test_frames_are_copied_out_of_the_lent_buffers_without_their_padding() -> None:
    async def scene(source: Picamera2Frames, ears: Ears) -> None:
        before = SystemClock().now_ns()
        assert await source.start(MODE, CameraSettings(), ears.frames.append, ears.losses.append) == MODE
        await ears.wait(10)
        await source.stop()
        shades = []
        for frame in ears.frames:
            assert frame.lores is not None
            assert samples(frame.main.y).shape == (120, 200)
            assert samples(frame.lores.y).shape == (60, 100)
            for picture in (frame.main, frame.lores):
                planes = (picture.y, picture.u, picture.v)
                values = {int(value) for plane in planes for value in set(samples(plane).flat)}
                assert len(values) == 1  # neither the rubbish between the rows nor the buffer's later content
                shades.append(values.pop())
        assert shades == sorted(shades)
        assert shades[0] >= 10
        assert [frame.seq for frame in ears.frames] == list(range(1, len(ears.frames) + 1))
        stamps = [frame.t_ns for frame in ears.frames]
        assert stamps == sorted(stamps)
        assert before <= stamps[0] <= stamps[-1] <= SystemClock().now_ns()

    with_source(scene)


def test_nothing_is_delivered_after_stop_and_the_camera_can_be_started_again() -> None:
    async def scene(source: Picamera2Frames, ears: Ears) -> None:
        for _ in range(2):
            await source.start(replace(MODE, lores=None), CameraSettings(), ears.frames.append, ears.losses.append)
            await ears.wait(len(ears.frames) + 2)
            await source.stop()
            count = len(ears.frames)
            await SystemClock().sleep(0.1)
            assert len(ears.frames) == count
        assert ears.frames[-1].lores is None
        assert source.tunings == frozenset()

    with_source(scene)


def test_settings_become_controls_of_the_camera() -> None:
    async def scene(source: Picamera2Frames, ears: Ears) -> None:
        await source.start(MODE, CameraSettings(brightness=75), ears.frames.append, ears.losses.append)
        (camera,) = Picamera2.made
        assert camera.set == {
            "Brightness": 0.5, "Contrast": 1.0, "Saturation": 1.0, "Sharpness": 1.0, "AeEnable": True,
            "FrameDurationLimits": (20_000, 20_000),
        }  # fmt: skip
        assert source.tunings == frozenset(Tuning) - {Tuning.LONGEST_EXPOSURE}
        await source.tune(CameraSettings(contrast=0, saturation=100, exposure_us=5_000))
        assert camera.set["Brightness"] == 0.0
        assert camera.set["Contrast"] == 0.0
        assert camera.set["Saturation"] == 2.0
        assert (camera.set["AeEnable"], camera.set["ExposureTime"]) == (False, 5_000)
        await source.tune(CameraSettings(exposure_us=9_000_000))
        assert camera.set["ExposureTime"] == 20_000  # a frame does not last longer

    with_source(scene)


def test_a_camera_without_some_controls_is_started_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Picamera2, "offered", {"Brightness": CONTROLS["Brightness"]})

    async def scene(source: Picamera2Frames, ears: Ears) -> None:
        await source.start(MODE, CameraSettings(), ears.frames.append, ears.losses.append)
        assert source.tunings == {Tuning.BRIGHTNESS}
        await ears.wait(1)
        assert ears.frames

    with_source(scene)


def test_a_camera_that_is_not_there_is_absent_and_one_that_fails_is_closed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def absent(source: Picamera2Frames, ears: Ears) -> None:
        with pytest.raises(Absent, match="csi0: camera 1 cannot be opened: No camera number 1 found"):
            await source.start(MODE, CameraSettings(), ears.frames.append, ears.losses.append)

    with_source(absent, port=1)
    monkeypatch.setattr(Picamera2, "breaks_at_start", True)

    async def broken(source: Picamera2Frames, ears: Ears) -> None:
        with pytest.raises(BusError, match="csi0: cannot be started: Failed to start camera: Input/output error"):
            await source.start(MODE, CameraSettings(), ears.frames.append, ears.losses.append)
        monkeypatch.setattr(Picamera2, "breaks_at_start", False)
        await source.start(MODE, CameraSettings(), ears.frames.append, ears.losses.append)
        await ears.wait(1)
        assert ears.frames

    with_source(broken)


def test_without_picamera2_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)

    async def scene(source: Picamera2Frames, ears: Ears) -> None:
        with pytest.raises(BusError, match="csi0: needs the Python library picamera2; install it with: apt install"):
            await source.start(MODE, CameraSettings(), ears.frames.append, ears.losses.append)

    with_source(scene)


def test_a_frame_that_cannot_be_read_loses_the_camera_once_it_is_seen() -> None:
    async def scene(source: Picamera2Frames, ears: Ears) -> None:
        await source.start(MODE, CameraSettings(), ears.frames.append, ears.losses.append)
        await ears.wait(1)
        Picamera2.made[0].camera_configuration()["main"]["stride"] = 1
        await ears.wait(1_000_000)
        assert "csi0: a frame cannot be read" in str(ears.losses[0])

    with_source(scene)


def test_the_wires_of_a_real_board_find_the_camera_by_its_bus() -> None:
    async def main() -> None:
        wires = RealCameraWires(parse_board(BOARD, "camera bench").buses, SystemClock())
        assert isinstance(await wires.frames("csi0"), Picamera2Frames)
        assert await wires.frames("csi0") is await wires.frames("csi0")
        with pytest.raises(BoardError, match="buses: no camera bus 'gpio0'"):
            await wires.frames("gpio0")
        await wires.close()

    asyncio.run(main())
