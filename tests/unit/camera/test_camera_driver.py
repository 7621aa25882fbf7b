"""The camera port on the simulated camera: frames at their rate, refusals with the range, loss and return."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hal.errors import BoardError, OutOfRange
from hal.pictures import CameraMode, CameraPhase, CameraSettings, Size
from hal.planes import samples
from hal.sim.remote import WorldServer
from hal.sim.remote.cameras import RemoteCameraWires
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.world import World
from tests.unit.camera.bench import MODE, SETTINGS, WAYS, CameraBench, at_work, camera_bench, camera_board
from tests.unit.camera.looks import mean

OFF, STARTING, RUNNING, LOST = CameraPhase.OFF, CameraPhase.STARTING, CameraPhase.RUNNING, CameraPhase.LOST


OnBench = Callable[[Callable[[CameraBench], Awaitable[None]]], None]


@pytest.fixture(params=list(WAYS))
def on_bench(request: pytest.FixtureRequest) -> OnBench:
    """Play a scene with the camera's world in the same process, and behind a socket."""

    def play(scene: Callable[[CameraBench], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            async with camera_bench(clock, request.param) as bench:
                await scene(bench)

        virtual_run(main)

    return play


@pytest.mark.parametrize("fps", [1, 10, 25, 50])
def test_frames_come_at_the_rate_that_was_asked_for_with_both_streams(fps: int, on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(dataclasses.replace(MODE, fps=fps), SETTINGS)
        await bench.clock.sleep(4.005)
        assert len(bench.frames) == 4 * fps
        assert [frame.seq for frame in bench.frames] == list(range(1, 4 * fps + 1))
        gaps = {later.t_ns - sooner.t_ns for sooner, later in zip(bench.frames, bench.frames[1:], strict=False)}
        assert all(abs(gap - 1e9 / fps) <= 1 for gap in gaps)
        for frame in bench.frames:
            assert frame.lores is not None
            assert (frame.main.width, frame.main.height) == (320, 180)
            assert (frame.lores.width, frame.lores.height) == (160, 90)
        assert bench.camera.status.frames == 4 * fps
        assert bench.camera.status.missed == 0

    on_bench(scene)


def test_nothing_is_opened_before_somebody_starts_the_camera_and_nothing_comes_after_stop(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        await bench.clock.sleep(5)
        assert not bench.peer.trace.value
        bench.camera.start(MODE, SETTINGS)
        await bench.next_frame()
        assert bench.peer.trace.value
        bench.camera.stop()
        await bench.clock.sleep(0)
        count = len(bench.frames)
        await bench.clock.sleep(5)
        assert len(bench.frames) == count
        assert not bench.peer.trace.value
        assert bench.phases == [STARTING, RUNNING, OFF]

    on_bench(scene)


def test_frames_that_are_kept_keep_their_picture(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(MODE, SETTINGS)
        first = await bench.next_frame()
        before = samples(first.main.y).tobytes()
        bench.peer.fault("covered")
        await bench.clock.sleep(3)
        assert samples(first.main.y).tobytes() == before
        assert mean(bench.frames[-1].main) < 30

    on_bench(scene)


def test_an_unplugged_camera_is_lost_and_comes_back_by_itself_in_the_same_mode(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(MODE, CameraSettings(saturation=0))
        await bench.next_frame()
        bench.peer.unplug()
        await bench.clock.sleep(1)
        assert bench.camera.status.phase is LOST
        assert bench.camera.status.reason == "no camera is there"
        assert bench.statuses[-2].reason == "the camera was unplugged"
        await bench.clock.sleep(60)
        count = len(bench.frames)
        bench.peer.plug()
        await bench.clock.sleep(5.3)
        assert bench.camera.status.phase is RUNNING
        assert len(bench.frames) > count
        assert samples(bench.frames[-1].main.u).std() == 0  # the settings too
        assert bench.camera.status.losses == 1
        assert bench.phases == [STARTING, RUNNING, LOST, LOST, RUNNING]

    on_bench(scene)


def test_a_camera_that_is_absent_at_the_start_is_waited_for(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.peer.unplug()
        bench.camera.start(MODE, SETTINGS)
        await bench.clock.sleep(20)
        assert bench.phases == [STARTING, LOST]
        bench.peer.plug()
        await bench.clock.sleep(5.3)
        assert bench.phases == [STARTING, LOST, RUNNING]

    on_bench(scene)


def test_a_camera_that_falls_silent_is_opened_again_until_it_sends(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(MODE, SETTINGS)
        await bench.next_frame()
        bench.peer.fault("hung")
        await bench.clock.sleep(1.3)
        assert bench.camera.status.phase is LOST
        assert bench.camera.status.reason == "no picture for 1 s"
        await bench.clock.sleep(30)
        assert sum(1 for _, on in bench.peer.trace.points if on) >= 4  # it was tried, with growing pauses
        bench.peer.clear("hung")
        await bench.clock.sleep(7)
        assert bench.camera.status.phase is RUNNING

    on_bench(scene)


def test_a_slow_camera_is_not_taken_for_a_silent_one(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(dataclasses.replace(MODE, fps=1), SETTINGS)
        await bench.clock.sleep(30.5)
        assert bench.phases == [STARTING, RUNNING]
        assert len(bench.frames) == 30

    on_bench(scene)


def test_another_mode_takes_over_without_a_loss(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(MODE, SETTINGS)
        await bench.next_frame()
        bench.camera.start(CameraMode(size=Size(640, 360), fps=20), SETTINGS)
        await bench.next_frame()
        frame = await bench.next_frame()
        assert (frame.main.width, frame.main.height, frame.lores) == (640, 360, None)
        assert LOST not in bench.phases
        assert bench.camera.status.mode == CameraMode(size=Size(640, 360), fps=20)

    on_bench(scene)


def test_power_off_takes_the_camera_away_and_power_on_brings_it_back(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(MODE, SETTINGS)
        await bench.next_frame()
        bench.world.power(False)
        await bench.clock.sleep(2)
        assert bench.camera.status.phase is LOST
        bench.world.power(True)
        await bench.clock.sleep(5.3)
        assert bench.camera.status.phase is RUNNING

    on_bench(scene)


@pytest.mark.parametrize(
    ("mode", "complaint"),
    [
        (CameraMode(size=Size(1920, 1080), fps=10), "size is even and 64 x 48 to 1280 x 720 (got 1920 x 1080)"),
        (CameraMode(size=Size(321, 180), fps=10), "size is even and 64 x 48 to 1280 x 720 (got 321 x 180)"),
        (CameraMode(size=Size(320, 180), fps=61), "fps is 1 to 60 (got 61)"),
        (CameraMode(size=Size(320, 180), fps=0), "fps is 1 to 60 (got 0)"),
        (CameraMode(size=Size(320, 180), fps=float("nan")), "fps is 1 to 60 (got nan)"),
        (CameraMode(size=Size(320, 180), fps=10, lores=Size(640, 360)),
         "small stream is even and 64 x 48 to 320 x 180 (got 640 x 360)"),
    ],
)  # fmt: skip
def test_a_mode_the_camera_has_not_got_is_refused_and_the_old_one_goes_on(
    mode: CameraMode, complaint: str, on_bench: OnBench
) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(MODE, SETTINGS)
        await bench.next_frame()
        with pytest.raises(OutOfRange) as caught:
            bench.camera.start(mode, SETTINGS)
        assert str(caught.value) == f"camera1: {complaint}"
        frame = await bench.next_frame()
        assert frame.main.width == 320

    on_bench(scene)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (CameraSettings(brightness=101), "brightness is 0 to 100 (got 101)"),
        (CameraSettings(saturation=-1), "saturation is 0 to 100 (got -1)"),
        (CameraSettings(exposure_us=1), "exposure_us is 50 to 10000000 (got 1)"),
        (CameraSettings(sharpness=80),
         "cannot set sharpness; can set: brightness, contrast, exposure_us, longest_exposure_us, saturation"),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_or_not_there_is_refused(
    settings: CameraSettings, complaint: str, on_bench: OnBench
) -> None:
    async def scene(bench: CameraBench) -> None:
        bench.camera.start(MODE, SETTINGS)
        await bench.next_frame()
        with pytest.raises(OutOfRange) as caught:
            bench.camera.tune(settings)
        assert str(caught.value) == f"camera1: {complaint}"

    on_bench(scene)


def test_a_camera_that_is_off_cannot_be_tuned(on_bench: OnBench) -> None:
    async def scene(bench: CameraBench) -> None:
        with pytest.raises(OutOfRange, match="camera1: is off; start it first"):
            bench.camera.tune(SETTINGS)

    on_bench(scene)


def test_the_end_of_the_work_closes_the_camera() -> None:
    async def main(clock: VirtualClock) -> None:
        async with camera_bench(clock) as bench:
            bench.camera.start(MODE, SETTINGS)
            await bench.next_frame()
            peer = bench.peer
        assert not peer.trace.value
        assert bench.phases[-1] is OFF

    virtual_run(main)


def test_a_camera_whose_world_goes_is_lost_and_its_world_sees_it_closed() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, camera_board())
        with tempfile.TemporaryDirectory() as folder:
            server = WorldServer(world, Path(folder) / "world")
            await server.start()
            wires = await RemoteCameraWires.connect(Path(folder) / "world", clock)
            async with at_work(world, wires, clock) as bench:
                bench.camera.start(MODE, SETTINGS)
                await bench.next_frame()
                assert bench.peer.trace.value
                await server.close()
                await clock.sleep(1)
                assert bench.camera.status.phase is LOST
                assert not bench.peer.trace.value
                assert not bench.peer.changed
            await wires.close()
        world.close()

    virtual_run(main)


def test_a_bus_without_a_camera_is_refused_over_a_socket_too(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, camera_board())
        server = WorldServer(world, tmp_path / "w")
        await server.start()
        wires = await RemoteCameraWires.connect(tmp_path / "w", clock)
        with pytest.raises(BoardError, match=r"buses\.gpio0: is a gpio bus, not camera; valid: csi0"):
            await wires.frames("gpio0")
        with pytest.raises(BoardError, match=r"buses: no bus 'csi9'; did you mean 'csi0'"):
            await wires.frames("csi9")
        await wires.close()
        await server.close()
        world.close()

    virtual_run(main)
