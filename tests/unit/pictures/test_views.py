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
from firmware.core.stream.server import FrameServer, Watcher
from firmware.core.stream.wire import Cut, Jpeg, NoSignal, pack
from firmware.interfaces.video.place import Place
from firmware.interfaces.video.views import LINGER_S, SILENT_S, Viewer, ViewLimits, Views
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
        self.views.greet(viewer)
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
