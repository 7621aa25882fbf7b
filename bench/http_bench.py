"""Requests a second over HTTP, authenticated by Digest, by Basic and by a session, against servers that ask nobody.

Floors, in the same run: the same application without a log-in; our server with no application, which answers the same
bytes; uvicorn as it comes with that; and uvicorn with the least Digest there can be. Figures are per second of the
server's processor time, so that a busy machine favours nobody. The client (bench/native/ask.c) keeps connections busy
with requests that were prepared before. It is so much faster than any of the servers that none of them ever waits for
it, and never sleeps: turns of a loop that has nothing to do, and the kernel's work to wake a client, are counted to a
server as well, and would make all of them more alike. The part of the time that a server was busy is printed.

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
import struct
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
from firmware.interfaces.http.face import WHOLE, Visitor
from firmware.interfaces.http.server import Server
from firmware.interfaces.http.way_out import STREAM
from firmware.security import AccountsService
from hal.clock import SystemClock

REALM = "LINTEL_0123456789AB"
ACCOUNT = ("admin", "choose-one")
CONNECTIONS = 8
REQUESTS = 2000
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
        # With nobody in between, the application answers at once just as it does behind the guard.
        scope["visitor"], scope["caller"], scope[WHOLE] = visitor, caller, scope["extensions"][STREAM].whole
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


def compiled(folder: Path) -> Path:
    """The client's program."""
    program = folder / "ask"
    source = Path(__file__).resolve().parent / "native" / "ask.c"
    subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    return program


def asked(words: list[str]) -> float:
    """Run the client; the seconds it took. In a process of its own: to start one is not the server's work."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stdout + done.stderr)
    return float(done.stdout)


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: a process that runs the client's program, and the file of requests that it is given."""

    pool: ProcessPoolExecutor
    program: Path
    requests: Path

    async def rate(self, address: tuple[str, int], make: Made, nonce: str) -> tuple[float, float]:
        """Requests of one kind a second of the processor time of this process; and the part of the time it was busy."""
        every = [make(nonce, 1 + number) for number in range(REQUESTS)]
        self.requests.write_bytes(b"".join(struct.pack("<I", len(each)) + each for each in every))
        words = [str(self.program), str(address[1]), str(CONNECTIONS), str(self.requests)]
        began = time.process_time()
        taken_s = await asyncio.get_running_loop().run_in_executor(self.pool, asked, words)
        used_s = time.process_time() - began
        return REQUESTS / used_s, used_s / taken_s


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
    shares: list[float] = []
    nonces: set[str] = set()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=context) as pool:
        client = Client(pool, compiled(Path(folder)), Path(folder) / "requests")
        async with (
            device(Path(folder) / "state") as guard,
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
                    per_s, share = await client.rate(address, make, nonce)
                    found.setdefault(name, []).append(per_s)
                    shares.append(share)
    floors = {name: found.pop(name) for name in list(kinds)[:4]}
    rows = []
    for name, rates in found.items():
        for against, floor in floors.items():
            paired = median(ours / theirs for ours, theirs in zip(rates, floor, strict=True))
            rows.append(Row(f"requests, {name}", median(rates), "1/s", median(floor), against, paired))
    rows.append(Row("part of the time that a server was busy", median(shares), "", None, ""))
    show("HTTP", rows)


if __name__ == "__main__":
    asyncio.run(main())
