"""Pictures on their way from a real source to real connections that stall, hang up, take them in pieces, or last.

Every client checks every byte: whole parts, in order, nothing between them. Every test is made both ways: with pictures
that cross from the source to the server, and with connections that are handed over to the source. The roles' own parts
run in this process, so that open files can be counted.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from firmware.certificates.keystore import load_chain
from firmware.certificates.making import drawn
from firmware.core.actions import SYSTEM, ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.link.channel import push_unix
from firmware.core.stream.multipart import DELIMITER
from firmware.core.stream.no_signal import no_signal
from firmware.core.stream.server import FrameServer, Watcher
from firmware.core.stream.wire import Cut, Jpeg, pack
from firmware.core.vocabulary.certificates import KeyType, Subject
from firmware.interfaces.http.limits import Deadlines
from firmware.interfaces.http.server import Door, Server
from firmware.interfaces.video.mjpeg import MjpegAnswer
from firmware.interfaces.video.place import Place
from firmware.interfaces.video.views import Views
from firmware.video.audience import Audience
from firmware.video.handed import Show
from hal.clock import SystemClock
from tests.live.device import PATIENCE_S

HERE = "127.0.0.1"
BEHIND = b"\r\n" + DELIMITER
WIDTH, HEIGHT, HZ = 640, 360, 100
SMALL, LARGE = 30_000, 1_000_000  # bytes; a large one is more than all buffers on the way hold
LITTLE_ROOM = 4096


def jpeg_of(number: int, size: int) -> bytes:
    """What stands for the picture of that number."""
    return struct.pack("<I", number) * (size // 4)


@dataclass(eq=False)
class Client:
    """Somebody who looks, and checks what comes; `numbers` are those of the pictures, 0 for no signal."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    numbers: list[int] = field(default_factory=list)

    async def look(self, most: int | None = None) -> None:
        """Take pictures until so many have come, or the connection ends between two of them."""
        while most is None or len(self.numbers) < most:
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if head.startswith(b"HTTP"):
                assert b" 200 " in head
                assert await self.reader.readexactly(len(DELIMITER)) == DELIMITER
                continue
            found = re.fullmatch(rb"Content-Type: image/jpeg\r\nContent-Length: (\d+)\r\nx-frame: (\d+)\r\n\r\n", head)
            assert found is not None, head[:100]
            size, number = int(found[1]), int(found[2])
            picture = await self.reader.readexactly(size)
            assert picture == (jpeg_of(number, size) if number else no_signal(WIDTH, HEIGHT))
            assert await self.reader.readexactly(len(BEHIND)) == BEHIND
            assert not number or number > max(self.numbers, default=0), "shown again, or late"
            self.numbers.append(number)

    def hang_up(self) -> None:
        """At once, with whatever is still on its way."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Scene:
    """A source, the views before it, and a server whose every answer is its pictures."""

    def __init__(self, folder: Path, *, handed: bool, size: int, stall_s: float, most: int) -> None:
        self.clock = SystemClock()
        self.path = folder / "source"
        self.hands = folder / "hands" if handed else None
        self.crossed = 0
        self.number = 0
        self.size = size
        self.sent: set[int] = set()
        self.clients: list[Client] = []
        self._most = most
        self.bus = Bus(self.clock, role="network", boot="b")
        self._core = Core(
            role="network", clock=self.clock, bus=self.bus, actions=ActionTable(),
            link=cast(Any, None), params=cast(Any, None), store=cast(Any, None), shared=cast(Any, None),
        )  # fmt: skip
        connect = partial(push_unix, self.path)
        self.place = Place(
            source="camera1", alias="road", width=WIDTH, height=HEIGHT, fps=HZ, connect=connect, hands=self.hands
        )  # fmt: skip
        self.views = Views(self._core, (self.place,))
        self.server = Server(
            self._answer,
            HERE,
            0,
            self.clock,
            deadlines=Deadlines(write_stall_s=stall_s, shutdown_s=0.5),
            closing=self.views.close,
        )

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        answer = MjpegAnswer(self._core, self.views, self.place, Cut(), 0, SYSTEM, most=self._most)
        await answer(scope, receive, send)

    @asynccontextmanager
    async def source(self, *, taking: bool = True) -> AsyncIterator[None]:
        """The source is there as long as this lasts; without `taking` it takes no viewers over."""
        server = FrameServer(self.path, lambda watcher: None)
        audience = Audience(self.hands if taking else None, self.clock, lambda: None, lambda: (WIDTH, HEIGHT))
        await server.start()
        audience.start()
        tasks = [asyncio.ensure_future(job) for job in (server.run(), self._shoot(server.watchers, audience))]
        try:
            yield
        finally:
            audience.stop()
            await server.stop()
            await ended(tasks)

    async def _shoot(self, watchers: list[Watcher], audience: Audience) -> None:
        while True:
            await self.clock.sleep(1 / HZ)
            now_ns = self.clock.now_ns()
            wanting = [each for each in (*watchers, *audience.shows) if each.wants(now_ns)]
            if wanting:
                self.number += 1
                self.sent.add(self.number)
                jpeg = Jpeg(jpeg_of(self.number, self.size), WIDTH, HEIGHT, self.number, now_ns)
                for each in wanting:
                    if isinstance(each, Show):
                        each.take(jpeg)
                    else:
                        self.crossed += 1
                        each.offer(pack(jpeg))

    async def client(self, *, little_room: bool = False, tls: bool = False) -> Client:
        """One more who asks for pictures; with little room, most of a picture waits at the server."""
        connection = socket.socket()
        connection.setblocking(False)
        if little_room:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE_ROOM)
        connection.bind((f"127.0.1.{len(self.clients) % 250 + 1}", 0))
        address = self.server.address_of(Door.HTTPS if tls else Door.HTTP)
        await asyncio.get_running_loop().sock_connect(connection, address)
        trust = ssl.create_default_context() if tls else None
        if trust is not None:
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(
            sock=connection, ssl=trust, server_hostname="door" if tls else None, limit=LITTLE_ROOM
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: door\r\n\r\n")
        self.clients.append(client := Client(reader, writer))
        return client


async def ended(tasks: list[asyncio.Future[None]]) -> None:
    """End tasks; one that had failed fails the test."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


