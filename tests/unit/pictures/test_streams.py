"""A source and those who watch it: the newest picture, whoever is slow, whoever restarts, whoever talks nonsense."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from firmware.core.errors import Unavailable
from firmware.core.link.channel import Channel, connect_unix, push_unix
from firmware.core.stream.client import AWAY, FrameClient, one_picture
from firmware.core.stream.server import MOST_WATCHERS, FrameServer, Watcher
from firmware.core.stream.wire import Cut, Jpeg, NoSignal, Unpacker, pack, pack_cut
from hal.clock import Clock, SystemClock
from hal.sim.time import VirtualClock, virtual_run

BIG = bytes(40_000)

Reach = Callable[[Path], Awaitable[Channel]]


def picture(number: int, data: bytes = b"jpeg") -> Jpeg:
    return Jpeg(data, 640, 360, number, number * 100_000_000)


@asynccontextmanager
async def running(server: FrameServer) -> AsyncIterator[FrameServer]:
    """A server at work."""
    await server.start()
    task = asyncio.ensure_future(server.run())
    try:
        yield server
    finally:
        await server.stop()
        task.cancel()
        await asyncio.wait((task,))


@asynccontextmanager
async def watching(connect: Callable[[], Awaitable[Channel]], clock: Clock, cut: Cut) -> AsyncIterator[list[object]]:
    """Everything that a client hears."""
    heard: list[object] = []
    task = asyncio.ensure_future(FrameClient(connect, clock, cut, heard.append).run())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def until(clock: Clock, check: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not check():
            await clock.sleep(0.005)


def test_a_watcher_gets_every_picture_it_is_ready_for() -> None:
    async def main(clock: VirtualClock) -> None:
        wishes: list[Cut | None] = []
        async with running(FrameServer(None, lambda watcher: wishes.append(watcher.cut))) as server:
            cut = Cut(width=640, height=360, fps=10)
            async with watching(server.join, clock, cut) as heard:
                await clock.sleep(0.1)
                assert wishes == [cut]
                for number in range(1, 6):
                    server.watchers[0].offer(pack(picture(number)))
                    await clock.sleep(0.1)
                assert heard == [picture(number) for number in range(1, 6)]

    virtual_run(main)


def test_a_watcher_that_does_not_read_holds_nobody_up_and_finds_the_newest_picture() -> None:
    async def main(clock: VirtualClock) -> None:
        async with running(FrameServer(None, lambda watcher: None)) as server:
            slow = await server.join()
            await slow.send(pack_cut(Cut()))
            async with watching(server.join, clock, Cut()) as heard:
                await clock.sleep(0.1)
                unready = 0
                for number in range(1, 31):
                    unready += not server.watchers[0].wants(number)
                    for watcher in server.watchers:
                        watcher.offer(pack(picture(number, BIG)))
                    await clock.sleep(0.1)
                assert len(heard) == 30
                assert unready > 20, "a source would not have made pictures for it"
                found: list[Jpeg | NoSignal] = []
                unpacker = Unpacker()
                while not found or found[-1] != picture(30, BIG):
                    found += unpacker.feed(await slow.receive())
                assert len(found) < 8
            slow.close()

    virtual_run(main)


def test_a_watcher_that_talks_nonsense_is_cut_off_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: VirtualClock) -> None:
        async with running(FrameServer(None, lambda watcher: None)) as server:
            async with watching(server.join, clock, Cut()) as heard:
                bad = await server.join()
                await bad.send(b'{"width": "wide"}\n')
                assert await bad.receive() == b""
                await clock.sleep(0.1)
                assert len(server.watchers) == 1
                server.watchers[0].offer(pack(picture(1)))
                await clock.sleep(0.1)
                assert heard == [picture(1)]

    virtual_run(main)
    assert "a watcher is cut off: a wish names compression, fps, height, width" in caplog.text


def test_there_are_so_many_watchers_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: VirtualClock) -> None:
        async with running(FrameServer(None, lambda watcher: None)) as server:
            ends = [await server.join() for _ in range(MOST_WATCHERS + 1)]
            await clock.sleep(0.1)
            assert len(server.watchers) == MOST_WATCHERS
            assert await ends[-1].receive() == b""
            for end in ends:
                end.close()
            await clock.sleep(0.1)
            assert server.watchers == []

    virtual_run(main)
    assert "one more is turned away" in caplog.text


def offering(message: Jpeg) -> Callable[[Watcher], None]:
    """Offers this picture to everybody who wishes for one."""
    return lambda watcher: watcher.offer(pack(message))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "v-camera1"


@pytest.mark.parametrize("reach", [connect_unix, push_unix])
def test_over_a_unix_socket_source_and_watcher_may_start_and_restart_in_any_order(place: Path, reach: Reach) -> None:
    async def main() -> None:
        clock = SystemClock()
        async with watching(partial(reach, place), clock, Cut()) as heard:
            await until(clock, lambda: heard == [AWAY])
            for number in (1, 2):
                newest = picture(number)
                async with running(FrameServer(place, offering(newest))):
                    await until(clock, partial(heard.__contains__, newest))
                await until(clock, lambda: heard[-1] == AWAY)
        async with running(FrameServer(place, offering(picture(3)))) as server:
            assert await one_picture(partial(reach, place), Cut(), 20) == picture(3)
            await until(clock, lambda: not server.watchers)
            async with watching(partial(reach, place), clock, Cut()) as heard:
                await until(clock, lambda: heard == [picture(3)])

    asyncio.run(main())


def test_a_source_that_talks_nonsense_is_left_and_asked_again(place: Path) -> None:
    async def main() -> None:
        clock, answers = SystemClock(), [bytes(range(60)), pack(picture(1, BIG)), pack(picture(2, BIG))]

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            # In two pieces, then two pictures in one: what comes is not always one picture.
            said, answers[:] = (answers[:1], answers[1:]) if len(answers) == 3 else (answers[:], [])
            data = b"".join(said)
            writer.write(data[:50])
            await clock.sleep(0.02)
            writer.write(data[50:])
            await reader.read()
            writer.close()

        async with await asyncio.start_unix_server(answer, str(place)):
            async with watching(partial(push_unix, place), clock, Cut()) as heard:
                await until(clock, lambda: len(heard) == 3)
            assert heard == [AWAY, picture(1, BIG), picture(2, BIG)]

    asyncio.run(main())


def test_only_this_user_may_watch_over_the_socket(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The far end's user is what the kernel says; here the server takes itself for another one."""

    def modes() -> int:
        return place.stat().st_mode & 0o777

    async def main() -> None:
        async with running(FrameServer(place, offering(picture(1)))) as server:
            assert modes() == 0o600
            monkeypatch.setattr(server, "_uids", frozenset({os.getuid() + 1}))
            with pytest.raises(Unavailable, match="away"):
                await one_picture(partial(connect_unix, place), Cut(), 20)
            assert server.watchers == []

    asyncio.run(main())


def test_one_picture_says_why_there_is_none_and_does_not_wait_for_ever() -> None:
    async def main(clock: VirtualClock) -> None:
        async def nowhere() -> Channel:
            raise FileNotFoundError

        with pytest.raises(Unavailable, match="the media role is away"):
            await one_picture(nowhere, Cut(), 3)

        def lost(watcher: Watcher) -> None:
            watcher.offer(pack(NoSignal("unplugged")))

        async with running(FrameServer(None, lost)) as server:
            with pytest.raises(Unavailable, match="no signal: unplugged"):
                await one_picture(server.join, Cut(), 3)
        async with running(FrameServer(None, lambda watcher: None)) as silent:
            began_ns = clock.now_ns()
            with pytest.raises(Unavailable, match="no picture came within 3 s"):
                await one_picture(silent.join, Cut(), 3)
            assert clock.now_ns() - began_ns == 3_000_000_000
            await clock.sleep(0.1)
            assert silent.watchers == []

    virtual_run(main)
