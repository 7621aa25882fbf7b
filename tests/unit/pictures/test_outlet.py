"""From frames to JPEG files: made once each, only for those who are ready, and never late after the signal was lost."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

from firmware.core.bus import Bus
from firmware.core.link.channel import Channel
from firmware.core.stream.wire import Cut, Jpeg, NoSignal, Unpacker, pack_cut
from firmware.core.vocabulary.video import VideoSource
from firmware.video.outlet import AT_ONCE_PIXELS, TOLD_EVERY_S, Maker, Outlet, oriented
from firmware.video.settings import ImageSettings, VideoSettings, quality_of
from firmware.video.sizes import offered, small
from firmware.video.snapshot import jpeg_of
from firmware.video.source import Source
from hal.pictures import Picture, Size
from hal.planes import samples
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.camera.bench import CameraBench, camera_bench

FPS = 10


class Scene:
    """A camera at work, its source, and the way out."""

    def __init__(self, bench: CameraBench) -> None:
        self.clock: VirtualClock = bench.clock
        self.camera = bench
        self.bus = Bus(bench.clock, role="media", boot="b")
        self.source = Source("camera1", "entrance", bench.camera, self.bus)
        self.maker = Maker(bench.clock)
        self.outlet = Outlet(self.source, None, self.maker, bench.clock)

    async def watch(self, cut: Cut) -> Watching:
        """Somebody who wants that."""
        channel = await self.outlet.server.join()
        await channel.send(pack_cut(cut))
        return Watching(channel)


class Watching:
    """What one watcher is sent; it reads only when it is told to."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._unpacker = Unpacker()
        self._found: list[Jpeg | NoSignal] = []

    async def next(self) -> Jpeg | NoSignal:
        while not self._found:
            self._found += self._unpacker.feed(await self.channel.receive())
        return self._found.pop(0)