@pytest.fixture(params=[False, True], ids=["crossing", "handed over"])
def handed(request: pytest.FixtureRequest) -> bool:
    """Whether the source takes connections over."""
    return bool(request.param)


def play(
    folder: Path,
    test: Callable[[Scene], Awaitable[None]],
    *,
    handed: bool,
    size: int = SMALL,
    stall_s: float = PATIENCE_S,
    most: int = 0,
    until_end: Callable[[Scene], Awaitable[None]] | None = None,
) -> None:
    """Run a test with views that are served; afterwards no open file is left of them."""

    async def main() -> None:
        before = len(os.listdir("/proc/self/fd"))
        scene = Scene(folder, handed=handed, size=size, stall_s=stall_s, most=most)
        await scene.server.open()
        tasks = [asyncio.ensure_future(job) for job in (scene.views.run(), scene.server.serve())]
        try:
            async with asyncio.timeout(PATIENCE_S):
                await test(scene)
        finally:
            await ended(tasks)
            if until_end is not None:
                async with asyncio.timeout(PATIENCE_S):
                    await until_end(scene)
            for client in scene.clients:
                client.writer.transport.abort()
        await until(lambda: len(os.listdir("/proc/self/fd")) == before)

    asyncio.run(main())


async def more(client: Client, least: int) -> None:
    """Wait until more than so many pictures have come to a client that looks."""
    seen = len(client.numbers)
    await until(lambda: len(client.numbers) > seen + least)


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not check():
            await asyncio.sleep(0.01)


def test_a_picture_that_goes_out_in_pieces_comes_whole_and_holds_nobody_up(tmp_path: Path, handed: bool) -> None:
    async def test(scene: Scene) -> None:
        async with scene.source():
            slow, quick = await scene.client(little_room=True), await scene.client()
            async with asyncio.TaskGroup() as group:
                group.create_task(slow.look(3))
                group.create_task(quick.look(15))

    play(tmp_path, test, handed=handed, size=LARGE)


