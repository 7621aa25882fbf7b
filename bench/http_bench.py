"""Requests a second over HTTP, authenticated by Digest, by Basic and by a session, against servers that ask nobody.

Floors, in the same run: the same application without a log-in; our server with no application, which answers the same
bytes; uvicorn as it comes with that; and uvicorn with the least Digest there can be. Figures are per second of the
server's processor time, so that a busy machine favours nobody; the client is a process of its own that keeps eight
connections busy with requests that were prepared before. It does next to nothing with an answer and never sleeps: the
kernel's work to wake a client on the same machine is counted to the server, and the slower a server is the more often
its client would sleep, so that slowness would be counted twice; no client elsewhere costs that.

Every round measures all of them, every other one backwards. A ratio is the median of the rounds' own ratios: a machine
that is slow for a while is slow for both of a pair, where the best of each would be of different whiles. A figure is
the median of all rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import hmac
import multiprocessing
import re
import select
import socket
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import uvicorn

from bench.table import Row, show
from firmware.core.actions import ActionTable, Caller, Level
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.faces import guarded
from firmware.interfaces.http.face import Visitor
from firmware.interfaces.http.server import Server
from firmware.security import AccountsService
from hal.clock import SystemClock

REALM = "LINTEL_0123456789AB"
ACCOUNT = ("admin", "choose-one")
CONNECTIONS = 8
REQUESTS = 250
ROUNDS = 20
PATH = "/api/v1/session"
INFO = DeviceInfo(
    product="x", model="x", board="x", version="0", slot="A", serial="0123456789AB", chip_id="1", simulated=True,
    capabilities=(),
)  # fmt: skip

Made = Callable[[str, int], bytes]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answers without asking anybody."""
    body = b'{"name":"admin","level":"admin","ptz":false,"scheme":"digest","csrf":""}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def least_digest(nonces: set[str]) -> Any:
    """The least that can call itself Digest: fields by one expression, one hash compared, counts that rise."""
    ha1 = hashlib.sha256(f"{ACCOUNT[0]}:{REALM}:{ACCOUNT[1]}".encode()).hexdigest()
    field, seen = re.compile(r'(\w+)="?([^",]+)'), set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        text = next((value.decode() for name, value in scope["headers"] if name == b"authorization"), "")
        fields = dict(field.findall(text))
        nonce, nc = fields.get("nonce", ""), fields.get("nc", "")
        ha2 = hashlib.sha256(f"{scope['method']}:{fields.get('uri')}".encode()).hexdigest()
        whole = f"{ha1}:{nonce}:{nc}:{fields.get('cnonce')}:auth:{ha2}"
        right = hmac.compare_digest(hashlib.sha256(whole.encode()).hexdigest(), fields.get("response", ""))
        if not right or nonce not in nonces or (nonce, nc) in seen:
            await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        seen.add((nonce, nc))
        await bare(scope, receive, send)

    return app


def without_log_in(guard: Any) -> Any:
    """The same faces behind no guard: everybody is the administrator."""
    caller = Caller(ACCOUNT[0], Level.ADMIN, "api")
    visitor = Visitor(caller=caller, scheme="none", address="127.0.0.1")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["visitor"], scope["caller"] = visitor, caller
        await guard.faces[0].app(scope, receive, send)

    return app


@asynccontextmanager
async def device(folder: Path) -> AsyncIterator[Any]:
    """The application of a device with one account."""
    clock = SystemClock()
    store = Store(folder, clock, alarm=lambda *_: None)
    await store.start()
    bus = Bus(clock, role="network", boot="bench")
    actions = ActionTable()
    params = Params(store, bus, lambda *_: None)
    core = Core(
        role="network", clock=clock, bus=bus, actions=actions, link=LocalLink(actions, params), params=params,
        store=store, shared=store,
    )  # fmt: skip
    bus.publish(INFO)
    accounts = AccountsService(core, REALM)
    await accounts.start()
    guard = guarded(core, web=None)
    yield guard
    guard.close()
    await accounts.stop()
    await store.close()


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Server]:
    """A server of ours on a free port."""
    server = Server(app, "127.0.0.1", 0, SystemClock())
    await server.open()
    task = asyncio.ensure_future(server.serve())
    yield server
    task.cancel()
    await asyncio.wait((task,))


@asynccontextmanager
async def plain(app: Any) -> AsyncIterator[tuple[str, int]]:
    """uvicorn as it comes, on a free port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http="httptools", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    with contextlib.suppress(asyncio.CancelledError):
        task = asyncio.ensure_future(server._serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[:2]
        server.should_exit = True
        await task


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """One request and its answer; fails unless it is good."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    return head + body


def request(*lines: str, method: str = "GET", body: str = "") -> bytes:
    """A request as bytes."""
    text = [f"{method} {PATH} HTTP/1.1", "Host: 127.0.0.1", *lines]
    if body:
        text += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(text) + "\r\n\r\n" + body).encode()


async def nonce_of(server: Server) -> str:
    """A nonce of the server."""
    reader, writer = await asyncio.open_connection(*server.address)
    head = (await exchange(reader, writer, request())).decode()
    writer.close()
    return head.split('nonce="')[1].split('"')[0]


