"""Views in virtual time: who is written to, when, and what is shown while there is nothing to show."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import NotFound, Unavailable
from firmware.core.link.channel import Channel
from firmware.core.stream.screen import SILENT_S
from firmware.core.stream.server import FrameServer, Watcher
from firmware.core.stream.wire import Cut, Jpeg, NoSignal, pack
from firmware.interfaces.video.place import Place
from firmware.interfaces.video.views import LINGER_S, Viewer, ViewLimits, Views
from hal.sim.time import VirtualClock, virtual_run

HZ = 10
PLAIN = Cut()


class Connection:
    """A client's connection: it takes what it is ready for, and holds the rest."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.held = 0
        self.stalled = False

    def write(self, data: bytes) -> None:
        assert not self.held, "written to although it holds an earlier picture"
        if self.stalled:
            self.held += len(data)
        else:
            self.taken.append(data)

    def get_write_buffer_size(self) -> int:
        return self.held

    def is_closing(self) -> bool:
        return False

    @property
    def frames(self) -> list[int]:
        """The numbers of the pictures that were taken."""
        return [int(found) for part in self.taken for found in re.findall(rb"x-frame: (\d+)", part)]

    @property
    def sizes(self) -> set[tuple[int, int]]:
        """Of all pictures that say NO SIGNAL."""
        parts = [part for part in self.taken if b"x-frame: 0\r" in part]
        return {Image.open(io.BytesIO(part.partition(b"\r\n\r\n")[2])).size for part in parts}


class Scene:
    """A source that sends ten pictures a second while it is `on`, with views before it."""

    def __init__(self, clock: VirtualClock, limits: ViewLimits | None = None) -> None:
        self.clock = clock
        self.server = FrameServer(None, self.wished)
        self.on = True
        self.silent = False
        self.number = 0
        self.wishes: list[Cut] = []
        self.away = False
        bus = Bus(clock, role="network", boot="b")
        core = Core(
            role="network", clock=clock, bus=bus, actions=ActionTable(), link=cast(Any, None),
            params=cast(Any, None), store=cast(Any, None), shared=cast(Any, None),
        )  # fmt: skip
        self.place = Place(source="camera1", alias="road", width=1920, height=1080, fps=HZ, connect=self.connect)
        self.views = Views(core, (self.place,), limits)

    async def connect(self) -> Channel:
        if self.away:
            raise ConnectionRefusedError
        return await self.server.join()

    def wished(self, watcher: Watcher) -> None:
        assert watcher.cut is not None
        self.wishes.append(watcher.cut)
        if not self.on:
            watcher.offer(pack(NoSignal("unplugged")))

    async def shoot(self) -> None:
        while True:
            await self.clock.sleep(1 / HZ)
            self.number += 1
            if self.on and not self.silent:
                for watcher in self.server.watchers:
                    watcher.offer(pack(Jpeg(b"jpeg", 640, 360, self.number, self.clock.now_ns())))

    def lose(self) -> None:
        self.on = False
        for watcher in self.server.watchers:
            watcher.offer(pack(NoSignal("unplugged")))

    def look(self, stack: ExitStack, cut: Cut = PLAIN, fps: int = 0, address: str = "192.0.2.1") -> Connection:
        """One more viewer, for as long as the stack lasts."""
        viewer: Viewer = stack.enter_context(self.views.watching(self.place, cut, fps, address))
        connection = Connection()
        viewer.begin(cast(Any, connection))
        self.views.keep(viewer)
        return connection


def play(test: Callable[[Scene], Awaitable[None]], limits: ViewLimits | None = None) -> None:
    async def main(clock: VirtualClock) -> None:
        scene = Scene(clock, limits)
        tasks = [asyncio.ensure_future(job) for job in (scene.server.run(), scene.views.run(), scene.shoot())]
        try:
            await test(scene)
        finally:
            await scene.server.stop()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    virtual_run(main)