def test_viewers_that_go_away_in_the_middle_of_a_picture_cost_nobody_else_one_and_nothing_is_written_elsewhere(
    tmp_path: Path, handed: bool
) -> None:
    """Files that are opened meanwhile get the numbers that those who left had: no picture may land in them."""

    @contextmanager
    def others() -> Iterator[list[socket.socket]]:
        with ExitStack() as stack:
            ends: list[socket.socket] = []
            for _ in range(8):
                ends += (stack.enter_context(end) for end in socket.socketpair())
            yield ends

    async def test(scene: Scene) -> None:
        async with scene.source():
            loyal = await scene.client()
            looking = asyncio.ensure_future(loyal.look())
            for turn in range(15):
                fickle = [await scene.client(little_room=number % 2 == 0) for number in range(6)]
                for client in fickle:
                    await client.look(1 + turn % 2)
                for client in fickle:
                    client.hang_up()
                with others() as ends:
                    await more(loyal, 2)
                    for end in ends:
                        end.setblocking(False)
                        with pytest.raises(BlockingIOError):
                            end.recv(1)
            assert not looking.done()
            first, last = loyal.numbers[0], loyal.numbers[-1]
            assert loyal.numbers == [number for number in sorted(scene.sent) if first <= number <= last]
            looking.cancel()

    play(tmp_path, test, handed=handed)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_row_45_a_viewer_that_takes_nothing_is_hung_up_on_and_the_others_go_on(
    tmp_path: Path, tls: bool, handed: bool
) -> None:
    async def test(scene: Scene) -> None:
        key, chain = drawn(KeyType.EC_P256, Subject(common_name="door"), datetime.now(UTC), 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_chain(context, chain.encode(), key)
        await scene.server.listen(Door.HTTPS, HERE, 0, lambda: context)
        async with scene.source():
            quick = [await scene.client(), await scene.client(tls=True)]
            tasks = [asyncio.ensure_future(client.look()) for client in quick]
            stalled = await scene.client(tls=tls, little_room=True)
            await stalled.look(1)
            await until(lambda: scene.server.connections == 2)
            for client in quick:
                await more(client, 10)
            await ended(tasks)

    play(tmp_path, test, handed=handed, stall_s=0.5)


def test_a_source_that_goes_away_and_comes_back_is_no_signal_meanwhile_on_the_same_connection(
    tmp_path: Path, handed: bool
) -> None:
    async def test(scene: Scene) -> None:
        viewer = await scene.client()
        looking = asyncio.ensure_future(viewer.look())
        await until(lambda: viewer.numbers == [0])
        for _ in range(2):
            async with scene.source():
                await more(viewer, 5)
                await until(lambda: viewer.numbers[-1])
            await until(lambda: viewer.numbers[-1] == 0)
        await ended([looking])

    play(tmp_path, test, handed=handed)


def test_so_many_pictures_are_asked_for_and_so_many_come_and_then_the_end(tmp_path: Path, handed: bool) -> None:
    async def test(scene: Scene) -> None:
        async with scene.source():
            for little_room in (False, True):
                viewer = await scene.client(little_room=little_room)
                await viewer.look()
                assert len(viewer.numbers) == 2
                assert viewer.reader.at_eof()

    play(tmp_path, test, handed=handed, size=LARGE, most=2)


def test_a_server_that_stops_ends_all_viewers_and_leaves_no_open_file(tmp_path: Path, handed: bool) -> None:
    """Those who read are told the end; one that stalls is not waited for."""

    async def test(scene: Scene) -> None:
        async with scene.source():
            clients = [await scene.client(little_room=number == 0) for number in range(5)]
            for client in clients:
                await client.look(2)

    async def until_end(scene: Scene) -> None:
        for client in scene.clients:
            while await client.reader.read(1 << 16):
                pass

    play(tmp_path, test, handed=handed, until_end=until_end)
