"""The HTTP server against clients that take their time, on real sockets (hardening rows 32 and 33).

Deadlines are small here, so that a test waits for tenths of a second; what is asserted is that the slow
client is closed, by the deadline it broke, and that a quick one is served meanwhile. They run by a clock that stands
still while the machine does: a client that was quick is not slow because its machine was.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import websockets

from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.access import PinEntered
from firmware.interfaces.api.service import ApiService
from firmware.interfaces.http.limits import Deadlines, Limits
from firmware.interfaces.http.server import Server
from firmware.security import AccountsService
from hal.clock import SystemClock
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


def test_row_32_one_address_gets_its_share_of_connections_and_no_more() -> None:
    async def main() -> None:
        app = App()
        async with serving(app, limits=Limits(per_address=4)) as server:
            clients = [await Client.to(server) for _ in range(4)]
            await until(lambda: server.connections == 4)
            # A fifth takes the place of the oldest, which has not asked for anything.
            assert await quick(server)
            assert await clients[0].rest() == b""
            clients[0] = await Client.to(server)
            for client in clients:
                client.say("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: app.running == 4)
            # Somebody works for all four: nobody gives way to a fifth.
            fifth = await Client.to(server)
            assert (await fifth.rest()).startswith(b"HTTP/1.1 503 ")
            await clients[0].close()
            await until(lambda: server.connections == 3)
            assert await quick(server)
            for client in clients:
                await client.close()
            await until(lambda: server.connections == 0)

    asyncio.run(main())


def test_row_32_a_full_house_makes_room_for_whoever_holds_least() -> None:
    async def main() -> None:
        async with serving(App(), limits=Limits(per_address=30, connections=40)) as server:
            crowd = [await Client.to(server, f"127.4.0.{number // 20 + 1}") for number in range(40)]
            await until(lambda: server.connections == 40)
            assert await quick(server)
            assert await crowd[0].rest() == b""
            lone = await Client.to(server, "127.4.9.9")
            more = [await Client.to(server, "127.4.0.1") for _ in range(40)]
            lone.say("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await lone.answer() == (200, b"ok")
            assert server.connections <= 40
            for client in (*crowd, *more):
                await client.close()

    asyncio.run(main())


def test_row_32_five_hundred_connections_at_once_leave_nothing_behind() -> None:
    async def main() -> None:
        async with serving(App(), headers_s=0.5) as server:
            clients = [await Client.to(server) for _ in range(500)]
            await asyncio.gather(*(client.rest() for client in clients))
            for client in clients:
                await client.close()
            await until(lambda: server.connections == 0)
            assert await quick(server)

    asyncio.run(main())


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


@asynccontextmanager
async def role(root: Path, **short: float) -> AsyncIterator[tuple[ApiService, Core]]:
    async with RunningClock().ticking() as clock:
        bus = Bus(clock, role="network", boot="b1")
        store = Store(root, clock, alarm=lambda *_: None)
        actions, params = ActionTable(), Params(store, bus, lambda file, why: None)
        core = Core(
            role="network", clock=clock, bus=bus, actions=actions, link=LocalLink(actions, params),
            params=params, store=store, shared=store,
        )  # fmt: skip
        accounts = AccountsService(core, "LINTEL_0123456789AB")
        api = ApiService(core, "127.0.0.1", 0, True, deadlines=deadlines(**short))
        await store.start()
        await accounts.start()
        await api.start()
        running = asyncio.ensure_future(api.run())
        try:
            yield api, core
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await api.stop()
            await accounts.stop()
            await store.close()


async def set_up(api: ApiService) -> str:
    url = "http://{}:{}".format(*api.address)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
        answer = await client.post("/api/v1/setup", json={"name": "admin", "password": "choose-one"})
        assert answer.status_code == 201
    return url


BASIC = {"Authorization": "Basic " + base64.b64encode(b"admin:choose-one").decode()}


def test_row_32_an_event_client_that_does_not_read_is_closed_and_others_hear_everything(tmp_path: Path) -> None:
    async def main() -> None:
        async with role(tmp_path, write_stall_s=0.5) as (api, core):
            url = await set_up(api)
            heard = 0
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(api.address)
                head = "\r\n".join(f"{name}: {value}" for name, value in BASIC.items())
                slow.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n".encode())
                async with httpx.AsyncClient(base_url=url, headers=BASIC, timeout=PATIENCE_S) as client:
                    async with client.stream("GET", "/api/v1/events") as quick_one:
                        lines = quick_one.aiter_lines()
                        published = 0
                        async with asyncio.timeout(PATIENCE_S):
                            while "the slow one is there":
                                core.bus.publish(PinEntered(reader="r" * 2000, door="door", digits=published))
                                published += 1
                                while heard < published:
                                    line = await anext(lines)
                                    heard += line.startswith("data: ") and '"access/pin"' in line
                                if published > 200 and api._server is not None and api._server.connections == 1:
                                    break
                                await asyncio.sleep(0.002)
            assert heard == published

    asyncio.run(main())


def test_a_websocket_of_somebody_elses_client_hears_events(tmp_path: Path) -> None:
    async def main() -> None:
        async with role(tmp_path) as (api, core):
            url = (await set_up(api)).replace("http:", "ws:") + "/api/v1/events"
            async with websockets.connect(url, additional_headers=BASIC) as ours:
                first = json.loads(await asyncio.wait_for(ours.recv(), PATIENCE_S))
                assert first["operation"] == "initialised"
                core.bus.publish(PinEntered(reader="front", door="door", digits=4))
                while json.loads(await asyncio.wait_for(ours.recv(), PATIENCE_S))["topic"] != "access/pin":
                    pass
                await ours.send("x" * 5000)
                await asyncio.wait_for(ours.wait_closed(), PATIENCE_S)
                assert ours.close_code == 1009
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(url)
            assert refused.value.response.status_code == 401
            assert "Digest" in refused.value.response.headers.get_all("WWW-Authenticate")[0]
            assert api._server is not None
            await until(lambda: api._server is not None and api._server.connections == 0)

    asyncio.run(main())


def test_row_32_a_websocket_that_does_not_read_is_closed(tmp_path: Path) -> None:
    async def main() -> None:
        async with role(tmp_path, write_stall_s=0.5) as (api, core):
            await set_up(api)
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(api.address)
                head = "\r\n".join(f"{name}: {value}" for name, value in BASIC.items())
                slow.sendall(
                    f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\nConnection: upgrade\r\n"
                    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
                )
                server = api._server
                assert server is not None
                await until(lambda: server.connections == 1)
                async with asyncio.timeout(PATIENCE_S):
                    while server.connections:
                        core.bus.publish(PinEntered(reader="r" * 2000, door="door", digits=1))
                        await asyncio.sleep(0.002)

    asyncio.run(main())


@pytest.mark.parametrize("sha256", [True, False], ids=["SHA-256", "MD5"])
def test_row_31_digest_of_somebody_elses_client_over_a_socket(tmp_path: Path, sha256: bool) -> None:
    async def main() -> None:
        async with role(tmp_path) as (api, _):
            url = await set_up(api)
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
                first = await client.get("/api/v1/actions?a=1")
                offers = first.headers.get_list("www-authenticate")
                assert ["SHA-256" in offer for offer in offers] == [True, False, False]
                auth = httpx.DigestAuth("admin", "choose-one")
                flow = auth.auth_flow(client.build_request("GET", "/api/v1/actions?a=1"))
                next(flow)
                first.headers["www-authenticate"] = offers[0 if sha256 else 1]
                header = flow.send(first).headers["authorization"]
                flow.close()
                answer = await client.get("/api/v1/actions?a=1", headers={"authorization": header})
                assert answer.status_code == 200

    asyncio.run(main())