def test_row_45_a_viewer_that_stalls_is_skipped_and_finds_the_newest_picture_again() -> None:
    async def test(scene: Scene) -> None:
        with ExitStack() as stack:
            good, bad = scene.look(stack), scene.look(stack)
            await scene.clock.sleep(1)
            bad.stalled = True
            await scene.clock.sleep(5)
            bad.stalled, bad.held = False, 0
            await scene.clock.sleep(1)
            assert good.frames == list(range(good.frames[0], good.frames[-1] + 1))
            assert len(good.frames) >= 68
            assert bad.frames[-1] == good.frames[-1]
            assert 18 <= len(bad.frames) <= 21

    play(test)


def test_many_viewers_of_one_cut_are_one_watcher_at_the_source_and_it_is_dropped_when_all_have_gone() -> None:
    async def test(scene: Scene) -> None:
        with ExitStack() as stack:
            for _ in range(10):
                scene.look(stack)
            scene.look(stack, Cut(compression=50))
            await scene.clock.sleep(1)
            assert len(scene.server.watchers) == 2
        await scene.clock.sleep(LINGER_S / 2)
        assert len(scene.server.watchers) == 2
        await scene.clock.sleep(LINGER_S)
        assert scene.server.watchers == []

    play(test)


def test_each_viewer_has_its_own_rate_and_the_source_is_asked_for_the_fastest() -> None:
    async def test(scene: Scene) -> None:
        with ExitStack() as stack:
            slow = scene.look(stack, fps=1)
            await scene.clock.sleep(0.5)
            assert scene.wishes[-1].fps == 1
            with ExitStack() as short:
                fast = scene.look(short, fps=5)
                await scene.clock.sleep(10)
                assert scene.wishes[-1].fps == 5
                assert 48 <= len(fast.frames) <= 52
                assert 10 <= len(slow.frames) <= 12
            await scene.clock.sleep(0.5)
            assert scene.wishes[-1].fps == 1

    play(test)


def test_without_a_signal_every_viewer_is_shown_so_once_a_second_and_pictures_again_when_they_come() -> None:
    async def test(scene: Scene) -> None:
        with ExitStack() as stack:
            viewer = scene.look(stack)
            await scene.clock.sleep(1)
            before = len(viewer.frames)
            scene.lose()
            await scene.clock.sleep(5)
            assert set(viewer.frames[before:]) == {0}
            assert 5 <= len(viewer.frames[before:]) <= 7
            assert viewer.sizes == {(640, 360)}, "the size of the pictures before"
            late = scene.look(stack)
            assert late.frames == [0], "at once"
            scene.on = True
            await scene.clock.sleep(0.3)
            assert viewer.frames[-1] == late.frames[-1] == scene.number

    play(test)


@pytest.mark.parametrize("cut", [Cut(), Cut(width=320, height=180)], ids=["own size", "asked size"])
def test_a_source_that_is_away_or_silent_is_no_signal_too(cut: Cut) -> None:
    async def test(scene: Scene) -> None:
        scene.away = True
        with ExitStack() as stack:
            viewer = scene.look(stack, cut)
            await scene.clock.sleep(2)
            assert set(viewer.frames) == {0}
            assert viewer.sizes == {(cut.width or 1920, cut.height or 1080)}
            scene.away = False
            await scene.clock.sleep(2)
            assert viewer.frames[-1] > 0
            scene.silent = True
            await scene.clock.sleep(SILENT_S + 2.5)
            assert viewer.frames[-2:] == [0, 0]
            scene.silent = False
            await scene.clock.sleep(0.3)
            assert viewer.frames[-1] == scene.number

    play(test)