def play(test: Callable[[Scene], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        async with camera_bench(clock) as bench:
            scene = Scene(bench)
            scene.maker.start()
            scene.source.change(ImageSettings(), VideoSettings(resolution="640x360", fps=FPS))
            scene.source.start()
            serving = asyncio.ensure_future(scene.outlet.server.run())
            try:
                await test(scene)
            finally:
                scene.source.stop()
                await scene.outlet.server.stop()
                serving.cancel()
                await asyncio.wait((serving,))
                scene.maker.close()

    virtual_run(main)


def test_nothing_is_made_while_nobody_watches() -> None:
    async def test(scene: Scene) -> None:
        await scene.clock.sleep(3)
        assert scene.source.tap.latest is not None
        assert scene.outlet.made == 0

    play(test)


@pytest.mark.parametrize("own", [Size(640, 360), Size(1280, 720)], ids=["at once", "in the thread"])
def test_a_frame_is_made_once_for_all_who_want_it_alike_and_again_for_those_who_do_not(own: Size) -> None:
    async def test(scene: Scene) -> None:
        scene.source.change(ImageSettings(), VideoSettings(resolution=f"{own.width}x{own.height}", fps=FPS))
        await scene.clock.sleep(1)
        alike = [await scene.watch(Cut(compression=30)) for _ in range(3)]
        other = await scene.watch(Cut(width=320, height=180, compression=80))
        assert (own.width * own.height + 320 * 180 > AT_ONCE_PIXELS) == (own.width == 1280)
        for _ in range(10):
            pictures = [await each.next() for each in alike]
            assert isinstance(pictures[0], Jpeg)
            assert pictures == 3 * pictures[:1]
            small_one = await other.next()
            assert isinstance(small_one, Jpeg)
            assert (small_one.width, small_one.height) == (320, 180)
        assert 18 <= scene.outlet.made <= 26

    play(test)


def test_for_one_who_does_not_read_nothing_more_is_made() -> None:
    async def test(scene: Scene) -> None:
        await scene.clock.sleep(1)
        slow = await scene.watch(Cut(compression=0))
        await scene.clock.sleep(2)
        made = scene.outlet.made
        await scene.clock.sleep(5)
        assert scene.outlet.made <= made + 1
        assert made < 15
        while scene.outlet.made == made:
            await slow.next()

    play(test)


def test_a_rate_is_kept_for_each_watcher() -> None:
    async def test(scene: Scene) -> None:
        await scene.clock.sleep(1)
        slow = await scene.watch(Cut(fps=2))
        first, second, third = [await slow.next() for _ in range(3)]
        assert isinstance(first, Jpeg)
        assert isinstance(second, Jpeg)
        assert isinstance(third, Jpeg)
        assert third.t_ns - second.t_ns == pytest.approx(0.5e9, abs=0.11e9)

    play(test)


def test_without_a_signal_watchers_old_and_new_hear_why() -> None:
    async def test(scene: Scene) -> None:
        await scene.clock.sleep(1)
        old = await scene.watch(Cut())
        assert isinstance(await old.next(), Jpeg)
        scene.camera.peer.unplug()
        while not isinstance(message := await old.next(), NoSignal):
            pass
        assert message.reason == "the camera was unplugged"
        late = await scene.watch(Cut())
        assert isinstance(await late.next(), NoSignal)
        scene.camera.peer.plug()
        while not isinstance(await late.next(), Jpeg):
            pass

    play(test)


def test_a_size_that_is_not_offered_any_more_is_that_of_the_source() -> None:
    async def test(scene: Scene) -> None:
        await scene.clock.sleep(1)
        watching = await scene.watch(Cut(width=480, height=270))
        first = await watching.next()
        assert isinstance(first, Jpeg)
        assert (first.width, first.height) == (480, 270)
        scene.source.change(ImageSettings(), VideoSettings(resolution="320x180", fps=FPS))
        while not (isinstance(message := await watching.next(), Jpeg) and message.width != 480):
            pass
        assert (message.width, message.height) == (320, 180)

    play(test)


def test_a_follower_takes_its_rate_and_finds_the_newest_frame_however_long_it_was_away() -> None:
    async def test(scene: Scene) -> None:
        with scene.source.tap.follow(hz=2) as follower:
            times = [(await follower.next()).t_ns for _ in range(5)]
            assert (times[-1] - times[1]) / 3 == pytest.approx(0.5e9, abs=0.05e9)
            await scene.clock.sleep(10)
            frame = await follower.next()
            assert scene.clock.now_ns() - frame.t_ns < 0.6e9
            assert follower.skipped >= 15
            assert frame.lores is not None
            assert (frame.lores.width, frame.lores.height) == (320, 180)
            scene.camera.peer.unplug()
            await scene.clock.sleep(5)
            waiting = asyncio.ensure_future(follower.next())
            await scene.clock.sleep(1)
            if waiting.done():  # one that came just before
                waiting = asyncio.ensure_future(follower.next())
                await scene.clock.sleep(1)
            assert not waiting.done()
            scene.camera.peer.plug()
            assert (await waiting).t_ns > frame.t_ns

    play(test)


def test_the_state_says_what_is_delivered_and_a_night_exposure_shows() -> None:
    async def test(scene: Scene) -> None:
        await scene.clock.sleep(1)
        state = scene.bus.state(VideoSource, "camera1")
        assert state is not None
        assert (state.alias, state.width, state.height, state.fps) == ("entrance", 640, 360, FPS)
        assert state.sizes == ("640x360", "480x270", "320x180", "160x90")
        before = scene.source.tap.latest
        scene.source.expose(exposure_us=1000)
        await scene.clock.sleep(1)
        after = scene.source.tap.latest
        assert before is not None
        assert after is not None
        assert samples(after.main.y).mean() < 0.5 * samples(before.main.y).mean()

    play(test)


def test_orientation_moves_every_sample_where_it_belongs() -> None:
    y = np.arange(8 * 4, dtype=np.uint8)
    picture = Picture.of(y.tobytes() + bytes(8) + bytes(range(8)), 8, 4)
    rows = samples(picture.y)
    for mirror in (False, True):
        seen = rows[:, ::-1] if mirror else rows
        for rotate, expected in ((0, seen), (90, seen[::-1].T), (180, seen[::-1, ::-1]), (270, seen.T[::-1])):
            turned = oriented(picture, mirror=mirror, rotate=rotate)
            assert (samples(turned.y) == expected).all()
            assert (turned.u.width, turned.u.height) == (turned.width // 2, turned.height // 2)


def test_sizes_are_even_in_shape_and_fall() -> None:
    for largest in (Size(1920, 1080), Size(640, 480), Size(3072, 2048), Size(64, 48), Size(800, 600)):
        sizes = offered(largest)
        assert sizes[0] == largest
        assert list(sizes) == sorted(set(sizes), key=lambda size: -size.width)
        for size in (*sizes, small(largest)):
            assert size.width % 2 == size.height % 2 == 0
            assert abs(size.height - size.width * largest.height / largest.width) <= 1.01


def test_compression_falls_from_good_to_coarse() -> None:
    assert [quality_of(each) for each in (0, 30, 100)] == [95, 70, 10]
    assert list(map(quality_of, range(101))) == sorted(map(quality_of, range(101)), reverse=True)


def test_a_picture_of_a_watcher_is_a_jpeg_file() -> None:
    async def test(scene: Scene) -> None:
        await scene.clock.sleep(1)
        watching = await scene.watch(Cut())
        message = await watching.next()
        assert isinstance(message, Jpeg)
        picture = Image.open(io.BytesIO(message.data))
        picture.load()
        assert (picture.format, picture.size) == ("JPEG", (640, 360))

    play(test)


def test_pictures_that_cannot_be_made_are_logged_once_a_minute_and_the_camera_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both ways to make one; the failure is that of the codec, for a quality there is not."""
    made: list[object] = []

    async def main(clock: VirtualClock) -> None:
        maker = Maker(clock)
        maker.make(bad, 1, made.append)
        maker.start()
        maker.make(bad, 1, made.append)
        maker.make(bad, AT_ONCE_PIXELS + 1, made.append)
        while len(made) < 3:
            await clock.sleep(0.1)
        for _ in range(100):
            maker.make(bad, 1, made.append)
        assert caplog.text.count("no JPEG could be made") == 1
        await clock.sleep(TOLD_EVERY_S)
        maker.make(bad, AT_ONCE_PIXELS + 1, made.append)
        while len(made) < 104:
            await clock.sleep(0.1)
        maker.close()

    def bad() -> list[Jpeg]:
        picture = Picture.of(bytes(96), 8, 8)
        return [Jpeg(jpeg_of(picture, quality=101), 8, 8, 1, 1)]

    virtual_run(main)
    assert made == [None] * 104
    assert caplog.text.count("no JPEG could be made") == 2
    assert "(and 101 more since this was last said)" in caplog.text


def test_another_kind_of_failure_within_the_minute_is_told_once_as_well(caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: VirtualClock) -> None:
        maker = Maker(clock)
        maker.start()
        try:
            for error in (ValueError("no such quality"), ValueError("again"), MemoryError("full"), ValueError("third")):
                maker.make(partial(fail, error), 1, lambda _: None)
            assert [line.partition(" (")[0] for line in told()] == ["no JPEG could be made"] * 2
            assert kinds() == [ValueError, MemoryError]
            assert "(and 1 more since this was last said)" in told()[1]
            await clock.sleep(TOLD_EVERY_S)
            for error in (MemoryError("still"), ValueError("still"), MemoryError("untold")):
                maker.make(partial(fail, error), 1, lambda _: None)
            assert kinds() == [ValueError, MemoryError, MemoryError, ValueError]
            assert "(and 1 more since this was last said)" in told()[2]
        finally:
            maker.close()

    def fail(error: Exception) -> list[Jpeg]:
        raise error

    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records]

    def kinds() -> list[object]:
        return [record.exc_info[0] for record in caplog.records if record.exc_info]

    virtual_run(main)
