"""The HTTP server on a real socket, a small application behind it, and raw clients that take their time.

Deadlines are small here, so that a test waits for tenths of a second. They run by a clock that stands still while the
machine does: a client that was quick is not slow because its machine was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

from firmware.interfaces.http.limits import Deadlines, Limits
from firmware.interfaces.http.server import Server
from tests.live.device import PATIENCE_S
from tests.live.running_time import RunningClock

# Only the one under test is short in each test.
LONG = 30.0
PATIENT = {
    "headers_s": LONG, "body_grace_s": LONG, "idle_s": LONG, "write_stall_s": LONG, "shutdown_s": 0.5,
}  # fmt: skip
CHUNK = b"x" * 4096


def deadlines(**short: float) -> Deadlines:
    return Deadlines(**{**PATIENT, **short})


class App:
    """A small application: /quick answers, /echo reads all, /endless writes for ever, /deaf reads nothing."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.began = 0
        self.running = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.began += 1
        self.running += 1
        try:
            await getattr(self, scope["path"].strip("/"))(receive, send)
        finally:
            self.running -= 1

    async def quick(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def echo(self, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                self.bodies.append(body)
                await self.quick(receive, send)
                return

    async def endless(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
            await asyncio.sleep(0)

    async def deaf(self, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.6)
        await self.echo(receive, send)


@asynccontextmanager
async def serving(app: Any, limits: Limits | None = None, **short: float) -> AsyncIterator[Server]:
    async with RunningClock().ticking() as clock:
        server = Server(app, "127.0.0.1", 0, clock, deadlines=deadlines(**short), limits=limits)
        await server.open()
        task = asyncio.ensure_future(server.serve())
        try:
            yield server
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.close()
            await Client.close_all()


class Client:
    """A raw connection; all are closed with the server of their test."""

    opened: ClassVar[list[Client]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, server: Server, source: str = "127.0.0.1") -> Client:
        cls.opened.append(client := cls(*await asyncio.open_connection(*server.address, local_addr=(source, 0))))
        return client

    @classmethod
    async def close_all(cls) -> None:
        for client in cls.opened:
            await client.close()
        cls.opened.clear()

    def say(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)

    async def drip(self, text: str, every_s: float) -> None:
        """Send one byte at a time until the server has had enough."""
        for letter in text:
            if self.reader.at_eof() or self.writer.is_closing():
                return
            self.say(letter)
            await asyncio.sleep(every_s)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        found = b""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while data := await self.reader.read(65536):
                    found += data
        except ConnectionResetError:
            pass
        return found

    async def answer(self) -> tuple[int, bytes]:
        """One whole answer of known length."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            return int(head.split()[1]), await self.reader.readexactly(length)

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def quick(server: Server) -> bool:
    """Whether another client is served, at once."""
    client = await Client.to(server)
    client.say("GET /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    found = await client.rest()
    await client.close()
    return found.startswith(b"HTTP/1.1 200") and found.endswith(b"ok")


async def served_until(server: Server, done: Awaitable[bytes]) -> bytes:
    """The end of a slow client, with quick ones served until then."""
    waiting = asyncio.ensure_future(done)
    rounds = 0
    while not waiting.done():
        assert await quick(server)
        rounds += 1
        await asyncio.sleep(0.02)
    assert rounds >= 2
    return await waiting


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not check():
            await asyncio.sleep(0.01)