def test_too_many_viewers_addresses_or_cuts_are_refused_by_name_and_what_has_gone_makes_room() -> None:
    async def test(scene: Scene) -> None:
        await scene.clock.sleep(1)
        with ExitStack() as stack:
            for number in range(3):
                scene.look(stack, address="192.0.2.1" if number < 2 else "192.0.2.2")
            with pytest.raises(Unavailable, match=r"2 viewers look already from 192\.0\.2\.1"):
                scene.look(stack, address="192.0.2.1")
            scene.look(stack, Cut(compression=1), address="192.0.2.3")
            with pytest.raises(Unavailable, match="2 different resolutions and compressions"):
                scene.look(stack, Cut(compression=2), address="192.0.2.3")
            scene.look(stack, address="192.0.2.4")
            with pytest.raises(Unavailable, match="5 viewers look already"):
                scene.look(stack, address="192.0.2.5")
        with ExitStack() as stack:
            for number in range(5):
                scene.look(stack, address=f"192.0.2.{number}")

    play(test, ViewLimits(viewers=5, per_address=2, cuts=2))


def test_row_32_one_address_does_not_take_all_snapshots_from_the_others() -> None:
    async def test(scene: Scene) -> None:
        scene.on = False
        await scene.clock.sleep(1)
        async with asyncio.TaskGroup() as group:

            async def ask(address: str) -> str:
                try:
                    await scene.views.snapshot(scene.place, Cut(), address)
                except Unavailable as error:
                    return error.message
                return ""

            asked = [group.create_task(ask(f"192.0.2.{number}")) for number in (1, 1, 1, 2, 3, 4)]
        told = [task.result() for task in asked]
        assert [message.partition(" from ")[0] for message in told if "already" in message] == [
            "2 snapshots are being taken already", "4 snapshots are being taken already",
        ]  # fmt: skip
        scene.on = True
        await scene.clock.sleep(1)
        assert (await scene.views.snapshot(scene.place, Cut(), "192.0.2.1")).number == scene.number

    play(test, ViewLimits(snapshots=4, snapshots_per_address=2))


def test_a_snapshot_is_what_a_view_shows_or_fetched_for_it() -> None:
    async def test(scene: Scene) -> None:
        cut = Cut(width=640, height=360)
        fetched = await scene.views.snapshot(scene.place, cut)
        assert fetched.number == scene.number
        with ExitStack() as stack:
            scene.look(stack, cut)
            await scene.clock.sleep(1)
            wishes = len(scene.wishes)
            assert (await scene.views.snapshot(scene.place, cut)).number == scene.number
            assert len(scene.wishes) == wishes, "the source was not asked again"

    play(test)


def test_a_snapshot_is_two_frames_old_at_most_however_slowly_a_viewer_looks() -> None:
    async def test(scene: Scene) -> None:
        with ExitStack() as stack:
            scene.look(stack, fps=1)
            await scene.clock.sleep(1.05)
            shown, wishes, scene.silent = scene.number, len(scene.wishes), True
            await scene.clock.sleep(0.15)
            assert (await scene.views.snapshot(scene.place, PLAIN)).number == shown
            await scene.clock.sleep(0.5)
            scene.silent = False
            picture = await scene.views.snapshot(scene.place, PLAIN)
            assert picture.number > shown + 4
            assert len(scene.wishes) == wishes + 1, "the source was asked"

    play(test)


def test_a_source_has_two_names_and_a_wrong_one_is_answered_with_the_nearest() -> None:
    async def test(scene: Scene) -> None:
        assert scene.views.find("road") is scene.views.find("camera1") is scene.place
        with pytest.raises(NotFound, match=re.escape("no source 'raod'; did you mean 'road'?")):
            scene.views.find("raod")

    play(test)


def test_the_network_side_loads_no_codec_and_no_numpy() -> None:
    """What the views and their route import, seen in a process of its own."""
    import subprocess
    import sys

    script = (
        "import sys, firmware.interfaces.video.views, firmware.interfaces.api.pictures\n"
        "print(sorted(set(sys.modules) & {'numpy', 'simplejpeg', 'PIL'}))"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
