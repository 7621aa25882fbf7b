"""The simulated camera shows what stands in front of it: the tests look at the pictures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from hal.errors import OutOfRange
from hal.pictures import CameraMode, CameraPhase, CameraSettings, Frame, Size
from hal.planes import samples
from hal.sim.scene.paint import BARS, dot_of
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.camera.bench import MODE, SETTINGS, CameraBench, camera_bench
from tests.unit.camera.looks import colour_at, difference, mean, read_text, sharpness

LARGE = CameraMode(size=Size(960, 540), fps=10, lores=Size(160, 90))


def looking(scene: Callable[[CameraBench], Awaitable[None]], mode: CameraMode = MODE) -> None:
    async def main(clock: VirtualClock) -> None:
        async with camera_bench(clock) as bench:
            bench.camera.start(mode, SETTINGS)
            await scene(bench)

    virtual_run(main)


def clock_of(frame: Frame) -> float:
    """The time that is painted in the picture, in seconds."""
    dot = dot_of(Size(frame.main.width, frame.main.height))
    text = read_text(samples(frame.main.y), 2 * dot, dot, dot, 8, bright=True)
    minutes, seconds = text.split(":")
    return 60 * int(minutes) + float(seconds)


def test_the_bars_have_their_colours_in_both_streams() -> None:
    async def scene(bench: CameraBench) -> None:
        frame = await bench.next_frame()
        assert frame.lores is not None
        for picture in (frame.main, frame.lores):
            for number, bar in enumerate(BARS):
                seen = colour_at(picture, (number + 0.5) / len(BARS), 0.25)
                assert all(abs(got - want) <= 4 for got, want in zip(seen, bar, strict=True)), (number, seen)

    looking(scene)


def test_the_clock_in_the_picture_is_the_time_the_frame_was_taken() -> None:
    async def scene(bench: CameraBench) -> None:
        await bench.clock.sleep(65)
        for frame in bench.frames[::101]:
            assert clock_of(frame) == pytest.approx((frame.t_ns - bench.world.origin_ns) / 1e9, abs=0.006)
        assert clock_of(bench.frames[-1]) > 64

    looking(scene)


@pytest.mark.parametrize("plate", ["LINTEL 7", "AB12 XYZ", "QRS 8905", "CDFGHJKM", "NOPTUVW", "346"])
def test_a_plate_that_drives_past_can_be_read(plate: str) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.peer.drive_past(plate)
        await bench.clock.sleep(6)  # in the middle of its way
        frame = await bench.next_frame()
        luma, dot = samples(frame.main.y), dot_of(LARGE.size)
        top = int(LARGE.size.height * 0.75) // 2 * 2
        bright = np.flatnonzero(luma[top + 2] > 220)
        assert read_text(luma, int(bright[0]) + dot, top + dot, dot, len(plate), bright=False) == plate

    looking(scene, LARGE)


@pytest.mark.parametrize("plate", ["", "lower", "ELEVEN CHRS", "Ü1"])
def test_a_plate_that_cannot_be_painted_is_refused_and_the_old_one_stays(plate: str) -> None:
    async def scene(bench: CameraBench) -> None:
        with pytest.raises(OutOfRange, match=r"camera:entrance: a plate has 1 to 10 letters"):
            bench.peer.drive_past(plate)
        assert bench.peer.plate == "LINTEL 7"

    looking(scene)


def test_a_card_passes_by() -> None:
    async def scene(bench: CameraBench) -> None:
        places = []
        await bench.clock.sleep(2.5)
        for _ in range(4):
            frame = await bench.next_frame()
            hues = samples(frame.main.v)[int(0.41 * frame.main.v.height)]
            card = np.flatnonzero(hues == 160)
            places.append(float(card.mean()))
            await bench.clock.sleep(0.5)
        steps = np.diff(places)
        assert (steps > 0).all()

    looking(scene)


def test_covered_is_dark_and_flat_and_blurred_has_no_edges_and_turned_is_another_picture() -> None:
    async def scene(bench: CameraBench) -> None:
        clear = (await bench.next_frame()).main
        found = {}
        for fault in ("covered", "blurred", "turned"):
            bench.peer.fault(fault)
            found[fault] = (await bench.next_frame()).main
            bench.peer.clear(fault)
        again = (await bench.next_frame()).main
        assert mean(found["covered"]) < 30
        assert sharpness(found["covered"]) < sharpness(clear) / 10
        assert sharpness(found["blurred"]) < sharpness(clear) / 5
        assert mean(found["blurred"]) == pytest.approx(mean(clear), abs=6)
        assert difference(found["turned"], clear) > 25
        assert sharpness(found["turned"]) > sharpness(clear) / 2
        assert difference(again, clear) < 6

    looking(scene)


def test_at_night_a_longer_exposure_shows_more_until_the_time_of_a_frame_ends_it() -> None:
    async def scene(bench: CameraBench) -> None:
        day = mean((await bench.next_frame()).main)
        bench.peer.fault("dark")
        night = {}
        for exposure in (1_000, 20_000, 50_000, 100_000, 400_000):
            bench.camera.tune(CameraSettings(longest_exposure_us=exposure))
            await bench.next_frame()
            night[exposure] = mean((await bench.next_frame()).main)
        assert night[1_000] < night[20_000] < night[50_000] < night[100_000] < day / 2
        assert night[400_000] == pytest.approx(night[100_000], abs=1)  # 10 frames a second

    looking(scene)


def test_brightness_contrast_saturation_and_exposure_do_what_they_say() -> None:
    async def scene(bench: CameraBench) -> None:
        async def with_(settings: CameraSettings) -> Frame:
            bench.camera.tune(settings)
            await bench.next_frame()
            return await bench.next_frame()

        plain = await with_(CameraSettings())
        bright = await with_(CameraSettings(brightness=70))
        flat = await with_(CameraSettings(contrast=20))
        grey = await with_(CameraSettings(saturation=0))
        short = await with_(CameraSettings(exposure_us=1_000))
        assert mean(bright.main) > mean(plain.main) + 30
        assert samples(flat.main.y).std() < 0.5 * samples(plain.main.y).std()
        assert samples(grey.main.u).std() == samples(grey.main.v).std() == 0
        assert samples(plain.main.u).std() > 20
        assert mean(short.main) < mean(plain.main) / 3

    looking(scene)


def film(path: Path, frames: list[tuple[int, int, int]], *, width: int = 64, height: int = 48) -> Path:
    data = f"YUV4MPEG2 W{width} H{height} F5:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n".encode()
    for y, u, v in frames:
        quarter = width * height // 4
        data += b"FRAME\n" + bytes([y]) * 4 * quarter + bytes([u]) * quarter + bytes([v]) * quarter
    path.write_bytes(data)
    return path


def test_a_film_is_shown_in_its_own_time_and_over_again(tmp_path: Path) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.peer.show(film(tmp_path / "a.y4m", [(50, 100, 150), (100, 110, 120), (200, 140, 90)]))
        await bench.clock.sleep(3)
        shades = [round(mean(frame.main), -1) for frame in bench.frames[5:]]
        assert set(shades) == {50, 100, 200}
        changes = [shade for shade, before in zip(shades[1:], shades, strict=False) if shade != before]
        assert len(changes) >= 10  # 5 frames a second for 2.5 s
        assert colour_at(bench.frames[-1].main, 0.5, 0.5)[1:] in {(100, 150), (110, 120), (140, 90)}

    looking(scene)


def test_a_film_that_cannot_be_shown_loses_the_camera_with_its_reason_and_the_scene_brings_it_back(
    tmp_path: Path,
) -> None:
    async def scene(bench: CameraBench) -> None:
        await bench.next_frame()
        (tmp_path / "bad.y4m").write_bytes(b"not a film")
        bench.peer.show(tmp_path / "bad.y4m")
        await bench.clock.sleep(20)
        assert bench.camera.status.phase is CameraPhase.LOST
        assert 3 <= sum(1 for _, on in bench.peer.trace.points if on) <= 8  # tried again, with growing pauses
        assert "bad.y4m: cannot be shown: a film begins with a line YUV4MPEG2" in bench.camera.status.reason
        bench.peer.show(None)
        await bench.next_frame()
        assert bench.camera.status.phase is CameraPhase.RUNNING

    looking(scene)
