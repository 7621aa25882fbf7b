"""Answers on the wire: each header that keeps browsers careful is there once, and nothing of a request stays behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firmware.interfaces.api.routes import Json
from firmware.interfaces.http.face import WHOLE
from firmware.interfaces.http.guard import HEADERS, Outlet
from firmware.interfaces.http.limits import Deadlines
from firmware.interfaces.http.server import Server
from firmware.interfaces.http.way_out import STREAM
from hal.clock import Clock, SystemClock

BODY = b"{}"
LENGTH = (b"content-length", b"2")


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """An application behind the way out of the guard; the path says how it answers."""
    out = Outlet(scope, send, hsts=True)
    own = [(b"cache-control", b"max-age=60"), (b"x-frame-options", b"SAMEORIGIN")] if "own" in scope["path"] else []
    headers = [*own] if "endless" in scope["path"] else [*own, LENGTH]
    taken = scope["extensions"][STREAM].begin() if "endless" in scope["path"] else None
    await out.send({"type": "http.response.start", "status": 200, "headers": headers})
    if taken is not None:
        await out.send({"type": "http.response.body", "body": b"", "more_body": True})
        taken.write(BODY)
    await out.send({"type": "http.response.body", "body": b"" if taken is not None else BODY})


@asynccontextmanager
async def serving(clock: Clock | None = None) -> AsyncIterator[tuple[str, int]]:
    """The server with that application, at this address."""
    server = Server(answers, "127.0.0.1", 0, clock or SystemClock())
    await server.open()
    task = asyncio.ensure_future(server.serve())
    try:
        yield server.address
    finally:
        task.cancel()
        await asyncio.wait((task,))


def request(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


async def asked(address: tuple[str, int], *requests: bytes) -> list[tuple[list[str], bytes]]:
    """The header lines and the body of each answer; the requests go over one connection."""
    reader, writer = await asyncio.open_connection(*address)
    found = []
    for each in requests:
        writer.write(each)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.removesuffix("\r\n\r\n").split("\r\n")
        body = BODY if each.startswith(b"HEAD") else await reader.readexactly(len(BODY))
        found.append((lines[1:], body))
    writer.close()
    return found


def wanted(cache: str) -> list[str]:
    return sorted([f"{name}: {value}" for name, value in HEADERS.items()] + [f"cache-control: {cache}"])


def of_browsers(lines: list[str]) -> list[str]:
    names = {*HEADERS, "cache-control", "strict-transport-security"}
    return sorted(line for line in lines if line.partition(":")[0] in names)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_answer_of_a_connection_has_each_of_the_headers_once(method: str) -> None:
    async def main() -> None:
        async with serving() as address:
            paths = ("/api/x", "/page", "/own", "/api/x")
            answered = await asked(address, *(request(path, method) for path in paths))
            for path in ("/endless", "/api/endless"):
                answered += await asked(address, request(path))
        assert all(body == BODY for _, body in answered)
        assert [of_browsers(lines) for lines, _ in answered] == [
            wanted("no-store"),
            wanted("no-cache"),
            sorted(line.replace("DENY", "SAMEORIGIN") for line in wanted("max-age=60")),
            wanted("no-store"),
            wanted("no-cache"),
            wanted("no-store"),
        ]

    asyncio.run(asyncio.wait_for(main(), 60))


class SetClock(SystemClock):
    """A clock whose date is set by hand, and believed or not; it counts how often somebody sleeps by it."""

    def __init__(self) -> None:
        super().__init__()
        self.date = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
        self.believed = True
        self.ahead_ns = 0
        self.sleeps = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns

    def utc(self) -> datetime:
        return self.date

    def trusted(self) -> bool:
        return self.believed

    async def sleep(self, s: float) -> None:
        self.sleeps += 1
        await super().sleep(s)

    def go_on(self, s: int) -> None:
        """So many seconds go by."""
        self.ahead_ns += s * 1_000_000_000
        self.date += timedelta(seconds=s)


def test_an_answer_says_the_date_at_which_it_is_made_and_none_while_the_device_does_not_know_it() -> None:
    async def main() -> None:
        clock = SetClock()

        async def dates(path: str) -> list[str]:
            [(lines, _)] = await asked(address, request(path))
            return [line for line in lines if line.startswith("date")]

        async with serving(clock) as address:
            for path in ("/page", "/api/x"):
                assert await dates(path) == [f"date: {clock.date:Mon, 01 Jun 2026 %H:%M:%S GMT}"]
                clock.go_on(2)
                assert await dates(path) == [f"date: {clock.date:Mon, 01 Jun 2026 %H:%M:%S GMT}"]
                clock.go_on(2)
            clock.believed = False
            assert await dates("/page") == await dates("/api/x") == []

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_server_to_which_nobody_is_connected_wakes_nobody_up() -> None:
    async def main() -> None:
        clock = SetClock()
        server = Server(answers, "127.0.0.1", 0, clock, deadlines=Deadlines(write_stall_s=0.04))
        await server.open()
        task = asyncio.ensure_future(server.serve())
        try:
            for _ in range(3):
                await asyncio.sleep(0.1)
                before = clock.sleeps
                await asyncio.sleep(0.1)
                assert clock.sleeps == before
                reader, writer = await asyncio.open_connection(*server.address)
                writer.write(request("/page"))
                await reader.readuntil(BODY)
                while clock.sleeps == before:  # while somebody is there it looks
                    await asyncio.sleep(0.01)
                writer.close()
                while server.connections:
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.wait((task,))

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_hundred_requests_leave_nothing_for_the_garbage_collector() -> None:
    async def main() -> None:
        async with serving() as address:
            await asked(address, *[request("/page")] * 10)
            gc.collect()
            gc.disable()
            try:
                await asked(address, *[request("/page")] * 100)
                left = gc.collect()
            finally:
                gc.enable()
        assert left < 100

    asyncio.run(asyncio.wait_for(main(), 60))


async def both_ways(scope: Any, receive: Any, send: Any) -> None:
    """An answer of JSON: at once below /api/at-once, in two messages elsewhere."""
    out = Outlet(scope, send, hsts=False)
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    messages: list[Any] = []

    async def usual(message: Any) -> None:
        messages.append(message)
        await out.send(message)

    at_once = scope["path"] == "/api/at-once"
    if at_once:
        scope[WHOLE] = out.whole
    await Json(BODY, 201)(scope, receive, usual)
    assert bool(messages) is (not at_once or scope["method"] == "HEAD")  # or the client finds no answer that fits
    scope.pop(WHOLE, None)


POST = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n%b\r\n"
ASKED = {
    "kept": b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n",
    "closed": b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "of old": b"GET %b HTTP/1.0\r\n\r\n",
    "only the head": b"HEAD %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "with a body": POST % (b"%b", b"") + b"abc",
    "announced": POST % (b"%b", b"Expect: 100-continue\r\n") + b"abc",
    "three at a time": 3 * b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("how", ASKED)
def test_an_answer_that_goes_out_at_once_is_the_one_that_goes_out_in_two_messages(how: str) -> None:
    async def heard(address: tuple[str, int], path: bytes) -> tuple[list[bytes], list[bytes]]:
        reader, writer = await asyncio.open_connection(*address)
        times = ASKED[how].count(b"%b")
        writer.write(ASKED[how] % ((path,) * times))
        # The last of it asks for the end, so that all there is to hear is heard.
        if how not in ("closed", "of old", "only the head"):
            writer.write(ASKED["closed"] % path)
        data = await reader.read(-1)
        writer.close()
        pieces = data.split(b"\r\n")
        return sorted(piece for piece in pieces if not piece.startswith(b"date:")), data.split(BODY)[-1:]

    async def main() -> None:
        server = Server(both_ways, "127.0.0.1", 0, SystemClock())
        await server.open()
        task = asyncio.ensure_future(server.serve())
        try:
            ways = [await heard(server.address, path) for path in (b"/api/at-once", b"/api/in-two")]
        finally:
            task.cancel()
            await asyncio.wait((task,))
        assert ways[0] == ways[1]
        assert b"HTTP/1.1 201 Created" in ways[0][0]

    asyncio.run(main())


def test_an_answer_at_once_leaves_nothing_of_its_request_behind() -> None:
    async def main() -> None:
        server = Server(both_ways, "127.0.0.1", 0, SystemClock())
        await server.open()
        task = asyncio.ensure_future(server.serve())
        try:
            reader, writer = await asyncio.open_connection(*server.address)
            gc.collect()
            gc.disable()
            try:
                for _ in range(50):
                    writer.write(ASKED["kept"] % b"/api/at-once")
                    await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(len(BODY))
                left = gc.collect()
            finally:
                gc.enable()
            writer.close()
        finally:
            task.cancel()
            await asyncio.wait((task,))
        assert left < 50  # not one thing a request

    asyncio.run(main())
