"""The HTTP server against clients that take their time, on real sockets (hardening row 32).

What is asserted is that the slow client is closed, by the deadline it broke, and that a quick one is served meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from firmware.interfaces.http.limits import Limits
from firmware.interfaces.http.server import Server
from hal.clock import SystemClock, Timer
from tests.live.device import PATIENCE_S
from tests.live.http_clients import App, Client, deadlines, quick, served_until, serving, until
from tests.live.running_time import Due


def test_row_32_a_silent_client_is_closed() -> None:
    async def main() -> None:
        async with serving(App(), headers_s=0.3) as server:
            client = await Client.to(server)
            assert await served_until(server, client.rest()) == b""
            await until(lambda: server.connections == 0)

    asyncio.run(main())


def test_row_32_dripping_headers_do_not_move_their_deadline() -> None:
    async def main() -> None:
        async with serving(App(), headers_s=0.4) as server:
            client = await Client.to(server)
            drip = asyncio.ensure_future(client.drip("GET /quick HTTP/1.1\r\nHost: " + "x" * 1000, 0.02))
            found = await served_until(server, client.rest())
            assert found.startswith(b"HTTP/1.1 408 ")
            assert json.loads(found.partition(b"\r\n\r\n")[2])["error"]["where"] == "headers"
            await drip

    asyncio.run(main())


def test_row_32_empty_lines_are_no_request_and_keep_nothing_open() -> None:
    async def main() -> None:
        async with serving(App(), headers_s=0.4, idle_s=0.4) as server:
            client = await Client.to(server)
            client.say("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.answer() == (200, b"ok")
            drip = asyncio.ensure_future(client.drip("\r\n" * 500, 0.02))
            await served_until(server, client.rest())
            await drip

    asyncio.run(main())


def test_row_32_an_idle_connection_is_kept_for_a_while_and_then_closed() -> None:
    async def main() -> None:
        async with serving(App(), idle_s=0.4) as server:
            client = await Client.to(server)
            for _ in range(3):
                client.say("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
                assert await client.answer() == (200, b"ok")
                await asyncio.sleep(0.1)
            assert await served_until(server, client.rest()) == b""

    asyncio.run(main())


@pytest.mark.parametrize("framing", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_row_32_a_dripping_body_is_refused(framing: str) -> None:
    async def main() -> None:
        app = App()
        async with serving(app, body_grace_s=0.3) as server:
            client = await Client.to(server)
            client.say(f"POST /echo HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n")
            letters = "y" * 5000 if "Length" in framing else "1\r\ny\r\n" * 1000
            drip = asyncio.ensure_future(client.drip(letters, 0.02))
            found = await served_until(server, client.rest())
            assert found.startswith(b"HTTP/1.1 408 ")
            await drip
            await until(lambda: app.running == 0)
            assert app.bodies == []

    asyncio.run(main())


def test_row_32_a_body_faster_than_the_floor_is_taken_however_long_it_takes() -> None:
    async def main() -> None:
        app = App()
        async with serving(app, body_grace_s=0.2) as server:
            client = await Client.to(server)
            client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n")
            for _ in range(12):
                client.say("z" * 500)
                await asyncio.sleep(0.1)
            assert await client.answer() == (200, b"ok")
            assert app.bodies == [b"z" * 6000]
            await client.close()

    asyncio.run(main())


def test_row_32_a_slow_application_is_not_held_against_the_client() -> None:
    async def main() -> None:
        app = App()
        async with serving(app, body_grace_s=0.2) as server:
            client = await Client.to(server)
            client.say("POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + "a" * 300_000)
            assert await client.answer() == (200, b"ok")
            assert app.bodies == [b"a" * 300_000]
            await client.close()

    asyncio.run(main())


class HandClock(SystemClock):
    """A clock that goes on by hand: what is due then happens at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now_ns = super().now_ns()
        self._due: list[tuple[int, Due]] = []

    def now_ns(self) -> int:
        return self._now_ns

    def call_later(self, delay_s: float, fn: Callable[..., None], *args: object) -> Timer:
        return self.call_at(self._now_ns + round(delay_s * 1e9), fn, *args)

    def call_at(self, t_ns: int, fn: Callable[..., None], *args: object) -> Timer:
        due = Due(lambda: fn(*args))
        self._due.append((t_ns, due))
        return due

    def go_on(self, s: float) -> None:
        """So much time goes by."""
        self._now_ns += round(s * 1e9)
        now = [each for each in self._due if each[0] <= self._now_ns]
        self._due = [each for each in self._due if each not in now]
        for _, due in now:
            if due.fn is not None:
                due.fn()


def test_row_32_time_in_which_the_application_took_nothing_is_never_the_clients() -> None:
    """Also what passed of a deadline when the application begins to take, before the client could send any more."""

    async def main() -> None:
        clock, taken, go = HandClock(), 0, asyncio.Event()

        async def takes_late(scope: Any, receive: Any, send: Any) -> None:
            nonlocal taken
            await go.wait()
            first = asyncio.ensure_future(receive())
            await asyncio.sleep(0)  # from now on the client may send
            clock.go_on(0.1)
            message = await first
            while True:
                taken += len(message["body"])
                if not message["more_body"]:
                    break
                message = await receive()
            await App().quick(receive, send)

        server = Server(takes_late, "127.0.0.1", 0, clock, deadlines=deadlines(body_grace_s=1.0))
        await server.open()
        client = await Client.to(server)
        client.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + "a" * 300_000)
        await until(lambda: any(each.flow.read_paused for each in server._shared.connections))  # type: ignore[union-attr]
        for _ in range(3):
            clock.go_on(1.0)
        clock.go_on(0.95)
        go.set()
        assert await client.answer() == (200, b"ok")
        assert taken == 300_000
        await Client.close_all()
        await until(lambda: server.connections == 0)
        await server.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


@pytest.mark.parametrize("sips", [False, True], ids=["reads nothing", "sips"])
def test_row_32_a_client_that_does_not_read_is_closed(sips: bool) -> None:
    async def main() -> None:
        app = App()
        async with serving(app, write_stall_s=0.5) as server:
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(server.address)
                slow.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
                slow.setblocking(False)

                async def until_closed() -> bytes:
                    await until(lambda: app.running == 1)
                    while app.running:
                        if sips:
                            slow.recv(1)
                        await asyncio.sleep(0.05)
                    return b""

                await served_until(server, until_closed())
                await until(lambda: server.connections == 0)

    asyncio.run(main())


@pytest.mark.parametrize("buffer_bytes", [16 * 1024, 1024 * 1024], ids=["waits", "fits"])
@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_row_32_an_answer_that_is_not_taken_does_not_keep_its_connection(buffer_bytes: int, connection: bytes) -> None:
    """The answer is whole, and either waits for the client or fits the buffer: only its flush is missing."""

    async def whole(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/quick":
            await App().quick(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", connection)]})
        await send({"type": "http.response.body", "body": b"w" * 400_000})

    async def main() -> None:
        limits = Limits(write_buffer_bytes=buffer_bytes)
        async with serving(whole, limits, write_stall_s=0.5, idle_s=0.3) as server:
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(server.address)
                slow.sendall(b"GET /whole HTTP/1.1\r\nHost: x\r\n\r\n")

                async def until_closed() -> bytes:
                    await until(lambda: server.connections >= 1)
                    await asyncio.sleep(0.1)
                    await until(lambda: server.connections == 0)
                    return b""

                await asyncio.wait_for(until_closed(), PATIENCE_S)
                assert await quick(server)

    asyncio.run(main())
