"""What is no request, what comes ahead, and clients that are gone: the HTTP server on real sockets (row 33)."""

from __future__ import annotations

import asyncio
import json

import pytest

from firmware.core.errors import Unavailable
from firmware.interfaces.http.server import Server
from hal.clock import SystemClock
from tests.live.device import PATIENCE_S
from tests.live.http_clients import App, Client, quick, serving, until

BIG = 1024 * 1024 + 1


@pytest.mark.parametrize(
    ("request_text", "status", "where"),
    [
        (f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {BIG}\r\n\r\n", 413, "body"),
        (
            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + f"{BIG:x}\r\n" + "a" * BIG,
            413,
            "body",
        ),
        ("GET /quick HTTP/1.1\r\nHost: x\r\nX: " + "h" * 40_000 + "\r\n\r\n", 431, "headers"),
        ("GET /quick HTTP/1.1\r\n" + "".join(f"X{n}: y\r\n" for n in range(200)) + "\r\n", 431, "headers"),
        ("GET /" + "u" * 100_000, 431, "headers"),
        ("nonsense\r\n\r\n", 400, "request"),
        ("GET /quick HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "request"),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "request"),
        ("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request"),
        ("GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request"),
        ("GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request"),
    ],
    ids=[
        "length",
        "chunked",
        "header",
        "headers",
        "target",
        "nonsense",
        "negative",
        "smuggle",
        "connect",
        "absolute",
        "bytes",
    ],
)
def test_row_33_too_much_or_no_http_is_refused_before_it_reaches_the_application(
    request_text: str, status: int, where: str
) -> None:
    async def main() -> None:
        app = App()
        async with serving(app) as server:
            client = await Client.to(server)
            client.say(request_text.encode("latin-1"))
            found = await client.rest()
            assert found.startswith(f"HTTP/1.1 {status} ".encode()), found[:200]
            assert json.loads(found.partition(b"\r\n\r\n")[2])["error"]["where"] == where
            assert app.bodies == []
            assert await quick(server)

    asyncio.run(main())


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on() -> None:
    """What curl does by itself with a large file (RFC 9110, 10.1.1)."""

    async def main() -> None:
        app = App()
        async with serving(app) as server:
            client = await Client.to(server)
            for _ in range(2):
                client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
                async with asyncio.timeout(PATIENCE_S):
                    assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                client.say("abc")
                assert await client.answer() == (200, b"ok")
            assert app.bodies == [b"abc"] * 2

    asyncio.run(main())


def test_requests_sent_ahead_are_answered_in_order_and_only_so_many_are_taken() -> None:
    async def main() -> None:
        app = App()
        async with serving(app) as server:
            client = await Client.to(server)
            client.say("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            assert [await client.answer() for _ in range(3)] == [(200, b"ok")] * 3
            await client.close()
            greedy = await Client.to(server)
            greedy.say("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n" + "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            await greedy.rest()
            await until(lambda: app.running == 0)

    asyncio.run(main())


def test_an_application_learns_that_its_client_is_gone_even_when_more_was_sent_ahead() -> None:
    async def main() -> None:
        app = App()
        async with serving(app) as server:
            client = await Client.to(server)
            client.say("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n" + "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            await until(lambda: app.running == 1)
            await client.close()
            await until(lambda: app.running == 0)
            assert app.began == 1

    asyncio.run(main())


def test_a_server_that_stops_does_not_wait_for_endless_answers() -> None:
    async def main() -> None:
        app = App()
        async with serving(app, shutdown_s=0.2) as server:
            client = await Client.to(server)
            client.say("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: app.running == 1)
            reading = asyncio.ensure_future(client.rest())
            address = server.address
        assert app.running == 0
        await reading
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)

    asyncio.run(main())


def test_an_address_in_use_is_one_clear_error() -> None:
    async def main() -> None:
        async with serving(App()) as server:
            host, port = server.address
            second = Server(App(), host, port, SystemClock())
            with pytest.raises(Unavailable, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
                await second.open()
        with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1:0: "):
            await Server(App(), "192.0.2.1", 0, SystemClock()).open()
        with pytest.raises(Unavailable, match=r"cannot listen on no-such-host\.invalid:0: "):
            await Server(App(), "no-such-host.invalid", 0, SystemClock()).open()

    asyncio.run(main())


# The whole role, on real sockets.