def digest_of(algorithm: str) -> Made:
    """Right answers to a nonce, one for each count."""
    name = {"MD5": "md5", "SHA-256": "sha256"}[algorithm]

    def hashed(text: str) -> str:
        return hashlib.new(name, text.encode()).hexdigest()

    ha1, ha2 = hashed(f"{ACCOUNT[0]}:{REALM}:{ACCOUNT[1]}"), hashed(f"GET:{PATH}")

    def make(nonce: str, count: int) -> bytes:
        nc = f"{count:08x}"
        response = hashed(f"{ha1}:{nonce}:{nc}:c:auth:{ha2}")
        return request(
            f'Authorization: Digest username="{ACCOUNT[0]}", realm="{REALM}", nonce="{nonce}", uri="{PATH}", '
            f'algorithm={algorithm}, qop=auth, nc={nc}, cnonce="c", response="{response}"'
        )

    return make


def busy(address: tuple[str, int], prepared: list[list[bytes]]) -> None:
    """Send all requests, which are all to be answered with 200; runs in the client's process, and never sleeps."""
    ready = select.epoll()
    clients: dict[int, tuple[socket.socket, Iterator[bytes]]] = {}
    for requests in prepared:
        connection = socket.create_connection(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(connection, select.EPOLLIN)
        clients[connection.fileno()] = connection, iter(requests[1:])
        connection.sendall(requests[0])
    while clients:
        for number, _ in ready.poll(0):
            connection, requests_left = clients[number]
            answer = piece = connection.recv(65536)
            while piece and not is_whole(answer):
                answer += (piece := connection.recv(65536))
            if not piece or not answer.startswith(b"HTTP/1.1 200"):
                raise ValueError(f"refused: {answer[:200]!r}")
            following = next(requests_left, None)
            if following is None:
                ready.unregister(connection)
                del clients[number]
                connection.close()
            else:
                connection.sendall(following)


def is_whole(answer: bytes) -> bool:
    """Whether an answer has come to its end. Raises ValueError when it has no length."""
    head, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


async def rate(pool: ProcessPoolExecutor, address: tuple[str, int], make: Made, nonce: str) -> float:
    """Requests of one kind, a second of the processor time of this process."""
    prepared = [
        [make(nonce, 1 + number * CONNECTIONS + connection) for number in range(REQUESTS)]
        for connection in range(CONNECTIONS)
    ]
    began = time.process_time()
    await asyncio.get_running_loop().run_in_executor(pool, busy, address, prepared)
    return CONNECTIONS * REQUESTS / (time.process_time() - began)


async def session_of(server: Server) -> str:
    """The cookie of a new session."""
    reader, writer = await asyncio.open_connection(*server.address)
    body = f'{{"name": "{ACCOUNT[0]}", "password": "{ACCOUNT[1]}"}}'
    head = (await exchange(reader, writer, request(method="POST", body=body))).decode()
    writer.close()
    return head.split("set-cookie: ")[1].split(";")[0]


async def set_up(server: Server) -> None:
    """Make the account."""
    body = f'{{"name": "{ACCOUNT[0]}", "password": "{ACCOUNT[1]}"}}'
    reader, writer = await asyncio.open_connection(*server.address)
    made = request(method="POST", body=body).replace(b"/session", b"/setup")
    await exchange(reader, writer, made)
    writer.close()


async def main() -> None:
    """Print the table."""
    found: dict[str, list[float]] = {}
    nonces: set[str] = set()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=context) as pool:
        async with (
            device(Path(folder)) as guard,
            serving(guard) as full,
            serving(without_log_in(guard)) as open_server,
            serving(bare) as alone,
            plain(bare) as uvicorn_floor,
            plain(least_digest(nonces)) as least,
        ):
            await set_up(full)
            gc.collect()
            gc.freeze()  # as the role does once it has started
            basic = request(f"Authorization: Basic {b64encode(':'.join(ACCOUNT).encode()).decode()}")
            cookie = request(f"Cookie: {await session_of(full)}")
            ours = full.address
            kinds: dict[str, tuple[tuple[str, int], Made]] = {
                "uvicorn alone": (uvicorn_floor, digest_of("SHA-256")),
                "our server alone": (alone.address, digest_of("SHA-256")),
                "uvicorn with the least Digest": (least, digest_of("SHA-256")),
                "the same application without log-in": (open_server.address, digest_of("SHA-256")),
                "Digest, SHA-256": (ours, digest_of("SHA-256")),
                "Digest, MD5": (ours, digest_of("MD5")),
                "Basic, remembered": (ours, lambda nonce, count: basic),
                "session": (ours, lambda nonce, count: cookie),
            }
            for number in range(ROUNDS):
                for name in list(kinds) if number % 2 == 0 else reversed(kinds):
                    address, make = kinds[name]
                    nonce = await nonce_of(full)
                    nonces.add(nonce)
                    found.setdefault(name, []).append(await rate(pool, address, make, nonce))
    floors = {name: found.pop(name) for name in list(kinds)[:4]}
    rows = []
    for name, rates in found.items():
        for against, floor in floors.items():
            paired = median(ours / theirs for ours, theirs in zip(rates, floor, strict=True))
            rows.append(Row(f"requests, {name}", median(rates), "1/s", median(floor), against, paired))
    show("HTTP", rows)


if __name__ == "__main__":
    asyncio.run(main())
